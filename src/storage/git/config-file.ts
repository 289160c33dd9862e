/** Reader of one git configuration file: sections, quoting, continuation lines. */
import { CofferError } from "../../errors.js"

/** One setting; `value` is undefined for a name without "=", which git takes as true. */
export interface ConfigEntry {
  /** `section.name` or `section.Subsection.name`: section and name in lower case. */
  readonly key: string
  readonly value: string | undefined
}

const SECTION = /\[([A-Za-z0-9.-]+)(?:[ \t]+"((?:[^"\\\n]|\\[^\n])*)")?\]/y
const NAME = /([A-Za-z][A-Za-z0-9-]*)[ \t]*(=?)[ \t]*/y
const BLANK = /(?:\s|[#;][^\n]*)*/y
const VALUE_PART = /[^"\\\n#;]+|\\.|["#;]/sy
const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  b: "\b",
  "\\": "\\",
  '"': '"',
  "\n": "",
}

/**
 * Parses the text of a git configuration file.
 *
 * @param file - the name used in the message.
 * @throws CofferError `GIT_FAILED` with the line: git itself stops there, too.
 * @see https://git-scm.com/docs/git-config#_syntax
 */
export function parseConfig(source: string, file: string): ConfigEntry[] {
  const text = source.replace(/^\uFEFF/, "").replaceAll("\r\n", "\n")
  const entries: ConfigEntry[] = []
  let section = ""
  let at = 0
  const fail = () => {
    const line = text.slice(0, at).split("\n").length
    return new CofferError("GIT_FAILED", `bad git configuration in "${file}", line ${line}`)
  }
  for (;;) {
    at += match(BLANK, text, at)![0].length
    if (at >= text.length) return entries
    const header = match(SECTION, text, at)
    if (header !== null) {
      section = `${sectionKey(header[1]!, header[2])}.`
      at += header[0].length
      continue
    }
    const name = match(NAME, text, at)
    if (name === null) throw fail()
    at += name[0].length
    const value = name[2] === "" ? noValue(text, at) : readValue(text, at)
    if (value === undefined) throw fail()
    entries.push({ key: section + name[1]!.toLowerCase(), value: value.text })
    at = value.next
  }
}

/** A key as {@link ConfigEntry} has it: what stands between its first and its last dot keeps its case. */
export function canonicalKey(key: string): string {
  const [first, last] = [key.indexOf("."), key.lastIndexOf(".")]
  return key.slice(0, first).toLowerCase() + key.slice(first, last) + key.slice(last).toLowerCase()
}

/** Whether a push names a remote, as settings have it, rather than a URL, which has no branches here. */
export function isRemoteName(remote: string): boolean {
  return /^[A-Za-z0-9._/-]+$/.test(remote)
}

/** What git takes as true, or undefined for no boolean at all. */
export function parseBoolean(value: string | undefined): boolean | undefined {
  if (value === undefined) return true
  const text = value.toLowerCase()
  if (["true", "yes", "on"].includes(text)) return true
  if (["false", "no", "off", ""].includes(text)) return false
  return /^[+-]?\d+$/.test(text) ? Number(text) !== 0 : undefined
}

/** {@link parseBoolean} of a setting. @throws CofferError `GIT_FAILED` where git would refuse it, too */
export function requireBoolean(key: string, value: string | undefined): boolean {
  const isTrue = parseBoolean(value)
  if (isTrue !== undefined) return isTrue
  throw new CofferError("GIT_FAILED", `git setting "${key}" is neither true nor false`, {
    hint: `git config --show-origin ${key} shows where it is set`,
  })
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at
  return pattern.exec(text)
}

function sectionKey(section: string, subsection: string | undefined): string {
  if (subsection !== undefined) return `${section.toLowerCase()}.${subsection.replace(/\\(.)/gs, "$1")}`
  return section.toLowerCase()
}

function noValue(text: string, at: number): { text: undefined; next: number } | undefined {
  return at >= text.length || "\n#;".includes(text[at]!) ? { text: undefined, next: at } : undefined
}

/** A value ends at the line's end or at a comment, both only outside quotes; blanks at its end do not count. */
function readValue(text: string, from: number): { text: string; next: number } | undefined {
  let value = ""
  let kept = 0
  let quoted = false
  let at = from
  for (;;) {
    const part = match(VALUE_PART, text, at)?.[0]
    if (part === undefined || (!quoted && (part === "#" || part === ";"))) break
    at += part.length
    if (part === '"') {
      quoted = !quoted
      kept = value.length
      continue
    }
    const escaped = part[0] === "\\" ? ESCAPES[part[1]!] : part
    if (escaped === undefined) return undefined
    value += escaped
    kept = quoted || part[0] === "\\" ? value.length : Math.max(kept, value.trimEnd().length)
  }
  return quoted ? undefined : { text: value.slice(0, kept), next: at }
}
