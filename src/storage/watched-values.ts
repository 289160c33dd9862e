/**
 * The values that hooks look for, kept from one commit to the next in `<common git dir>/coffer/watched-<store id>`:
 * opening a thousand secrets each time would cost a second. The file is sealed for the identities of this machine
 * and holds nothing that they do not open from git's objects beside it; hooks work the same without it.
 */
import { existsSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { deriveLocalKey, openLocally, sealLocally } from "../crypto/local.js"
import { decodeBase64, decodeUtf8, encodeBase64, encodeUtf8 } from "../encoding.js"
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
  const sealed = ignoring(() => readPlainFile(pathOf(place), MAX_BYTES, { follow: false }))
  const bytes = sealed && openLocally(keyOf(place), purposeOf(place), sealed)
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
  const sealed = sealLocally(keyOf(place), purposeOf(place), encodeUtf8(JSON.stringify(entries)))
  if (sealed.length <= MAX_BYTES) ignoring(() => writePrivateFile(pathOf(place), sealed))
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

function pathOf({ commonDir, store }: WatchedPlace): string {
  return join(commonDir, "coffer", `${PREFIX}${store}`)
}

function keyOf({ identities }: WatchedPlace): Uint8Array {
  return deriveLocalKey(identities.map(identity => identity.localSecret))
}

function purposeOf({ store }: WatchedPlace): string {
  return `watched values/1 of ${store}`
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
