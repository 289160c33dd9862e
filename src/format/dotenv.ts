/** Strict reader of dotenv files: what readers of the format disagree on is refused or warned about, never guessed in silence. */
import { withoutEnd } from "../encoding.js"
import { CofferError } from "../errors.js"

/**
 * What other readers may see differently. `dollar`: a `$` that some expand, here always literal;
 * `hash`: a `#` inside an unquoted value, a comment for some; `escape`: a backslash in double quotes.
 */
export type DotenvWarning = "dollar" | "hash" | "escape"

/** One variable of a dotenv file. */
export interface DotenvEntry {
  key: string
  value: string
  /** Where it begins, from 1. */
  line: number
  warnings: readonly DotenvWarning[]
}

/**
 * Parses `KEY=VALUE` lines with optional `export`, comments, and values unquoted or in one of three
 * quotes, which may span lines. Single quotes and backticks keep everything; in double quotes `\n` and
 * `\r` are line ends and `\" \\ \$ \`` stand for themselves. CRLF counts as LF, a BOM is skipped.
 *
 * @throws CofferError `IMPORT_INVALID` naming the line, never its text: what cannot be parsed may be a value.
 */
export function parseDotenv(text: string): DotenvEntry[] {
  const reader = { text: text.replace(/^\uFEFF/, "").replace(/\r\n/g, "\n"), at: 0, line: 1 }
  if (/[\0\r]/.test(reader.text)) {
    reader.line += countLines(reader.text.slice(0, reader.text.search(/[\0\r]/)))
    throw invalid(reader, "has a control character")
  }
  const entries: DotenvEntry[] = []
  const lines = new Map<string, number>()
  while (reader.at < reader.text.length) {
    const entry = parseLine(reader)
    if (entry === undefined) continue
    const first = lines.get(entry.key)
    if (first !== undefined) {
      throw invalid({ line: entry.line }, `sets "${entry.key}" again, which line ${first} already did`)
    }
    lines.set(entry.key, entry.line)
    entries.push(entry)
  }
  return entries
}

interface Reader {
  readonly text: string
  at: number
  line: number
}

function parseLine(reader: Reader): DotenvEntry | undefined {
  const line = reader.line
  const rest = restOfLine(reader)
  if (/^[ \t]*(#|$)/.test(rest)) return skip(reader, rest.length)
  // Runs of blanks are taken whole or not at all: a long one would otherwise be tried at each of its lengths.
  const start = /^[ \t]*(?![ \t])(?:export[ \t]+(?![ \t]))?([^\s=]*)[ \t]*=[ \t]*/.exec(rest)
  if (start === null) throw invalid(reader, "is neither KEY=VALUE nor a comment")
  const key = start[1]!
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,199}$/.test(key)) {
    throw invalid(reader, "has a key that is no variable name (letters, digits and _)")
  }
  reader.at += start[0].length
  const quote = reader.text[reader.at]
  const isQuoted = quote === '"' || quote === "'" || quote === "`"
  const { value, warnings } = isQuoted ? parseQuoted(reader, quote) : parseUnquoted(reader, start[0])
  return { key, value, line, warnings }
}

function parseUnquoted(reader: Reader, before: string): { value: string; warnings: DotenvWarning[] } {
  const rest = restOfLine(reader)
  // `KEY=#x` is empty for some readers and "#x" for others; `KEY= #x` is empty for all.
  if (rest.startsWith("#") && before.endsWith("=")) {
    throw invalid(reader, "has an unquoted value that begins with #: put it in quotes")
  }
  const comment = rest.startsWith("#") ? 0 : rest.search(/[ \t]#/)
  const value = withoutEnd(comment < 0 ? rest : rest.slice(0, comment), " \t")
  skip(reader, rest.length)
  const warnings: DotenvWarning[] = []
  if (value.includes("$")) warnings.push("dollar")
  if (value.includes("#")) warnings.push("hash")
  return { value, warnings }
}

function parseQuoted(reader: Reader, quote: string): { value: string; warnings: DotenvWarning[] } {
  const opened = { line: reader.line }
  const { text } = reader
  let end = reader.at + 1
  while (end < text.length && text[end] !== quote) end += quote === '"' && text[end] === "\\" ? 2 : 1
  if (end >= text.length) throw invalid(opened, "opens a quote that is never closed")
  const raw = text.slice(reader.at + 1, end)
  // Readers differ on whether `\'` ends the value; no other quoting makes that certain.
  if (quote !== '"' && raw.endsWith("\\")) {
    throw invalid(opened, "has a backslash before its closing quote: use double quotes")
  }
  reader.line += countLines(raw)
  reader.at = end + 1
  const rest = restOfLine(reader)
  if (!/^[ \t]*(?:[ \t]#.*)?$/.test(rest)) throw invalid(reader, "has text after a closing quote")
  skip(reader, rest.length)
  return quote === '"' ? unescapeDouble(raw) : { value: raw, warnings: [] }
}

function unescapeDouble(raw: string): { value: string; warnings: DotenvWarning[] } {
  const warnings = new Set<DotenvWarning>()
  const value = raw.replace(/\\([\s\S])|\$/g, (whole, escaped: string | undefined) => {
    if (escaped === "n") return "\n"
    if (escaped === "r") return "\r"
    warnings.add(escaped === undefined ? "dollar" : "escape")
    return escaped !== undefined && '"\\$`'.includes(escaped) ? escaped : whole
  })
  return { value, warnings: [...warnings] }
}

function restOfLine(reader: Reader): string {
  const end = reader.text.indexOf("\n", reader.at)
  return reader.text.slice(reader.at, end < 0 ? reader.text.length : end)
}

/** Moves behind the rest of the line and its end. */
function skip(reader: Reader, length: number): undefined {
  reader.at += length + 1
  reader.line++
}

function countLines(text: string): number {
  return text.split("\n").length - 1
}

function invalid(where: { line: number }, what: string): CofferError {
  return new CofferError("IMPORT_INVALID", `line ${where.line} ${what}`, {
    hint: "dotenv lines look like KEY=value, KEY=\"value\" or KEY='value'; nothing was stored",
  })
}
