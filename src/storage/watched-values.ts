/**
 * What hooks look for, kept from one commit to the next in `<common git dir>/coffer/watched-<store id>`: opening a
 * thousand secrets each time would cost a second. Beside it `…-filter` tells contents that hold none of the values,
 * nearly all there are, without a look at them. Both files are sealed for the identities of this machine and hold
 * nothing that they do not open from git's objects beside them; hooks work the same without.
 */
import { existsSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { deriveLocalKey, openLocally, sealLocally } from "../crypto/local.js"
import { sha256Of } from "../encoding/sha256.js"
import { concat, decodeBase64, decodeUtf8, encodeBase64, encodeUtf8 } from "../encoding.js"
import { hasCode } from "../errors.js"
import { ioError, readPlainFile, writePrivateFile } from "./files.js"
import type { Oid } from "./git/git.js"
import type { Identity } from "./identity-lines.js"

/** What a secret file holds, as far as it is looked for; without a value: a tombstone. */
export interface WatchedValue {
  readonly name: string
  readonly value?: Uint8Array
}

/** By git's id of the secret file. */
export type WatchedValues = ReadonlyMap<Oid, WatchedValue>

export interface WatchedPlace {
  readonly commonDir: string
  /** The store's id. */
  readonly store: string
  readonly identities: readonly Identity[]
}

const PREFIX = "watched-"
const MAX_BYTES = 64 * 1024 * 1024

/** What was kept; nothing where there is no such file, or none for these identities. */
export function readWatched(place: WatchedPlace): WatchedValues {
  const bytes = readSealed(place, VALUES)
  if (bytes === undefined) return new Map()
  const entries = JSON.parse(decodeUtf8(bytes)!) as [Oid, string, string?][]
  return new Map(
    entries.map(([oid, name, value]) => [
      oid,
      value === undefined ? { name } : { name, value: decodeBase64(value)! },
    ]),
  )
}

/** Keeps these and no others. Where that is not possible the next hook only takes longer. */
export function writeWatched(place: WatchedPlace, values: WatchedValues): void {
  const entries = [...values].map(([oid, { name, value }]) =>
    value === undefined ? [oid, name] : [oid, name, encodeBase64(value)],
  )
  writeSealed(place, VALUES, encodeUtf8(JSON.stringify(entries)))
}

/** What tells contents without any of the values. */
export interface WatchedFilter {
  /** Names of the values that are too plain to be looked for. */
  readonly notWatched: readonly string[]
  readonly tables: Uint8Array
}

/** The filter that was kept for just these secret files and this way of looking. */
export function readFilter(place: WatchedPlace, of: FilterOf): WatchedFilter | undefined {
  const bytes = readSealed(place, FILTER)
  if (bytes === undefined) return undefined
  const end = bytes.indexOf(LINE_FEED)
  const [made, notWatched] = JSON.parse(decodeUtf8(bytes.subarray(0, end))!) as [string, string[]]
  return made === printOf(of) ? { notWatched, tables: bytes.subarray(end + 1) } : undefined
}

export function writeFilter(place: WatchedPlace, of: FilterOf, { notWatched, tables }: WatchedFilter): void {
  const head = `${JSON.stringify([printOf(of), notWatched])}\n`
  writeSealed(place, FILTER, concat([encodeUtf8(head), tables]))
}

/** What a filter is made of. */
export interface FilterOf {
  /** Of the way that values are looked for: `FILTER_VERSION`. */
  readonly version: number
  /** Git's ids of all secret files, in the order of their paths. */
  readonly oids: readonly Oid[]
}

function printOf({ version, oids }: FilterOf): string {
  return `${version} ${sha256Of(encodeUtf8(oids.join(" "))).toString("hex")}`
}

/** One of the kept files: what it is sealed as, and the end of its name. */
interface Part {
  readonly purpose: string
  readonly suffix: string
}

const VALUES: Part = { purpose: "watched values/1", suffix: "" }
const FILTER: Part = { purpose: "watched filter/1", suffix: "-filter" }
const LINE_FEED = 10

function readSealed(place: WatchedPlace, part: Part): Uint8Array | undefined {
  const sealed = ignoring(() => readPlainFile(pathOf(place, part), MAX_BYTES, { follow: false }))
  return sealed && openLocally(keyOf(place), purposeOf(place, part), sealed)
}

function writeSealed(place: WatchedPlace, part: Part, bytes: Uint8Array): void {
  const sealed = sealLocally(keyOf(place), purposeOf(place, part), bytes)
  if (sealed.length <= MAX_BYTES) ignoring(() => writePrivateFile(pathOf(place, part), sealed))
}

/** Removes what was kept for all stores of a repository. @throws CofferError `IO_FAILED` */
export function forgetWatched(commonDir: string): void {
  const folder = join(commonDir, "coffer")
  try {
    for (const name of existsSync(folder) ? readdirSync(folder) : [])
      if (name.startsWith(PREFIX)) rmSync(join(folder, name))
  } catch (error) {
    throw ioError("remove", folder, error)
  }
}

function pathOf({ commonDir, store }: WatchedPlace, { suffix }: Part): string {
  return join(commonDir, "coffer", `${PREFIX}${store}${suffix}`)
}

function keyOf({ identities }: WatchedPlace): Uint8Array {
  return deriveLocalKey(identities.map(identity => identity.localSecret))
}

function purposeOf({ store }: WatchedPlace, { purpose }: Part): string {
  return `${purpose} of ${store}`
}

/** A file that cannot be read or written is as good as none. */
function ignoring<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch (error) {
    if (hasCode(error, "IO_FAILED")) return undefined
    throw error
  }
}
