/** Bytes to text and back, in the one spelling each that coffer's files use; length-prefixed joining. */
import { isUtf8 } from "node:buffer"
import { timingSafeEqual } from "node:crypto"

/** Encodes text as UTF-8, or returns undefined where it holds a lone surrogate. */
export function findUtf8(text: string): Uint8Array | undefined {
  return text.isWellFormed() ? apart(Buffer.from(text, "utf8")) : undefined
}

/** Small buffers are cut from slabs of 8 KiB, each kept as long as one of them: what thousands of files leave is copied. */
function apart(bytes: Buffer): Uint8Array {
  return new Uint8Array(bytes)
}

/** Encodes text as UTF-8. @throws TypeError on a lone surrogate: callers have checked their input. */
export function encodeUtf8(text: string): Uint8Array {
  const bytes = findUtf8(text)
  if (bytes === undefined) throw new TypeError("text with a lone surrogate has no UTF-8 form")
  return bytes
}

/** Decodes strict UTF-8 (a BOM is kept), or returns undefined. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  return isUtf8(bytes) ? asBuffer(bytes).toString("utf8") : undefined
}

/** A text without the given characters at its end. (A regular expression tries every run of them: in long texts that takes for ever.) */
export function withoutEnd(text: string, characters: string): string {
  let end = text.length
  while (end > 0 && characters.includes(text[end - 1]!)) end--
  return text.slice(0, end)
}

/** One UTF-16 unit as JSON, YAML and JavaScript escape it: `\u00e9`. */
export function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`
}

/** Lower-case hex. */
export function encodeHex(bytes: Uint8Array): string {
  return asBuffer(bytes).toString("hex")
}

const HEX = /^[0-9a-f]*$/

/** Bytes of lower-case hex, or undefined for anything else. */
export function decodeHex(text: string): Uint8Array | undefined {
  return text.length % 2 === 0 && HEX.test(text) ? Buffer.from(text, "hex") : undefined
}

/** Whether `text` is lower-case hex of that many digits. */
export function isHex(text: string, digits: number): boolean {
  return text.length === digits && HEX.test(text)
}

/** Whether `text` is 256 bits in lower-case hex, as hashes and public keys are written. */
export function isHex256(text: string): boolean {
  return isHex(text, 64)
}

/** Padded standard base64 without line breaks. */
export function encodeBase64(bytes: Uint8Array): string {
  return asBuffer(bytes).toString("base64")
}

/** Bytes of canonical base64 (padded, unused bits zero, no white space), or undefined. */
export function decodeBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, "base64")
  return bytes.toString("base64") === text ? apart(bytes) : undefined
}

/** Base32 of RFC 4648 in lower case without padding. */
export function encodeBase32(bytes: Uint8Array): string {
  return toFiveBits(bytes)
    .map(word => BASE32[word])
    .join("")
}

const BASE32 = "abcdefghijklmnopqrstuvwxyz234567"

/** Eight bits to five, the last ones padded with zeros. */
export function toFiveBits(bytes: Uint8Array): number[] {
  const words: number[] = []
  let buffer = 0
  let bits = 0
  for (const byte of bytes) {
    buffer = (buffer << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      words.push((buffer >>> bits) & 31)
    }
    buffer &= (1 << bits) - 1
  }
  if (bits > 0) words.push((buffer << (5 - bits)) & 31)
  return words
}

/**
 * Joins parts so that no two different lists give the same bytes: u64be(count), then u64be(length)
 * and the bytes of each. Integers are passed as decimal text, hashes as their 32 bytes.
 *
 * @see docs/format.md, "PAE"
 */
export function pae(...parts: readonly (string | Uint8Array)[]): Uint8Array {
  const encoded = parts.map(part => (typeof part === "string" ? encodeUtf8(part) : part))
  const joined = new Uint8Array(encoded.reduce((sum, bytes) => sum + U64_BYTES + bytes.length, U64_BYTES))
  const numbers = viewOf(joined)
  numbers.setUint32(4, encoded.length)
  let end = U64_BYTES
  for (const bytes of encoded) {
    // The upper half stays zero: nothing is that long.
    numbers.setUint32(end + 4, bytes.length)
    joined.set(bytes, end + U64_BYTES)
    end += U64_BYTES + bytes.length
  }
  return joined
}

const U64_BYTES = 8

/** The bytes of all parts, one after the other. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let end = 0
  for (const part of parts) {
    joined.set(part, end)
    end += part.length
  }
  return joined
}

/** Compares two byte strings without telling by time where they differ. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

/** The same memory as numbers. In a short run that costs less than Buffer's methods, which Node compiles at first use. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** The same memory with Buffer's methods. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
