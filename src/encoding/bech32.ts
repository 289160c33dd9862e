/** Bech32 of BIP 173, without its limit of 90 characters: the spelling of age's keys and of cards. */
import { toFiveBits } from "../encoding.js"

const ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
const GENERATOR = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3]
const CHECKSUM_CHARACTERS = 6

/**
 * Encodes bytes in lower case.
 *
 * @param hrp - the lower-case part before the separator `1`, such as `age`.
 */
export function encodeBech32(hrp: string, bytes: Uint8Array): string {
  const words = toFiveBits(bytes)
  const check = polymod([...expand(hrp), ...words, 0, 0, 0, 0, 0, 0]) ^ 1
  for (let i = 0; i < CHECKSUM_CHARACTERS; i++) words.push((check >>> (5 * (5 - i))) & 31)
  return `${hrp}1${words.map(word => ALPHABET[word]).join("")}`
}

/** Decodes text that is all lower or all upper case, or returns undefined; `hrp` comes in lower case. */
export function decodeBech32(text: string): { hrp: string; bytes: Uint8Array } | undefined {
  const lower = text.toLowerCase()
  if (text !== lower && text !== text.toUpperCase()) return undefined
  const separator = lower.lastIndexOf("1")
  const hrp = lower.slice(0, separator)
  if (separator < 1 || !/^[!-~]+$/.test(hrp)) return undefined
  const words: number[] = []
  for (const character of lower.slice(separator + 1)) {
    const word = ALPHABET.indexOf(character)
    if (word < 0) return undefined
    words.push(word)
  }
  if (words.length < CHECKSUM_CHARACTERS || polymod([...expand(hrp), ...words]) !== 1) return undefined
  const bytes = fromFiveBits(words.slice(0, -CHECKSUM_CHARACTERS))
  return bytes === undefined ? undefined : { hrp, bytes }
}

function polymod(words: readonly number[]): number {
  let check = 1
  for (const word of words) {
    const top = check >>> 25
    check = ((check & 0x1ffffff) << 5) ^ word
    for (let i = 0; i < GENERATOR.length; i++) {
      if ((top >>> i) & 1) check ^= GENERATOR[i]!
    }
  }
  return check >>> 0
}

function expand(hrp: string): number[] {
  const codes = [...hrp].map(character => character.charCodeAt(0))
  return [...codes.map(code => code >>> 5), 0, ...codes.map(code => code & 31)]
}

/** Five bits to eight; padding must be shorter than a word and zero, so that each text has one meaning. */
function fromFiveBits(words: readonly number[]): Uint8Array | undefined {
  const bytes: number[] = []
  let buffer = 0
  let bits = 0
  for (const word of words) {
    buffer = (buffer << 5) | word
    bits += 5
    if (bits >= 8) {
      bits -= 8
      bytes.push(buffer >>> bits)
    }
    buffer &= (1 << bits) - 1
  }
  return bits >= 5 || buffer !== 0 ? undefined : Uint8Array.from(bytes)
}
