/** What this machine remembers of an open store: read once, kept up to date, written where that is possible. */
import { hasCode } from "../errors.js"
import { acceptedRecords, type GroupKeyring } from "../keyring/group.js"
import type { Keyring } from "../keyring/verify.js"
import type { Environment } from "../storage/environment.js"
import {
  adds,
  type LocalState,
  locateState,
  READ_PATIENCE_MS,
  readLocalState,
  type StateChange,
  type StateLocation,
  type StateRecord,
  type StoreKey,
  updateLocalState,
} from "../storage/local-state.js"
import type { Repository } from "../storage/repository.js"
import { homeFolder } from "../storage/user-config.js"

/** Local state of one open store. */
export interface Remembered {
  /** Undefined where the user has no home folder: nothing is remembered then. */
  readonly location: StateLocation | undefined
  readonly key: StoreKey
  /** @throws CofferError `STORE_CHANGED`, `DAMAGED`, `NEWER_FORMAT` */
  state(): LocalState
  /**
   * Adds to it. What cannot be written (read-only home, another process) holds for this process only: all
   * of it is verified again next time.
   */
  update(change: StateChange): void
}

const NOTHING: LocalState = {
  pin: undefined,
  folders: new Set(),
  newest: new Map(),
  verified: new Set(),
  records: new Map(),
}

/** Opens the local state of a store. Nothing is read yet. */
export function openRemembered(options: {
  env: Environment
  repository: Repository | undefined
  root: string
  key: StoreKey
  note: (line: string) => void
}): Remembered {
  const { env, repository, root, key, note } = options
  const location = rememberedAt(env, repository?.commonDir ?? root)
  let known: LocalState | undefined
  const state = () => {
    known ??= location === undefined ? NOTHING : readLocalState(location, key)
    return known
  }
  return {
    location,
    key,
    state,
    update(change) {
      // Also keeps a read from looking at the file twice.
      const before = state()
      if (!adds(before, key, change)) return
      try {
        if (location === undefined) throw noHome
        updateLocalState(location, key, change, READ_PATIENCE_MS)
        known = undefined
      } catch (error) {
        if (error !== noHome && !hasCode(error, "IO_FAILED", "STORE_LOCKED")) throw error
        // Only a pin is worth a word: all else is verified again at no loss.
        if (change.pin != null) note("warning: this machine cannot remember the pin; set COFFER_PIN to it")
        known = { ...before, pin: change.pin === undefined ? before.pin : (change.pin ?? undefined) }
      }
    },
  }
}

/**
 * Where the state of a clone lies; undefined for a user without a home folder.
 *
 * @param place - the common git folder, or without git the store's folder.
 */
export function rememberedAt(env: Environment, place: string): StateLocation | undefined {
  const home = homeFolder(env)
  return home === undefined ? undefined : locateState({ stateHome: env.XDG_STATE_HOME, home, place })
}

const noHome = new Error("no home folder")

/**
 * Remembers a keyring that was verified under a pin: its newest records with their ancestors, and whose
 * signatures need not be checked again. Of an unpinned one nothing is: its root may be anybody's.
 *
 * @param settled - whether the branch was judged, and nothing is out of order.
 */
export function rememberKeyring(
  store: { updateState(change: StateChange): void },
  keyring: Keyring,
  settled: boolean,
): void {
  if (!keyring.pinned) return
  store.updateState({ ...keyringChange(keyring), settled })
}

/**
 * The state change that a verified keyring amounts to. Of a diverged group no record is newest, and on an older
 * branch a newer one is known.
 */
export function keyringChange(keyring: Keyring): StateChange {
  const single = [...keyring.groups.values()].filter(group => group.current.length === 1 && !group.behind)
  const newest = new Map(single.map(({ group, current }) => [group, current.map(node => node.sha256)]))
  return { newest, records: recordsOf(single), verified: keyring.verified }
}

/** A generator, so that nothing is gathered where the state has nothing to learn. */
function* recordsOf(groups: readonly GroupKeyring[]): Generator<StateRecord> {
  for (const group of groups) {
    for (const { sha256, record, bytes } of acceptedRecords(group)) {
      yield { group: group.group, sha256, parents: record.parents.map(parent => parent.sha256), bytes }
    }
  }
}
