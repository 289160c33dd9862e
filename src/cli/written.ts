/** What commands print of secrets: which ones, which version, which commit. */
import { counted } from "../format/counted.js"
import type { SecretName } from "../format/names.js"
import type { SecretsWritten, SecretWritten } from "../store/secrets.js"

interface Outcome {
  readonly changed: boolean
  readonly commit: string | null
}

/** `, commit 3f2a91c`, `, staged` or `, unchanged`. */
export function outcome({ changed, commit }: Outcome): string {
  if (!changed) return ", unchanged"
  return commit === null ? ", staged" : `, commit ${commit.slice(0, 7)}`
}

/** One secret: `API_TOKEN: version 2, commit 3f2a91c`. */
export function writtenLine(written: SecretWritten, remark = ""): string {
  return `${written.name}: version ${written.version}${remark}${outcome(written)}\n`
}

/** Several secrets, one a line, and what became of all of them. */
function writtenLines(written: SecretsWritten): string {
  const lines = written.secrets.map(({ name, version }) => `${name}: version ${version}\n`)
  return `${lines.join("")}${counted(written.secrets.length, "secret")}${outcome(written)}\n`
}

/** Either form. */
export function writtenText(written: SecretWritten | SecretsWritten): string {
  return "name" in written ? writtenLine(written) : writtenLines(written)
}

/** A name a line. */
export function nameLines({ names }: { names: readonly SecretName[] }): string {
  return names.map(name => `${name}\n`).join("")
}
