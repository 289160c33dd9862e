/** The store's own values, gathered to be looked for in what is about to be committed. */
import { CofferError } from "../errors.js"
import { nameOfPath } from "../format/names.js"
import { parseSecretFile } from "../format/secret-file.js"
import type { Keyring } from "../keyring/verify.js"
import { compileOwnValues, type OwnValue, type OwnValues, watchedPart } from "../scan/own-values.js"
import type { Oid } from "../storage/git/git.js"
import {
  readWatched,
  type WatchedValue,
  type WatchedValues,
  writeWatched,
} from "../storage/watched-values.js"
import { type GroupAccess, openGroup } from "./access.js"
import { checkKeyring } from "./check.js"
import type { Collector } from "./guard-report.js"
import type { GuardedState, GuardedStore } from "./guard-store.js"
import { openSecret } from "./reading.js"
import type { Store } from "./store.js"
import { gitTree, isBadFile, type Tree } from "./tree.js"

/**
 * Every value that this machine's identities open, to look for it elsewhere. Signatures are not checked
 * again: a forged value would only be looked for in vain.
 */
export async function collectOwnValues(
  state: GuardedState,
  stores: readonly GuardedStore[],
  collector: Collector,
): Promise<OwnValues | undefined> {
  const values: OwnValue[] = []
  for (const guarded of stores) {
    const { identities } = await guarded.store.identities()
    if (identities.length === 0) {
      collector.notes.add(
        `note: no identity here opens "${guarded.store.folder}", so its values were not looked for in other files`,
      )
      continue
    }
    const place = { commonDir: state.git.commonDir, store: guarded.store.id, identities }
    const before = readWatched(place)
    const now = await watch(state, guarded, before, collector)
    if (now.size !== before.size || [...now.keys()].some(oid => !before.has(oid))) writeWatched(place, now)
    for (const { name, value } of now.values()) if (value !== undefined) values.push({ name, value })
  }
  if (values.length === 0) return undefined
  const own = compileOwnValues(values)
  collector.notWatched = own.notWatched
  return own
}

/** The values of a state: those of files that are known from before, and what the others are opened for. */
async function watch(
  { git, at }: GuardedState,
  guarded: GuardedStore,
  known: WatchedValues,
  collector: Collector,
): Promise<WatchedValues> {
  const { folder } = guarded.store
  const watched = new Map<Oid, WatchedValue>()
  const unknown = new Set<string>()
  for await (const { path, oid } of git.entries(at, folder)) {
    const inStore = path.slice(folder.length + 1)
    if (nameOfPath(inStore) === undefined) continue
    const value = known.get(oid)
    if (value === undefined) unknown.add(inStore)
    else watched.set(oid, value)
  }
  if (unknown.size === 0) return watched
  for await (const [oid, value] of openFiles(gitTree(git, at, folder, unknown), guarded, collector))
    watched.set(oid, value)
  return watched
}

async function* openFiles(
  tree: Tree,
  { store, tree: whole, keyring }: GuardedStore,
  collector: Collector,
): AsyncGenerator<[Oid, WatchedValue]> {
  const verified = keyring ?? (await checkKeyring(store, whole, { files: 0, findings: [] }))
  if (verified === undefined) return
  const groups = new Map<string, Promise<GroupAccess | undefined>>()
  const open = (group: string) => {
    const access = groups.get(group) ?? findAccess(store, verified, group, collector)
    groups.set(group, access)
    return access
  }
  for await (const found of tree.files("")) {
    if (isBadFile(found)) continue
    try {
      const file = parseSecretFile(found.bytes)
      if (file.state === "deleted") yield [found.oid!, { name: file.name }]
      if (file.state === "deleted" || !verified.groups.has(file.group)) continue
      const access = await open(file.group)
      if (access === undefined) continue
      const { value } = await openSecret(access, file)
      yield [found.oid!, { name: file.name, value: watchedPart(value) }]
    } catch (error) {
      // Refused as a file where it was changed; here it only is not looked for.
      if (!(error instanceof CofferError)) throw error
    }
  }
}

async function findAccess(
  store: Store,
  keyring: Keyring,
  group: string,
  collector: Collector,
): Promise<GroupAccess | undefined> {
  try {
    return await openGroup(store, { keyring }, group)
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
    const isOutside = error.code === "NOT_A_MEMBER" || error.code === "REMOVED"
    const why = isOutside ? "no identity here is a member" : error.message
    collector.notes.add(`note: values of "${group}" were not looked for in other files: ${why}`)
    return undefined
  }
}
