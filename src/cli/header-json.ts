/** A secret's public fields as `--json` shows them. */
import type { SecretFile } from "../format/secret-file.js"

export function headerJson(file: SecretFile) {
  const { name, group, version, state, type, created, author, signer } = file
  return { name, group, version, state, type, created, author, signer, meta: Object.fromEntries(file.meta) }
}
