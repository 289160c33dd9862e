/** Where a store lay at another commit: whoever moves its folder must not make this machine forget what was in it. */
import { equalBytes } from "../encoding.js"
import { printStoreFile, STORE_FILE_PATH } from "../format/store-file.js"
import type { Change, Entry, Git, Oid } from "../storage/git/git.js"

/** A store as it is opened here. */
export interface StorePlace {
  /** Relative to the work tree. */
  readonly folder: string
  /** Store id. */
  readonly id: string
  /** Folders that this machine knows it in; none: nothing is known. */
  readonly known: ReadonlySet<string>
}

/** Folders of all stores in a state, wherever they are: which one commands use is a setting. */
export async function findStores(git: Git, at: Oid | "index"): Promise<string[]> {
  const folders: string[] = []
  for (const { path } of await git.entries(at, "")) {
    if (path.endsWith(`/${STORE_FILE_PATH}`)) folders.push(path.slice(0, -STORE_FILE_PATH.length - 1))
  }
  return folders
}

/**
 * Folders that the store lay in at a commit: its own, where it was there and this machine knows it so; else all that
 * held it. Its own where none did.
 */
export async function findFoldersAt(
  git: Git,
  at: Oid,
  { folder, id, known }: StorePlace,
): Promise<readonly string[]> {
  const isHome = known.size === 0 || known.has(folder)
  if (isHome && (await holdsStore(git, at, folder, id))) return [folder]
  const folders: string[] = []
  for (const other of await findStores(git, at)) if (await holdsStore(git, at, other, id)) folders.push(other)
  return folders.length === 0 ? [folder] : folders
}

async function holdsStore(git: Git, at: Oid, folder: string, id: string): Promise<boolean> {
  const wanted = printStoreFile({ store: id })
  for (const { oid } of await git.entries(at, `${folder}/${STORE_FILE_PATH}`)) {
    for await (const { bytes } of git.blobs([oid])) return bytes !== undefined && equalBytes(bytes, wanted)
  }
  return false
}

/** What differs between a store at `from`, where it lay in `was`, and at `to`; paths are relative to the store. */
export async function storeChanges(
  git: Git,
  { from, to, was, folder }: { from: Oid; to: Oid | "index"; was: string; folder: string },
): Promise<Change[]> {
  if (was === folder) {
    const changes = await git.changes(from, to, folder)
    return changes.map(change => ({ ...change, path: change.path.slice(folder.length + 1) }))
  }
  const before = await entriesBelow(git, from, was)
  const after = await entriesBelow(git, to, folder)
  return [...new Set([...before.keys(), ...after.keys()])].flatMap(path => {
    const [old, present] = [before.get(path), after.get(path)]
    if (old?.oid === present?.oid && old?.mode === present?.mode) return []
    return [{ path, ...(old && { from: old }), ...(present && { to: present }) }]
  })
}

async function entriesBelow(
  git: Git,
  at: Oid | "index",
  folder: string,
): Promise<ReadonlyMap<string, Entry>> {
  const entries = new Map<string, Entry>()
  for (const entry of await git.entries(at, folder)) entries.set(entry.path.slice(folder.length + 1), entry)
  return entries
}
