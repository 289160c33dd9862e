/**
 * What this machine remembers of a clone's stores outside the repository: pin, newest key records, and
 * which records it has verified. One private file per clone, so that a repository cannot speak for itself.
 *
 * @see DESIGN §2.1
 */
import { realpathSync } from "node:fs"
import { dirname, isAbsolute, join } from "node:path"
import { sha256Of } from "../encoding/sha256.js"
import { equalBytes } from "../encoding.js"
import { CofferError, hasCode } from "../errors.js"
import { ioError, makePrivateFolder, readPlainFile, writePrivateFile } from "./files.js"
import {
  isComplete,
  parseState,
  printState,
  type StateFile,
  type StateRecord,
  type StoreState,
  withoutStore,
} from "./local-state-file.js"
import { withShortLock } from "./short-lock.js"

export type { StateRecord } from "./local-state-file.js"

/** Where the state of one clone lies. */
export interface StateLocation {
  readonly path: string
  /** Real path of the common git folder (all work trees of a clone share their state), else of the store. */
  readonly place: string
}

/** One store of a clone: its id and its folder relative to the work tree. */
export interface StoreKey {
  readonly id: string
  readonly folder: string
}

/** What is remembered of one store; all empty where nothing is. */
export interface LocalState {
  /** As printed: `coffer1-…`. */
  readonly pin: string | undefined
  /** Folders that it is known in, relative to the work tree. */
  readonly folders: ReadonlySet<string>
  /** SHA-256 (hex) of the newest record, per group. */
  readonly newest: ReadonlyMap<string, readonly string[]>
  /** SHA-256 of records whose signature was checked on this machine. */
  readonly verified: ReadonlySet<string>
  /** Text of the newest records and all their ancestors, by SHA-256: read only when a tree lacks them. */
  readonly records: ReadonlyMap<string, Uint8Array>
}

export interface StateChange {
  /** null forgets it. */
  readonly pin?: string | null
  /** Current records as verified now; taken only where they descend from what is remembered. */
  readonly newest?: ReadonlyMap<string, readonly string[]>
  /** The records of `newest` and all their ancestors. */
  readonly records?: Iterable<StateRecord>
  readonly verified?: Iterable<string>
  /** `trust accept`: `newest` replaces what is remembered, whether or not it descends from it. */
  readonly accept?: boolean
  /** Nothing of the branch is out of order: a further folder that the store lies in may be noted. Default: false. */
  readonly settled?: boolean
}

const MAX_BYTES = 256 * 1024 * 1024
/** A read does not wait for another process's rewrite; what it learnt is learnt again next time. */
export const READ_PATIENCE_MS = 100
/** A pin is not dropped because two processes started together; longer than a lock takes to be stale. */
export const WRITE_PATIENCE_MS = 6_000

/**
 * The state file of a clone.
 *
 * @param request.stateHome - `XDG_STATE_HOME`; only an absolute path counts, as the XDG specification says.
 * @param request.home - the user's home folder.
 * @param request.place - common git folder, or without git the store's folder.
 */
export function locateState(request: {
  stateHome: string | undefined
  home: string
  place: string
}): StateLocation {
  const { stateHome, home } = request
  const base = stateHome !== undefined && isAbsolute(stateHome) ? stateHome : join(home, ".local", "state")
  const place = realPath(request.place)
  const name = sha256Of(place).toString("hex").slice(0, 32)
  return { path: join(base, "coffer", `${name}.jsonl`), place }
}

/**
 * What is remembered of a store.
 *
 * @throws CofferError `STORE_CHANGED` if another store was known under this folder; `DAMAGED`,
 * `NEWER_FORMAT` for a state file that cannot be read: it is never taken as empty, since that would be a
 * way to make this machine forget.
 */
export function readLocalState(location: StateLocation, key: StoreKey): LocalState {
  const file = loadFor(location, key)
  const store = file.stores.get(key.id)
  return {
    pin: store?.pin,
    folders: foldersOf(file, key.id),
    newest: store?.newest ?? new Map(),
    verified: store?.verified ?? new Set(),
    get records() {
      return new Map([...file.records(key.id).values()].map(({ sha256, bytes }) => [sha256, bytes]))
    },
  }
}

function foldersOf({ folders }: StateFile, store: string): ReadonlySet<string> {
  return new Set([...folders].flatMap(([folder, id]) => (id === store ? [folder] : [])))
}

/** The id of the store that is known under a folder. @throws CofferError `DAMAGED`, `NEWER_FORMAT` */
export function knownStore(location: StateLocation, folder: string): string | undefined {
  return load(location).folders.get(folder)
}

/**
 * Adds to what is remembered: read, merge and write under a lock, so that processes that run at once lose
 * nothing of each other. Writes nothing if nothing is new.
 *
 * @throws CofferError `STORE_CHANGED`, `DAMAGED`, `NEWER_FORMAT`, `STORE_LOCKED`, `IO_FAILED`; after the
 * last two a reader goes on, since it has verified all it shows.
 */
export function updateLocalState(
  location: StateLocation,
  key: StoreKey,
  change: StateChange,
  patienceMs: number,
): void {
  makePrivateFolder(dirname(location.path))
  withShortLock(`${location.path}.lock`, patienceMs, lock => {
    const file = loadFor(location, key)
    const text = printState(merge(file, key, change))
    if (equalBytes(text, printState(file))) return
    lock.confirm()
    writePrivateFile(location.path, text)
  })
}

/**
 * Forgets the store known under a folder, whatever its id (`trust reset`). A file that cannot be read is
 * removed as a whole: that is the way out its error names.
 *
 * @throws CofferError `STORE_LOCKED`, `IO_FAILED`
 */
export function forgetStore(location: StateLocation, key: StoreKey): void {
  makePrivateFolder(dirname(location.path))
  withShortLock(`${location.path}.lock`, WRITE_PATIENCE_MS, lock => {
    let file = empty(location)
    try {
      file = load(location)
    } catch (error) {
      if (!hasCode(error, "DAMAGED", "NEWER_FORMAT")) throw error
    }
    lock.confirm()
    writePrivateFile(location.path, printState(withoutStore(file, key)))
  })
}

function load(location: StateLocation): StateFile {
  const bytes = readPlainFile(location.path, MAX_BYTES)
  return bytes === undefined ? empty(location) : parseState(bytes, location)
}

/** The state that `key` may use. @throws CofferError `STORE_CHANGED` where its folder is known for another store */
function loadFor(location: StateLocation, key: StoreKey): StateFile {
  const file = load(location)
  const known = file.folders.get(key.folder)
  if (known !== undefined && known !== key.id) throw storeChanged(key)
  return file
}

function empty({ place }: StateLocation): StateFile {
  return { place, folders: new Map(), stores: new Map(), records: () => new Map() }
}

/** Whether a change says anything new: on most calls nothing is to be written. */
export function adds(known: LocalState, { folder }: StoreKey, change: StateChange): boolean {
  if (!known.folders.has(folder) && notesFolder(known.folders.size, change)) return true
  if (change.pin !== undefined && (change.pin ?? undefined) !== known.pin) return true
  for (const sha256 of change.verified ?? []) if (!known.verified.has(sha256)) return true
  for (const [group, tips] of change.newest ?? []) {
    if (String(known.newest.get(group)) !== String(tips)) return true
  }
  // What is accepted may have no newest record, as a diverged keyring: then one is to be forgotten.
  return change.accept === true && [...known.newest.keys()].some(group => change.newest?.has(group) !== true)
}

/**
 * Whether a change notes the folder that it comes from. What was seen of the store in another one has to be
 * there first: a copy that was left behind could otherwise take the store's place.
 */
function notesFolder(known: number, { accept = false, settled = false }: StateChange): boolean {
  return known === 0 || accept || settled
}

function merge(file: StateFile, key: StoreKey, change: StateChange): StateFile {
  const before = file.stores.get(key.id)
  const known = new Map(file.records(key.id))
  for (const record of change.records ?? []) known.set(record.sha256, record)
  const newest = new Map(change.accept === true ? [] : before?.newest)
  for (const [group, tips] of change.newest ?? []) {
    const tip = findSuccessor(newest.get(group) ?? [], tips, known)
    if (tip !== undefined) newest.set(group, [tip])
  }
  const state: StoreState = {
    pin: change.pin === undefined ? before?.pin : (change.pin ?? undefined),
    newest,
    verified: new Set([...(before?.verified ?? []), ...(change.verified ?? [])]),
  }
  const kept = closure([...newest.values()].flat(), known)
  const folders = foldersOf(file, key.id)
  const noted = notesFolder(folders.size, change) ? [...folders, key.folder] : [...folders]
  return {
    place: file.place,
    folders: new Map([...file.folders, ...noted.map(folder => [folder, key.id] as const)]),
    stores: new Map(file.stores).set(key.id, state),
    records: id => (id === key.id ? kept : file.records(id)),
  }
}

/**
 * The one tip to remember from now on. It has to descend from all that is remembered, so that the state
 * never moves back or sideways, whichever of two processes writes last; of a diverged keyring (several
 * tips) none is newest.
 */
function findSuccessor(
  remembered: readonly string[],
  tips: readonly string[],
  known: ReadonlyMap<string, StateRecord>,
): string | undefined {
  const [tip, ...others] = tips
  if (tip === undefined || others.length > 0) return undefined
  const ancestors = closure([tip], known)
  if (!isComplete([tip], ancestors)) throw new TypeError("a record to remember comes without its ancestors")
  return remembered.every(sha256 => ancestors.has(sha256)) ? tip : undefined
}

/** The records and all their ancestors, as far as they are known. */
function closure(
  tips: readonly string[],
  known: ReadonlyMap<string, StateRecord>,
): ReadonlyMap<string, StateRecord> {
  const found = new Map<string, StateRecord>()
  const queue = [...tips]
  for (let sha256 = queue.pop(); sha256 !== undefined; sha256 = queue.pop()) {
    const record = known.get(sha256)
    if (record === undefined || found.has(sha256)) continue
    found.set(sha256, record)
    queue.push(...record.parents)
  }
  return found
}

function realPath(path: string): string {
  try {
    return realpathSync.native(path)
  } catch (error) {
    throw ioError("resolve", path, error)
  }
}

function storeChanged(key: StoreKey): CofferError {
  return new CofferError("STORE_CHANGED", `"${key.folder}" is another store than the one known here`, {
    hint: "if it was replaced on purpose: coffer trust reset, then compare the pin with a colleague's",
  })
}
