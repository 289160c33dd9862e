/** Finds which of many byte patterns occur in a text, in one pass (Wu-Manber over blocks of four bytes). */

/** The shortest pattern there can be; the search steps over up to this many bytes less three at a time. */
export const MIN_PATTERN_BYTES = 8

const BLOCK = 4
const MAX_SHIFT = MIN_PATTERN_BYTES - BLOCK + 1
const TABLE_BITS = 18
/** Of a long pattern, so many windows are tried for the one with the least company. */
const WINDOWS_TRIED = 48

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
 * @param patterns - each at least {@link MIN_PATTERN_BYTES} long.
 * @throws RangeError if one is shorter: it would be missed silently.
 */
export function compileMatcher(patterns: readonly Uint8Array[]): Matcher {
  if (patterns.some(pattern => pattern.length < MIN_PATTERN_BYTES)) throw new RangeError("pattern too short")
  const shifts = new Uint8Array(1 << TABLE_BITS).fill(MAX_SHIFT)
  const buckets = new Map<number, { pattern: number; window: number }[]>()

  patterns.forEach((pattern, number) => {
    const window = quietestWindow(pattern, buckets)
    for (let at = 0; at <= MIN_PATTERN_BYTES - BLOCK; at++) {
      const hash = hashBlock(pattern, window + at)
      shifts[hash] = Math.min(shifts[hash]!, MIN_PATTERN_BYTES - BLOCK - at)
    }
    const last = hashBlock(pattern, window + MIN_PATTERN_BYTES - BLOCK)
    buckets.set(last, [...(buckets.get(last) ?? []), { pattern: number, window }])
  })

  function search(text: Uint8Array, found: (pattern: number, at: number) => boolean): void {
    const end = text.length - BLOCK
    let at = MIN_PATTERN_BYTES - BLOCK
    while (at <= end) {
      const hash = hashBlock(text, at)
      const shift = shifts[hash]!
      if (shift > 0) {
        at += shift
        continue
      }
      for (const { pattern, window } of buckets.get(hash) ?? []) {
        const start = at - (MIN_PATTERN_BYTES - BLOCK) - window
        if (occursAt(text, start, patterns[pattern]!) && !found(pattern, start)) return
      }
      at++
    }
  }
  return { search }
}

function quietestWindow(pattern: Uint8Array, buckets: ReadonlyMap<number, readonly unknown[]>): number {
  let best = 0
  let least = Number.POSITIVE_INFINITY
  const last = Math.min(pattern.length - MIN_PATTERN_BYTES, WINDOWS_TRIED)
  for (let window = 0; window <= last; window++) {
    const tail = window + MIN_PATTERN_BYTES - BLOCK
    // Equal bytes (spaces, zeros, dashes) are what long runs in ordinary files consist of.
    const dull = pattern.subarray(tail, tail + BLOCK).every(byte => byte === pattern[tail])
    const company = (buckets.get(hashBlock(pattern, tail))?.length ?? 0) + (dull ? 8 : 0)
    if (company < least) {
      least = company
      best = window
    }
    if (company === 0) break
  }
  return best
}

function hashBlock(bytes: Uint8Array, at: number): number {
  const block = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
  // Multiplied by 2^32 / golden ratio: the upper bits then depend on all of the block.
  return Math.imul(block, 0x9e3779b1) >>> (32 - TABLE_BITS)
}

function occursAt(text: Uint8Array, start: number, pattern: Uint8Array): boolean {
  if (start < 0 || start + pattern.length > text.length) return false
  for (let at = 0; at < pattern.length; at++) if (text[start + at] !== pattern[at]) return false
  return true
}
