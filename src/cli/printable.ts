/** Text from a repository, a remote or a colleague, made safe to show on a terminal. */
import { escapeUnit } from "../encoding.js"

/**
 * C0 and C1 controls (ESC among them), DEL, line separators, and the characters that turn the
 * direction of text around or are invisible: what can make a terminal obey, or a name look like another.
 *
 * @see https://trojansource.codes
 */
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu

/** One line: every unsafe character as `\u{…}`. */
export function printable(text: string): string {
  return text.toWellFormed().replace(UNSAFE, spell)
}

/** Several lines: as {@link printable}, but line feeds and tabs stay. */
export function printableLines(text: string): string {
  return text
    .toWellFormed()
    .replace(UNSAFE, character => (/[\n\t]/.test(character) ? character : spell(character)))
}

/** The same for JSON text, in which `\uXXXX` stands for the character itself. */
export function printableJson(json: string): string {
  return json.replace(UNSAFE, character => character.split("").map(escapeUnit).join(""))
}

function spell(character: string): string {
  return `\\u{${character.codePointAt(0)!.toString(16)}}`
}
