/**
 * The one byte form of coffer's files: a subset of YAML in which each datum has one spelling. This
 * is the printer; {@link CanonicalReader} is its inverse.
 *
 * @see docs/format.md §1
 */
import { encodeBase64, escapeUnit } from "../encoding.js"

/** Characters of base64 in one line: short of 80 with any indent that occurs. */
export const LINE_CHARACTERS = 76

/** What is escaped inside quotes, and so cannot stand there as it is. */
export const ESCAPED = /["\\\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff]/
const ESCAPED_ALL = new RegExp(ESCAPED, "g")

/**
 * Prints a string in double quotes, with no more escapes than the form has.
 *
 * @see docs/format.md §1.2
 */
export function quote(text: string): string {
  return ESCAPED.test(text) ? `"${text.replace(ESCAPED_ALL, escapeCharacter)}"` : `"${text}"`
}

function escapeCharacter(character: string): string {
  if (character === '"' || character === "\\") return `\\${character}`
  return escapeUnit(character)
}

/** A line `field: value`, the value as it is. */
export function printPlain(field: string, value: string | number, indent = ""): string {
  return `${indent}${field}: ${value}\n`
}

export function printText(field: string, value: string, indent = ""): string {
  return `${indent}${field}: ${quote(value)}\n`
}

export function printTexts(field: string, items: readonly string[]): string {
  return printItems(
    field,
    items.map(item => `  - ${quote(item)}\n`),
  )
}

/** Prints a map sorted by key, whatever the order of `map`. */
export function printMap(field: string, map: ReadonlyMap<string, string>): string {
  if (map.size === 0) return `${field}: {}\n`
  const keys = [...map.keys()].sort()
  return `${field}:\n${keys.map(key => `  ${quote(key)}: ${quote(map.get(key)!)}\n`).join("")}`
}

/** Prints a list of entries that are printed already, each from its `  - ` on. */
export function printItems(field: string, items: readonly string[]): string {
  return items.length === 0 ? `${field}: []\n` : `${field}:\n${items.join("")}`
}

export function printBlock(field: string, bytes: Uint8Array, indent = ""): string {
  return `${indent}${field}: |\n${blockLines(bytes, `${indent}  `)}`
}

export function printBlocks(field: string, items: readonly Uint8Array[]): string {
  return printItems(
    field,
    items.map(bytes => `  - |\n${blockLines(bytes, "    ")}`),
  )
}

function blockLines(bytes: Uint8Array, indent: string): string {
  const text = encodeBase64(bytes)
  let lines = ""
  for (let i = 0; i < text.length; i += LINE_CHARACTERS) {
    lines += `${indent}${text.slice(i, i + LINE_CHARACTERS)}\n`
  }
  return lines
}
