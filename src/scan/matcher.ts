/** Finds which of many byte patterns occur in a text, in one pass (Wu-Manber over blocks of four bytes). */

/** The shortest pattern there can be; the search steps over up to this many bytes less three at a time. */
export const MIN_PATTERN_BYTES = 8

const BLOCK = 4
const MAX_SHIFT = MIN_PATTERN_BYTES - BLOCK + 1
const TABLE_BITS = 18
/** Of a long pattern, so many windows are tried for the one with the least company. */
const WINDOWS_TRIED = 48
/** After the last pattern of a list. */
const NONE = -1

/** A set of patterns, ready to be searched for. */
export interface Matcher {
  /**
   * Calls `found` with the number of each pattern that occurs, and where, in order of the end of its
   * window; patterns that overlap are all reported. Return false from `found` to stop.
   */
  search(text: Uint8Array, found: (pattern: number, at: number) => boolean): void
}

/**
 * Prepares a search for all patterns at once. Each pattern is looked for by one window of eight of its
 * bytes; the window is chosen so that patterns which begin alike (`postgres://…`) do not all have to be
 * compared wherever their common part occurs, which is what made the textbook form slow on real stores.
 *
 * @param patterns - bytes as latin1, one character each: a thousand values have more than ten thousand forms,
 * and as many buffers would cost more than the search. Each at least {@link MIN_PATTERN_BYTES} long.
 * @throws RangeError if one is shorter: it would be missed silently.
 */
export function compileMatcher(patterns: readonly string[]): Matcher {
  if (patterns.some(pattern => pattern.length < MIN_PATTERN_BYTES)) throw new RangeError("pattern too short")
  const shifts = new Uint8Array(1 << TABLE_BITS).fill(MAX_SHIFT)
  const windows = new Uint8Array(patterns.length)
  // Patterns whose windows end with the same block are a list: its first, after each the next one, and how many
  // there are from each on.
  const heads = new Map<number, number>()
  const next = new Int32Array(patterns.length)
  const counts = new Int32Array(patterns.length)

  /** Tries windows until one ends with a block that no other one ends with. */
  function quietestWindow(pattern: string): number {
    let best = 0
    let least = Number.POSITIVE_INFINITY
    const last = Math.min(pattern.length - MIN_PATTERN_BYTES, WINDOWS_TRIED)
    for (let window = 0; window <= last && least > 0; window++) {
      const tail = window + MIN_PATTERN_BYTES - BLOCK
      const hash = hashPattern(pattern, tail)
      const others = shifts[hash] === 0 ? counts[heads.get(hash)!]! : 0
      const company = others + (isDull(pattern, tail) ? 8 : 0)
      if (company >= least) continue
      least = company
      best = window
    }
    return best
  }

  patterns.forEach((pattern, number) => {
    const window = quietestWindow(pattern)
    windows[number] = window
    for (let at = 0; at <= MIN_PATTERN_BYTES - BLOCK; at++) {
      const hash = hashPattern(pattern, window + at)
      shifts[hash] = Math.min(shifts[hash]!, MIN_PATTERN_BYTES - BLOCK - at)
    }
    const last = hashPattern(pattern, window + MIN_PATTERN_BYTES - BLOCK)
    const head = heads.get(last)
    next[number] = head ?? NONE
    counts[number] = 1 + (head === undefined ? 0 : counts[head]!)
    heads.set(last, number)
  })

  function search(text: Uint8Array, found: (pattern: number, at: number) => boolean): void {
    const end = text.length - BLOCK
    let at = MIN_PATTERN_BYTES - BLOCK
    while (at <= end) {
      const hash = hashText(text, at)
      const shift = shifts[hash]!
      if (shift > 0) {
        at += shift
        continue
      }
      for (let number = heads.get(hash)!; number !== NONE; number = next[number]!) {
        const start = at - (MIN_PATTERN_BYTES - BLOCK) - windows[number]!
        if (occursAt(text, start, patterns[number]!) && !found(number, start)) return
      }
      at++
    }
  }
  return { search }
}

/** Equal bytes (spaces, zeros, dashes) are what long runs in ordinary files consist of. */
function isDull(pattern: string, at: number): boolean {
  const first = pattern[at]
  return pattern[at + 1] === first && pattern[at + 2] === first && pattern[at + 3] === first
}

function hashPattern(bytes: string, at: number): number {
  return hashBlock(
    bytes.charCodeAt(at),
    bytes.charCodeAt(at + 1),
    bytes.charCodeAt(at + 2),
    bytes.charCodeAt(at + 3),
  )
}

function hashText(bytes: Uint8Array, at: number): number {
  return hashBlock(bytes[at]!, bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!)
}

function hashBlock(a: number, b: number, c: number, d: number): number {
  // Multiplied by 2^32 / golden ratio: the upper bits then depend on all of the block.
  return Math.imul(a | (b << 8) | (c << 16) | (d << 24), 0x9e3779b1) >>> (32 - TABLE_BITS)
}

function occursAt(text: Uint8Array, start: number, pattern: string): boolean {
  if (start < 0 || start + pattern.length > text.length) return false
  for (let at = 0; at < pattern.length; at++) if (text[start + at] !== pattern.charCodeAt(at)) return false
  return true
}
