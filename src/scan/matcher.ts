/** Finds which of many byte patterns occur in a text, in one pass (Wu-Manber over blocks of four bytes). */
import { concat } from "../encoding.js"

/** The shortest pattern there can be; the search steps over up to this many bytes less three at a time. */
export const MIN_PATTERN_BYTES = 8

const BLOCK = 4
const MAX_SHIFT = MIN_PATTERN_BYTES - BLOCK + 1
const TABLE_BITS = 18
/** Of a long pattern, so many windows are tried for the one with the least company. */
const WINDOWS_TRIED = 48
/** After the last pattern of a list. */
const NONE = -1
const SHIFTS_BYTES = 1 << TABLE_BITS
/** A slot of a filter that holds no window. */
const EMPTY = 0

/** A set of patterns, ready to be searched for. */
export interface Matcher {
  /**
   * Calls `found` with the number of each pattern that occurs, and where, in order of the end of its
   * window; patterns that overlap are all reported. Return false from `found` to stop.
   */
  search(text: Uint8Array, found: (pattern: number, at: number) => boolean): void
  /** What tells, without the patterns, texts that hold none of them: see {@link openFilter}. */
  filter(): Uint8Array
}

/** Whether one of many patterns may be in a text: always where one is, and else hardly ever. */
export type TextFilter = (text: Uint8Array) => boolean

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
  const shifts = new Uint8Array(SHIFTS_BYTES).fill(MAX_SHIFT)
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
      const hash = hashBlock(blockOf(pattern, tail))
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
      const hash = hashBlock(blockOf(pattern, window + at))
      shifts[hash] = Math.min(shifts[hash]!, MIN_PATTERN_BYTES - BLOCK - at)
    }
    const last = hashBlock(blockOf(pattern, window + MIN_PATTERN_BYTES - BLOCK))
    const head = heads.get(last)
    next[number] = head ?? NONE
    counts[number] = 1 + (head === undefined ? 0 : counts[head]!)
    heads.set(last, number)
  })

  return {
    search(text, found) {
      visitBlocks(shifts, text, (hash, at) => {
        for (let number = heads.get(hash)!; number !== NONE; number = next[number]!) {
          const start = at - (MIN_PATTERN_BYTES - BLOCK) - windows[number]!
          if (occursAt(text, start, patterns[number]!) && !found(number, start)) return false
        }
        return true
      })
    },
    filter() {
      // A power of two with room to spare: a search for a window that is not there ends at once.
      const keys = new Uint32Array(1 << (2 + Math.ceil(Math.log2(patterns.length + 1))))
      patterns.forEach((pattern, number) => {
        const tail = windows[number]! + MIN_PATTERN_BYTES - BLOCK
        const key = keyOf(blockOf(pattern, windows[number]!), blockOf(pattern, tail))
        keys[slotOf(keys, key)] = key
      })
      return concat([shifts, new Uint8Array(keys.buffer)])
    },
  }
}

/** The filter that a matcher gave, here or in another process of this machine. */
export function openFilter(tables: Uint8Array): TextFilter {
  const shifts = tables.subarray(0, SHIFTS_BYTES)
  const keys = new Uint32Array(new Uint8Array(tables.subarray(SHIFTS_BYTES)).buffer)
  return text => {
    let holds = false
    visitBlocks(shifts, text, (_, at) => {
      const key = keyOf(blockIn(text, at - (MIN_PATTERN_BYTES - BLOCK)), blockIn(text, at))
      holds = keys[slotOf(keys, key)] === key
      return !holds
    })
    return holds
  }
}

/** Visits every block that the window of a pattern may end with, until that returns false. */
function visitBlocks(
  shifts: Uint8Array,
  text: Uint8Array,
  visit: (hash: number, at: number) => boolean,
): void {
  const end = text.length - BLOCK
  let at = MIN_PATTERN_BYTES - BLOCK
  while (at <= end) {
    const hash = hashBlock(blockIn(text, at))
    const shift = shifts[hash]!
    if (shift === 0 && !visit(hash, at)) return
    at += shift === 0 ? 1 : shift
  }
}

/** Where a window's key is, or where it would be. */
function slotOf(keys: Uint32Array, key: number): number {
  let slot = key & (keys.length - 1)
  while (keys[slot] !== EMPTY && keys[slot] !== key) slot = (slot + 1) & (keys.length - 1)
  return slot
}

/** A window's two blocks as one number of 32 bits, not {@link EMPTY}. */
function keyOf(first: number, second: number): number {
  const mixed = Math.imul(first, 0x85ebca6b) ^ Math.imul(second, 0x9e3779b1)
  return (mixed ^ (mixed >>> 15)) >>> 0 || 1
}

/** Equal bytes (spaces, zeros, dashes) are what long runs in ordinary files consist of. */
function isDull(pattern: string, at: number): boolean {
  const first = pattern[at]
  return pattern[at + 1] === first && pattern[at + 2] === first && pattern[at + 3] === first
}

function blockOf(pattern: string, at: number): number {
  return (
    pattern.charCodeAt(at) |
    (pattern.charCodeAt(at + 1) << 8) |
    (pattern.charCodeAt(at + 2) << 16) |
    (pattern.charCodeAt(at + 3) << 24)
  )
}

function blockIn(text: Uint8Array, at: number): number {
  return text[at]! | (text[at + 1]! << 8) | (text[at + 2]! << 16) | (text[at + 3]! << 24)
}

function hashBlock(block: number): number {
  // Multiplied by 2^32 / golden ratio: the upper bits then depend on all of the block.
  return Math.imul(block, 0x9e3779b1) >>> (32 - TABLE_BITS)
}

function occursAt(text: Uint8Array, start: number, pattern: string): boolean {
  if (start < 0 || start + pattern.length > text.length) return false
  for (let at = 0; at < pattern.length; at++) if (text[start + at] !== pattern.charCodeAt(at)) return false
  return true
}
