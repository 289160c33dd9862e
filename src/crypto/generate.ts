/** Random values for people: characters of an alphabet, or pronounceable words. */
import { randomBytes } from "./random.js"

/** Letters and digits: survives shells, URLs, YAML and double clicks. 5.95 bits a character. */
export const DEFAULT_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/**
 * Draws `length` characters uniformly from `alphabet`.
 *
 * @param alphabet - 2 to 256 different characters.
 */
export function generateText(length: number, alphabet: readonly string[]): string {
  let text = ""
  for (let i = 0; i < length; i++) text += alphabet[uniform(alphabet.length)]
  return text
}

/**
 * Draws words of two syllables and a consonant, such as `lusab-babad`: 16 bits each and nothing to
 * look up.
 *
 * @see https://arxiv.org/html/0901.4016 (proquints)
 */
export function generateWords(count: number): string {
  return Array.from({ length: count }, () => {
    const [high = 0, low = 0] = randomBytes(2)
    const bits = (high << 8) | low
    return [
      CONSONANTS[bits >> 12],
      VOWELS[(bits >> 10) & 3],
      CONSONANTS[(bits >> 6) & 15],
      VOWELS[(bits >> 4) & 3],
      CONSONANTS[bits & 15],
    ].join("")
  }).join("-")
}

const CONSONANTS = "bdfghjklmnprstvz"
const VOWELS = "aiou"

/** Draws below `limit` without bias: bytes above the largest multiple of it are drawn again. */
function uniform(limit: number): number {
  const ceiling = 256 - (256 % limit)
  for (;;) {
    const byte = randomBytes(1)[0]!
    if (byte < ceiling) return byte % limit
  }
}
