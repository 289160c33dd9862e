/** Final line endings: editors and `echo` add one that does not belong to the value. */
import { concat, encodeUtf8, equalBytes } from "../encoding.js"

const LF = 0x0a
const CR = 0x0d

/** Drops the final line ending of a value of one line. A value of several lines is kept as it is. */
export function withoutLineEnding(value: Uint8Array): Uint8Array {
  return value.indexOf(LF) === value.length - 1 ? dropLast(value) : value
}

/** For an editor: text that ends its last line. */
export function withLineEnding(value: Uint8Array): Uint8Array {
  return value.length === 0 || value.at(-1) === LF ? value : concat([value, encodeUtf8("\n")])
}

/**
 * The value of a text that was edited from {@link withLineEnding}: what was not changed is what it was. A value of one line follows the rule of stdin; one of several lines
 * that did not end its last line does not do so now because an editor insists on it.
 */
export function restoreLineEnding(before: Uint8Array | undefined, edited: Uint8Array): Uint8Array {
  if (before !== undefined && equalBytes(edited, withLineEnding(before))) return before
  if (before?.at(-1) === LF) return edited
  return before?.includes(LF) && edited.at(-1) === LF ? dropLast(edited) : withoutLineEnding(edited)
}

function dropLast(value: Uint8Array): Uint8Array {
  if (value.length === 0) return value
  return value.subarray(0, value.at(-2) === CR ? -2 : -1)
}
