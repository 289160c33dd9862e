/** Finds the store's own values in other content: the check with next to no false alarms. */
import { encodingsOf } from "./encodings.js"
import { compileMatcher, MIN_PATTERN_BYTES } from "./matcher.js"

/** A value to look for, and the name that is reported in its place. */
export interface OwnValue {
  name: string
  value: Uint8Array
}

/** The values of a store, ready to be looked for. */
export interface OwnValues {
  /** How many values are looked for. */
  readonly watched: number
  /** Names of values too short or too plain to be told from ordinary text; sorted. */
  readonly notWatched: readonly string[]
  /** Names of the values that occur in `content` in any of their encodings; sorted. */
  find(content: Uint8Array): string[]
  /**
   * Tables for `openFilter`, which tell contents with none of the values, without the values.
   *
   * @see FILTER_VERSION
   */
  filter(): Uint8Array
}

/** To be raised when the forms that are looked for change, or how tables are made: kept ones would miss some. */
export const FILTER_VERSION = 1

/** Of a longer value only its beginning is looked for: memory stays bounded, and 4 KiB that agree are no accident. */
const MAX_WATCHED_BYTES = 4096
const MIN_DISTINCT_BYTES = 5
/** Up to here letters alone are taken for a word: `production`, `localhost`, `POSTGRES`. */
const MAX_WORD_BYTES = 12

/** Prepares the search for all values. White space around a value does not count: files gain and lose it. */
export function compileOwnValues(values: Iterable<OwnValue>): OwnValues {
  const notWatched: string[] = []
  const patterns: string[] = []
  const owners: string[] = []
  let watched = 0
  for (const { name, value } of values) {
    const core = watchedPart(value)
    if (!canWatch(core)) {
      notWatched.push(name)
      continue
    }
    watched++
    for (const form of encodingsOf(core)) {
      patterns.push(form)
      owners.push(name)
    }
  }
  const matcher = compileMatcher(patterns)

  function find(content: Uint8Array): string[] {
    const names = new Set<string>()
    matcher.search(content, pattern => {
      names.add(owners[pattern]!)
      return true
    })
    return [...names].sort()
  }
  return { watched, notWatched: notWatched.sort(), find, filter: matcher.filter }
}

/** The part of a value that is looked for; of that part it is all. */
export function watchedPart(value: Uint8Array): Uint8Array {
  return trim(beginning(trim(value)))
}

/**
 * Whether a value can be told from ordinary text. A check that cries over every `production` and
 * `00000000` is switched off within a day; what is left out is named instead.
 */
function canWatch(value: Uint8Array): boolean {
  if (value.length < MIN_PATTERN_BYTES) return false
  if (!hasDistinct(value, MIN_DISTINCT_BYTES)) return false
  const text = Buffer.from(value.subarray(0, MAX_WORD_BYTES + 1)).toString("latin1")
  return value.length > MAX_WORD_BYTES || !/^(?:[A-Za-z]?[a-z]+|[A-Z]+)$/.test(text)
}

/** Whether `value` has so many different bytes: nearly always seen in its first few. */
function hasDistinct(value: Uint8Array, wanted: number): boolean {
  const seen: number[] = []
  for (const byte of value) {
    if (seen.includes(byte)) continue
    seen.push(byte)
    if (seen.length === wanted) return true
  }
  return false
}

/** The first bytes of a long value, not ending within a character: half of one has no text forms. */
function beginning(value: Uint8Array): Uint8Array {
  if (value.length <= MAX_WATCHED_BYTES) return value
  let end = MAX_WATCHED_BYTES
  while (end > MAX_WATCHED_BYTES - 4 && (value[end]! & 0xc0) === 0x80) end--
  return value.subarray(0, end)
}

function trim(value: Uint8Array): Uint8Array {
  const isSpace = (byte: number | undefined) =>
    byte === 0x20 || (byte !== undefined && byte >= 9 && byte <= 13)
  let start = 0
  let end = value.length
  while (start < end && isSpace(value[start])) start++
  while (end > start && isSpace(value[end - 1])) end--
  return value.subarray(start, end)
}
