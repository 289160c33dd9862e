/** The text of a local state file: a first line that every call reads, then one line per kept key record. */
import { sha256Of } from "../encoding/sha256.js"
import { decodeUtf8, encodeUtf8, isHex256 } from "../encoding.js"
import { CofferError } from "../errors.js"
import { isStoreId } from "../format/store-file.js"

/** A key record kept as text, so that a tree that lacks it can still be judged against it. */
export interface StateRecord {
  readonly group: string
  /** Of `bytes`, hex. */
  readonly sha256: string
  /** SHA-256 of the parents' files. */
  readonly parents: readonly string[]
  readonly bytes: Uint8Array
}

export interface StoreState {
  readonly pin: string | undefined
  readonly newest: ReadonlyMap<string, readonly string[]>
  readonly verified: ReadonlySet<string>
}

/** The state of all stores of one clone. */
export interface StateFile {
  readonly place: string
  /** Store id by folder: another id under a known folder is another store in its place. */
  readonly folders: ReadonlyMap<string, string>
  readonly stores: ReadonlyMap<string, StoreState>
  /** Kept records of a store, by SHA-256. Parsed when asked for: `get` hardly ever needs them. */
  records(store: string): ReadonlyMap<string, StateRecord>
}

const FORMAT = "state/1"
const NEWLINE = 0x0a

/**
 * Parses a state file. All of it is checked before any is used.
 *
 * @throws CofferError `DAMAGED`, `NEWER_FORMAT`
 */
export function parseState(bytes: Uint8Array, location: { path: string; place: string }): StateFile {
  const damaged = (why: string) => damagedState(location.path, why)
  const end = bytes.indexOf(NEWLINE)
  if (end === -1) throw damaged("its first line is cut off")
  const head = asObject(parseJson(bytes.subarray(0, end)))
  if (head === undefined) throw damaged("its first line is not what coffer writes")
  if (head.coffer !== FORMAT) throw unknownFormat(head.coffer, location.path)
  if (head.place !== location.place) throw damaged("it belongs to another folder")
  const folders = readMap(head.folders, value => (isId(value) ? value : undefined))
  const stores = readMap(head.stores, readStore)
  if (folders === undefined || stores === undefined) throw damaged("its first line is incomplete")
  let lines: ReadonlyMap<string, ReadonlyMap<string, StateRecord>> | undefined
  return {
    place: location.place,
    folders,
    stores,
    records(store) {
      lines ??= parseRecords(bytes.subarray(end + 1), damaged)
      const found = lines.get(store) ?? new Map<string, StateRecord>()
      const newest = [...(stores.get(store)?.newest.values() ?? [])].flat()
      if (!isComplete(newest, found)) throw damaged("it lacks a key record that it names")
      return found
    },
  }
}

/** Prints a state file. */
export function printState(file: StateFile): Uint8Array {
  const stores = [...file.stores].map(([id, { pin, newest, verified }]) => [
    id,
    { pin, newest: Object.fromEntries(newest), verified: [...verified] },
  ])
  const head = {
    coffer: FORMAT,
    place: file.place,
    folders: Object.fromEntries(file.folders),
    stores: Object.fromEntries(stores),
  }
  const records = [...file.stores.keys()].flatMap(store =>
    [...file.records(store).values()].map(({ group, sha256, parents, bytes }) => ({
      store,
      group,
      sha256,
      parents,
      text: decodeUtf8(bytes),
    })),
  )
  return encodeUtf8([head, ...records].map(line => `${JSON.stringify(line)}\n`).join(""))
}

/** Whether the records hold `tips` and everything they descend from. */
export function isComplete(tips: readonly string[], records: ReadonlyMap<string, StateRecord>): boolean {
  const holdsParents = (record: StateRecord) => record.parents.every(parent => records.has(parent))
  return tips.every(tip => records.has(tip)) && [...records.values()].every(holdsParents)
}

/** The file without the store known under a folder, and without the one that lies there now. */
export function withoutStore(file: StateFile, key: { id: string; folder: string }): StateFile {
  const known = file.folders.get(key.folder)
  const keeps = (id: string) => id !== key.id && id !== known
  return {
    place: file.place,
    folders: new Map([...file.folders].filter(([, id]) => keeps(id))),
    stores: new Map([...file.stores].filter(([id]) => keeps(id))),
    records: file.records,
  }
}

function parseRecords(
  bytes: Uint8Array,
  damaged: (why: string) => CofferError,
): ReadonlyMap<string, Map<string, StateRecord>> {
  const stores = new Map<string, Map<string, StateRecord>>()
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(NEWLINE, start)
    const parsed = end === -1 ? undefined : readRecord(parseJson(bytes.subarray(start, end)))
    if (parsed === undefined) throw damaged("a key record in it is cut off or changed")
    const records = stores.get(parsed.store) ?? new Map<string, StateRecord>()
    stores.set(parsed.store, records.set(parsed.record.sha256, parsed.record))
    start = end + 1
  }
  return stores
}

function readRecord(value: unknown): { store: string; record: StateRecord } | undefined {
  const fields = asObject(value)
  const parents = readHashes(fields?.parents)
  if (typeof fields?.text !== "string" || parents === undefined) return undefined
  if (!isId(fields.store) || typeof fields.group !== "string" || !isHash(fields.sha256)) return undefined
  if (!fields.text.isWellFormed()) return undefined
  const bytes = encodeUtf8(fields.text)
  if (sha256Of(bytes).toString("hex") !== fields.sha256) return undefined
  return { store: fields.store, record: { group: fields.group, sha256: fields.sha256, parents, bytes } }
}

function readStore(value: unknown): StoreState | undefined {
  const fields = asObject(value)
  if (fields === undefined) return undefined
  const newest = readMap(fields.newest, readHashes)
  const verified = readHashes(fields.verified)
  const { pin } = fields
  if (newest === undefined || verified === undefined) return undefined
  if (pin !== undefined && typeof pin !== "string") return undefined
  return { pin, newest, verified: new Set(verified) }
}

function readMap<T>(value: unknown, read: (value: unknown) => T | undefined): Map<string, T> | undefined {
  const fields = asObject(value)
  if (fields === undefined) return undefined
  const map = new Map<string, T>()
  for (const [key, field] of Object.entries(fields)) {
    const parsed = read(field)
    if (parsed === undefined) return undefined
    map.set(key, parsed)
  }
  return map
}

function readHashes(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every(isHash) ? value : undefined
}

function parseJson(bytes: Uint8Array): unknown {
  const text = decodeUtf8(bytes)
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined
  return value as Record<string, unknown>
}

function isHash(value: unknown): value is string {
  return typeof value === "string" && isHex256(value)
}

function isId(value: unknown): value is string {
  return typeof value === "string" && isStoreId(value)
}

function unknownFormat(format: unknown, path: string): CofferError {
  if (typeof format === "string" && /^state\/[1-9][0-9]*$/.test(format)) {
    return new CofferError("NEWER_FORMAT", `"${path}" was written by a newer coffer (${format})`, {
      hint: "upgrade coffer; or coffer trust reset, then pin again",
    })
  }
  return damagedState(path, "it does not say which format it has")
}

function damagedState(path: string, why: string): CofferError {
  return new CofferError("DAMAGED", `the local state file "${path}" is damaged: ${why}`, {
    hint: "coffer trust reset forgets it; then pin again, comparing with a colleague's pin",
  })
}
