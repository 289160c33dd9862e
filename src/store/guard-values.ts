/** The store's own values, gathered to be looked for in what is about to be committed. */
import { CofferError } from "../errors.js"
import { nameOfPath } from "../format/names.js"
import { parseSecretFile } from "../format/secret-file.js"
import type { Keyring } from "../keyring/verify.js"
import { openFilter } from "../scan/matcher.js"
import {
  compileOwnValues,
  FILTER_VERSION,
  type OwnValue,
  type OwnValues,
  watchedPart,
} from "../scan/own-values.js"
import type { Oid } from "../storage/git/git.js"
import {
  readFilter,
  readWatched,
  type WatchedPlace,
  type WatchedValue,
  writeFilter,
  writeWatched,
} from "../storage/watched-values.js"
import { type GroupAccess, openGroup } from "./access.js"
import { checkKeyring } from "./check.js"
import type { Collector } from "./guard-report.js"
import type { GuardedState, GuardedStore } from "./guard-store.js"
import { openSecret } from "./reading.js"
import type { Store } from "./store.js"
import { gitTree, isBadFile, type Tree } from "./tree.js"

/** Names of the values that occur in a content, in any of their encodings; sorted. */
export type FindOwnValues = (content: Uint8Array) => Promise<string[]>

/**
 * A search for every value that this machine's identities open. Signatures are not checked again: a forged value
 * would only be looked for in vain.
 */
export async function watchOwnValues(
  state: GuardedState,
  stores: readonly GuardedStore[],
  collector: Collector,
): Promise<FindOwnValues> {
  const searches: FindOwnValues[] = []
  const notWatched: string[] = []
  for (const guarded of stores) {
    const { identities } = await guarded.store.identities()
    if (identities.length === 0) {
      collector.notes.add(
        `note: no identity here opens "${guarded.store.folder}", so its values were not looked for in other files`,
      )
      continue
    }
    const place = { commonDir: state.git.commonDir, store: guarded.store.id, identities }
    const watched = await watchStore(state, guarded, place, collector)
    searches.push(watched.find)
    notWatched.push(...watched.notWatched)
  }
  collector.notWatched = notWatched.sort()
  return async content => {
    const names: string[] = []
    for (const find of searches) names.push(...(await find(content)))
    return names.sort()
  }
}

/** One store's values: those that nothing tells to be absent are opened and prepared at the first such content. */
async function watchStore(
  state: GuardedState,
  guarded: GuardedStore,
  place: WatchedPlace,
  collector: Collector,
): Promise<{ find: FindOwnValues; notWatched: readonly string[] }> {
  const files = await listSecretFiles(state, guarded)
  const of = { version: FILTER_VERSION, oids: [...files.values()] }
  const kept = readFilter(place, of)
  if (kept !== undefined) {
    const mayHold = openFilter(kept.tables)
    let own: Promise<OwnValues> | undefined
    return {
      notWatched: kept.notWatched,
      async find(content) {
        if (!mayHold(content)) return []
        own ??= openOwnValues(state, guarded, { place, files }, collector)
        return (await own).find(content)
      },
    }
  }
  const own = await openOwnValues(state, guarded, { place, files }, collector)
  // Only where all were opened: what could not be is tried again, and said again.
  if (own.files === files.size) writeFilter(place, of, { notWatched: own.notWatched, tables: own.filter() })
  return { notWatched: own.notWatched, find: async content => own.find(content) }
}

/** Git's ids of a state's secret files, by path in the store. */
async function listSecretFiles(
  { git, at }: GuardedState,
  { store: { folder } }: GuardedStore,
): Promise<ReadonlyMap<string, Oid>> {
  const files = new Map<string, Oid>()
  for (const { path, oid } of await git.entries(at, folder)) {
    const inStore = path.slice(folder.length + 1)
    if (nameOfPath(inStore) !== undefined) files.set(inStore, oid)
  }
  return files
}

/** The values of a state: those of files that are known from before, and what the others are opened for. */
async function openOwnValues(
  { git, at }: GuardedState,
  guarded: GuardedStore,
  { place, files }: { place: WatchedPlace; files: ReadonlyMap<string, Oid> },
  collector: Collector,
): Promise<OwnValues & { readonly files: number }> {
  const known = readWatched(place)
  const watched = new Map<Oid, WatchedValue>()
  const unknown = new Set<string>()
  for (const [inStore, oid] of files) {
    const value = known.get(oid)
    if (value === undefined) unknown.add(inStore)
    else watched.set(oid, value)
  }
  if (unknown.size > 0) {
    const { folder } = guarded.store
    for await (const [oid, value] of openFiles(gitTree(git, at, folder, unknown), guarded, collector))
      watched.set(oid, value)
  }
  if (watched.size !== known.size || [...watched.keys()].some(oid => !known.has(oid)))
    writeWatched(place, watched)
  const values: OwnValue[] = []
  for (const { name, value } of watched.values()) if (value !== undefined) values.push({ name, value })
  return { ...compileOwnValues(values), files: watched.size }
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
