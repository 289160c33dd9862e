/**
 * Reads the one byte form of coffer's files in a single pass.
 *
 * This is the security boundary towards whoever can write to the repository. It has no recursion
 * and no regular expression that backtracks, and every field of a file is asked for by name and in
 * order, so that nothing is ever read by a meaning that its writer did not sign.
 *
 * @see docs/format.md §1
 */
import { decodeBase64, decodeUtf8 } from "../encoding.js"
import { CofferError } from "../errors.js"
import { ESCAPED, LINE_CHARACTERS, quote } from "./canonical.js"
import { LIMITS } from "./limits.js"
import { hasNoncharacter } from "./noncharacters.js"

/** A field name that may come from a later format. */
const FIELD = /^[a-z][A-Za-z0-9]{0,31}:/

/** Reads one file from its first line to its last; the cursor never goes back. */
export class CanonicalReader {
  readonly #text: string
  readonly #what: string
  readonly #fields: ReadonlySet<string>
  #position = 0

  /**
   * Checks the size before the text, and the first line before anything else.
   *
   * @param format - `secret`, `key` or `store`: the word after `coffer: `; version 1 is the only one.
   * @param fields - all field names of the format's top level: any other is of a newer format.
   * @throws CofferError `NOT_CANONICAL`, `NEWER_FORMAT`
   */
  constructor(
    bytes: Uint8Array,
    options: { format: string; what: string; maxBytes: number; fields: ReadonlySet<string> },
  ) {
    this.#what = options.what
    this.#fields = options.fields
    if (bytes.length > options.maxBytes) {
      throw notCanonical(`${options.what} is larger than ${options.maxBytes} bytes`)
    }
    const text = decodeUtf8(bytes)
    if (text === undefined) throw notCanonical(`${options.what} is not UTF-8 text`)
    this.#text = text
    this.#readFormat(options.format)
  }

  #readFormat(format: string): void {
    const line = this.#line()
    if (line === `coffer: ${format}/1`) {
      this.#next()
      return
    }
    const other = /^coffer: ([a-z]{1,16})\/([1-9][0-9]{0,8})$/.exec(line)
    if (other?.[1] === format) {
      throw new CofferError("NEWER_FORMAT", `${this.#what} has the format ${format}/${other[2]}`, {
        hint: "this coffer reads format 1: install a newer one",
      })
    }
    throw this.fault("it does not begin with its format")
  }

  /** The error for a file that is not in the form it must have. */
  fault(why: string): CofferError {
    return notCanonical(`${this.#what} is not canonical: ${why}`)
  }

  /** Refuses whatever follows the last field. */
  end(): void {
    if (this.#position < this.#text.length) throw this.#unexpected("the end")
  }

  /** Whether the next line holds `field`, which may be left out. */
  has(field: string, indent = ""): boolean {
    return this.#text.startsWith(`${indent}${field}:`, this.#position)
  }

  /** One of `words`, plain. */
  word<W extends string>(field: string, words: readonly W[], indent = ""): W {
    const value = this.#value(field, indent)
    if (!(words as readonly string[]).includes(value)) throw this.fault(`"${field}" is not one of its words`)
    this.#next()
    return value as W
  }

  /** A plain integer from 1 to 2^31 - 1. */
  integer(field: string, indent = ""): number {
    const value = this.#value(field, indent)
    const number = /^[1-9][0-9]{0,9}$/.test(value) ? Number(value) : 0
    if (number < 1 || number > LIMITS.integer)
      throw this.fault(`"${field}" is not a number from 1 to 2147483647`)
    this.#next()
    return number
  }

  /** A string in double quotes. */
  text(field: string, indent = ""): string {
    const text = this.#unquote(this.#value(field, indent), field)
    this.#next()
    return text
  }

  /** A string in double quotes that is of a kind. */
  textThat(field: string, isOfKind: (text: string) => boolean, indent = ""): string {
    const text = this.text(field, indent)
    if (!isOfKind(text)) throw this.fault(`"${field}" has a value that it cannot have`)
    return text
  }

  /** A list of strings. */
  texts(field: string, maxItems: number): string[] {
    if (this.#empty(field, "[]")) return []
    const items: string[] = []
    while (this.#text.startsWith("  - ", this.#position)) {
      if (items.length === maxItems) throw this.fault(`"${field}" has more than ${maxItems} entries`)
      items.push(this.#unquote(this.#line().slice(4), field))
      this.#next()
    }
    return this.#some(field, items)
  }

  /** A map from strings to strings, sorted by key. */
  map(field: string, maxEntries: number): Map<string, string> {
    const map = new Map<string, string>()
    if (this.#empty(field, "{}")) return map
    let last = ""
    while (this.#text.startsWith('  "', this.#position)) {
      if (map.size === maxEntries) throw this.fault(`"${field}" has more than ${maxEntries} entries`)
      const line = this.#line()
      // Keys have no quotes in them: every user of maps checks them against a grammar without.
      const colon = line.indexOf('": ', 3)
      if (colon < 0) throw this.#unexpected(`an entry of "${field}"`)
      const key = this.#unquote(line.slice(2, colon + 1), field)
      if (map.size > 0 && key <= last) throw this.fault(`"${field}" is not sorted`)
      map.set(key, this.#unquote(line.slice(colon + 3), field))
      last = key
      this.#next()
    }
    if (map.size === 0) throw this.#unexpected(`an entry of "${field}"`)
    return map
  }

  /** A list of maps; `read` reads the fields of one, all but the first behind `    `. */
  list<T>(field: string, maxItems: number, read: (first: string, rest: string) => T): T[] {
    if (this.#empty(field, "[]")) return []
    const items: T[] = []
    while (this.#text.startsWith("  - ", this.#position)) {
      if (items.length === maxItems) throw this.fault(`"${field}" has more than ${maxItems} entries`)
      items.push(read("  - ", "    "))
    }
    return this.#some(field, items)
  }

  /** The line that opens a map of plain names, such as `policy:`; false where it is `{}`. */
  section(field: string, indent = ""): boolean {
    return !this.#empty(field, "{}", indent)
  }

  /** Bytes in base64, as a block scalar. */
  block(field: string, indent = ""): Uint8Array {
    const value = this.#value(field, indent)
    if (value !== "|") throw this.fault(`"${field}" is not a block of base64`)
    this.#next()
    return this.#blockLines(field, indent.length + 2)
  }

  /** Bytes in base64 of which there must be `length`. */
  sized(field: string, length: number, indent = ""): Uint8Array {
    const bytes = this.block(field, indent)
    if (bytes.length !== length) throw this.fault(`"${field}" has not ${length} bytes`)
    return bytes
  }

  /** A list of block scalars. */
  blocks(field: string, maxItems: number): Uint8Array[] {
    if (this.#empty(field, "[]")) return []
    const items: Uint8Array[] = []
    while (this.#text.startsWith("  - |\n", this.#position)) {
      if (items.length === maxItems) throw this.fault(`"${field}" has more than ${maxItems} entries`)
      this.#next()
      items.push(this.#blockLines(field, 4))
    }
    return this.#some(field, items)
  }

  #blockLines(field: string, indent: number): Uint8Array {
    const lines: string[] = []
    // All lines but the last are full: the first that is not ends the block.
    for (let length = LINE_CHARACTERS; length === LINE_CHARACTERS && this.#indented(indent); ) {
      const line = this.#line()
      length = line.length - indent
      if (length > LINE_CHARACTERS) throw this.fault(`"${field}" has a line that is too long`)
      lines.push(line.slice(indent))
      this.#next()
    }
    const bytes = lines.length === 0 ? undefined : decodeBase64(lines.join(""))
    if (bytes === undefined) throw this.fault(`"${field}" is not a block of base64`)
    return bytes
  }

  #indented(indent: number): boolean {
    for (let i = 0; i < indent; i++) if (this.#text[this.#position + i] !== " ") return false
    return true
  }

  /** Enters a field that has entries below it; true where it is written as empty instead. */
  #empty(field: string, empty: string, indent = ""): boolean {
    if (this.#text.startsWith(`${indent}${field}:\n`, this.#position)) {
      this.#next()
      return false
    }
    if (this.#value(field, indent) !== empty) throw this.#unexpected(`the entries of "${field}"`)
    this.#next()
    return true
  }

  #some<T>(field: string, items: T[]): T[] {
    if (items.length === 0) throw this.#unexpected(`an entry of "${field}"`)
    return items
  }

  #value(field: string, indent: string): string {
    const prefix = `${indent}${field}: `
    if (!this.#text.startsWith(prefix, this.#position)) throw this.#unexpected(`"${field}"`)
    return this.#line().slice(prefix.length)
  }

  #unquote(quoted: string, field: string): string {
    const inner = quoted.slice(1, -1)
    if (quoted.length < 2 || quoted[0] !== '"' || !quoted.endsWith('"')) {
      throw this.fault(`"${field}" is not in double quotes`)
    }
    // Before any work on it: escapes are the one thing here that costs more than a comparison.
    if (inner.length > LIMITS.quotedCharacters) throw this.fault(`"${field}" is too long`)
    const text = ESCAPED.test(inner) ? unescapeText(inner) : inner
    if (text === undefined) throw this.fault(`"${field}" is not quoted as it must be`)
    if (hasNoncharacter(text)) throw this.fault(`"${field}" holds a noncharacter`)
    return text
  }

  /** The current line without its LF. A last line without one is refused. */
  #line(): string {
    const end = this.#text.indexOf("\n", this.#position)
    if (end < 0) throw this.fault("it does not end with a line feed")
    return this.#text.slice(this.#position, end)
  }

  #next(): void {
    this.#position = this.#text.indexOf("\n", this.#position) + 1
  }

  /** What is there instead of what must come: a field nobody here knows, or a fault. */
  #unexpected(wanted: string): CofferError {
    const rest = this.#text.slice(this.#position, this.#position + 40)
    const field = FIELD.exec(rest)?.[0].slice(0, -1)
    if (field !== undefined && !this.#fields.has(field)) {
      return new CofferError("NEWER_FORMAT", `${this.#what} has an unknown field "${field}"`, {
        hint: "a newer coffer may know it; if it was added by hand: git checkout HEAD -- FILE",
      })
    }
    return this.fault(`${wanted} must come where ${rest === "" ? "it ends" : "something else is"}`)
  }
}

function notCanonical(message: string): CofferError {
  return new CofferError("NOT_CANONICAL", message, {
    hint: "formatters (Prettier, editors, line ending conversion) must leave the store alone: git checkout HEAD -- FILE",
  })
}

/** Undoes {@link quote}; undefined where it would have escaped something else, or otherwise. */
function unescapeText(inner: string): string | undefined {
  let text = ""
  for (let i = 0; i < inner.length; i++) {
    if (inner[i] !== "\\") {
      text += inner[i]
      continue
    }
    const short = inner[i + 1]
    if (short === '"' || short === "\\") {
      text += short
      i += 1
      continue
    }
    const hex = inner.slice(i + 2, i + 6)
    if (short !== "u" || !/^[0-9a-f]{4}$/.test(hex)) return undefined
    text += String.fromCharCode(Number.parseInt(hex, 16))
    i += 5
  }
  return quote(text) === `"${inner}"` ? text : undefined
}
