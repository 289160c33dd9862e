/** The YAML map that `edit -p` shows: one line or block per secret, and what the person made of it. */
import { CofferError } from "../errors.js"
import { parseUserYaml, TWICE } from "./user-yaml.js"

/**
 * Prints names and values as a YAML map that reads back to the same text; binary secrets are comments.
 *
 * @param entries - relative name to value, in the order to show.
 */
export async function printEditMap(
  entries: ReadonlyMap<string, string>,
  binary: readonly string[],
): Promise<string> {
  const hidden = binary.map(name => ` ${name}: (binary, not shown)`)
  // YAML has no empty map but "{}", below which no line can be added.
  if (entries.size === 0) return [...HELP, ...hidden].map(line => `#${line}\n`).join("")
  const { Document, Scalar } = await import("yaml")
  // As a block, which shows lines, a value of blanks alone would lose those that look like its indentation.
  const shown = (value: string) =>
    /\S/.test(value) ? value : Object.assign(new Scalar(value), { type: Scalar.QUOTE_DOUBLE })
  const map = new Document(new Map([...entries].map(([name, value]) => [name, shown(value)])))
  map.commentBefore = HELP.join("\n")
  if (hidden.length > 0) map.comment = hidden.join("\n")
  // Folding would be undone only by a reader that knows where the lines were broken.
  return map.toString({ lineWidth: 0 })
}

const HELP = [
  " One secret a line, name: value. Only what you change is written.",
  " A new line is a new secret; a line taken away is a secret to delete, after a question.",
]

/**
 * Reads the map back. A value is the text as typed, whatever type YAML would give it: `8080`, `1e3`,
 * `yes` need no quotes.
 *
 * @param checkName - throws a CofferError where a name is none.
 * @throws CofferError `VALUE_INVALID` and what `checkName` throws, with the line; never with what stands there
 */
export async function parseEditMap(
  text: string,
  checkName: (name: string) => void = () => {},
): Promise<ReadonlyMap<string, string>> {
  const { isMap, isScalar } = await import("yaml")
  const parsed = await parseUserYaml(text)
  if (parsed.document === undefined) throw invalid(parsed.fault.line, parsed.fault.what)
  const { document, lineOf } = parsed
  const entries = new Map<string, string>()
  if (document.contents === null) return entries
  if (!isMap(document.contents)) throw invalid(1, "this is not a map of names to values")
  for (const { key, value } of document.contents.items) {
    if (!isScalar(key)) throw invalid(1, "a name has to be plain text")
    const line = lineOf(key.range?.[0])
    if (!isScalar(value)) throw invalid(line, "a value has to be text: no list, map or alias")
    const typed = value.value === null ? refuseNull(line, value.source) : sourceOf(value)
    if (!typed.isWellFormed()) throw invalid(line, "an escape gives half a character, which no text can hold")
    const name = sourceOf(key)
    try {
      checkName(name)
    } catch (error) {
      throw error instanceof CofferError ? inLine(line, error) : error
    }
    // To YAML the number 1 and the text "1" are two keys.
    if (entries.has(name)) throw invalid(line, TWICE)
    entries.set(name, typed)
  }
  return entries
}

function sourceOf(scalar: { value: unknown; source?: string | undefined }): string {
  return typeof scalar.value === "string" ? scalar.value : (scalar.source ?? String(scalar.value))
}

/** `name:` alone is more often a slip than an empty secret. */
function refuseNull(line: number, source: string | undefined): string {
  if (source !== undefined && source !== "" && source !== "~") return source
  throw invalid(line, 'there is no value; write "" for an empty one')
}

function inLine(line: number, error: CofferError): CofferError {
  return new CofferError(error.code, `line ${line}: ${error.message}`, { hint: error.hint, cause: error })
}

function invalid(line: number, what: string): CofferError {
  return new CofferError("VALUE_INVALID", `line ${line}: ${what}`, {
    hint: "nothing was written; edit it again",
  })
}
