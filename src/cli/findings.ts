/** Findings of `check` and `status`: for people, as JSON, and which warnings count. */
import { CofferError } from "../errors.js"
import { FAIL_ON, type FailOn } from "../store/check.js"
import type { Option } from "./option.js"
import { printable } from "./printable.js"

/** What a finding of the store and one of the hooks have in common. */
interface Finding {
  readonly code: string
  readonly level: "error" | "warning" | "note"
  readonly path?: string
  readonly message: string
  readonly hint?: string
  readonly commit?: string
}

const KINDS = Object.keys(FAIL_ON) as FailOn[]

/** The option that makes warnings count. */
export const FAIL_ON_OPTION = {
  type: "string",
  placeholder: "kinds",
  help: `warnings that count as found, separated by commas: ${KINDS.join(", ")}`,
} as const satisfies Option

/** @throws CofferError `USAGE` */
export function parseFailOn(text: string): readonly FailOn[] {
  const kinds = text.split(",").map(kind => kind.trim())
  const unknown = kinds.some(kind => !(KINDS as string[]).includes(kind))
  if (unknown)
    throw new CofferError("USAGE", `--fail-on takes ${KINDS.join(", ")}`, {
      hint: "--fail-on exposed,overdue",
    })
  return kinds as FailOn[]
}

/** `error: "a" … (CODE)`, and below it what to type. */
export function findingLines(findings: readonly Finding[]): string {
  return findings
    .map(({ level, message, code, hint, commit }) => {
      const where = commit === undefined ? "" : `, commit ${commit.slice(0, 7)}`
      const line = `${level}: ${printable(message)} (${code}${where})\n`
      return hint === undefined ? line : `${line}  ${printable(hint)}\n`
    })
    .join("")
}

export function findingJson({ code, level, path, message, hint, commit }: Finding) {
  const found = { code, level, path: path ?? null, message, hint: hint ?? null }
  return commit === undefined ? found : { ...found, commit }
}
