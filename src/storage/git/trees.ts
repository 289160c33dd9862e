/**
 * Looks paths up in trees, lists folders, compares two trees, for both back ends: only the folders that matter are
 * read.
 */
import type { Change, Entry, Oid } from "./git.js"
import { fromLatin1, toLatin1 } from "./latin1.js"
import { emptyTreeOid, findTreeEntry, isFolder, parseTree, sortKey, type TreeEntry } from "./object.js"
import { type ObjectReader, treeOf } from "./object-reader.js"

/** A file of a tree; its path is Latin-1, like the names in trees. */
export interface TreeFile {
  readonly path: string
  readonly mode: string
  readonly oid: Oid
}

/**
 * What a tree has at a path: `<mode> <oid>`, or undefined.
 *
 * @param path - as text.
 * @param known - answers of earlier calls, which this one adds to: neighbouring commits share most folders.
 */
export async function findInTree(
  objects: ObjectReader,
  tree: Oid,
  path: string,
  known = new Map<string, string | undefined>(),
): Promise<string | undefined> {
  const key = `${tree} ${path}`
  if (known.has(key)) return known.get(key)
  const slash = path.indexOf("/")
  const name = slash < 0 ? path : path.slice(0, slash)
  const entry = findTreeEntry(await readTree(objects, tree), Buffer.from(name), objects.oidHex)
  let place: string | undefined
  if (entry !== undefined && slash < 0) place = `${printMode(entry.mode)} ${entry.oid}`
  else if (entry !== undefined && isFolder(entry.mode)) {
    place = await findInTree(objects, entry.oid, path.slice(slash + 1), known)
  }
  known.set(key, place)
  return place
}

/** What a commit or tree has at each of many paths, by path; every folder on their ways is read once. */
export async function lookupInTree(
  objects: ObjectReader,
  at: Oid,
  paths: readonly string[],
): Promise<Map<string, readonly Entry[]>> {
  const found = new Map<string, readonly Entry[]>()
  const visit = async (oid: Oid, wanted: readonly string[], folder: string) => {
    const entries = new Map((await readEntries(objects, oid)).map(entry => [entry.name, entry]))
    const below = new Map<string, string[]>()
    for (const path of wanted) {
      const slash = path.indexOf("/", folder.length)
      const name = path.slice(folder.length, slash < 0 ? undefined : slash)
      const entry = entries.get(toLatin1(name))
      if (entry === undefined) continue
      if (slash < 0 && !isFolder(entry.mode))
        found.set(path, [toEntry({ path, mode: printMode(entry.mode), oid: entry.oid })])
      if (slash >= 0 && isFolder(entry.mode)) addTo(below, name, path)
    }
    for (const [name, inside] of below)
      await visit(entries.get(toLatin1(name))!.oid, inside, `${folder}${name}/`)
  }
  await visit(await treeOf(objects, at), paths, "")
  return found
}

/**
 * Something of a commit or tree that has to go before the paths can be there: a file or submodule where one of them
 * needs a folder, or a folder in the place of one.
 */
export async function findObstacle(
  objects: ObjectReader,
  at: Oid,
  paths: readonly string[],
): Promise<string | undefined> {
  const visit = async (oid: Oid, wanted: readonly string[], folder: string): Promise<string | undefined> => {
    const entries = new Map((await readEntries(objects, oid)).map(entry => [entry.name, entry]))
    for (const [name, below] of groupByName(wanted, folder.length)) {
      const entry = entries.get(toLatin1(name))
      if (entry === undefined) continue
      if (below.length === 0 || !isFolder(entry.mode)) {
        if (below.length > 0 || isFolder(entry.mode)) return folder + name
        continue
      }
      const found = await visit(entry.oid, below, `${folder}${name}/`)
      if (found !== undefined) return found
    }
    return undefined
  }
  return visit(await treeOf(objects, at), paths, "")
}

/** By their next name from `at` on: those of the paths that go on below it. */
function groupByName(paths: readonly string[], at: number): Map<string, string[]> {
  const names = new Map<string, string[]>()
  for (const path of paths) {
    const slash = path.indexOf("/", at)
    const name = path.slice(at, slash < 0 ? undefined : slash)
    const below = names.get(name) ?? []
    if (slash >= 0) below.push(path)
    names.set(name, below)
  }
  return names
}

/** All files of a commit or tree at or below a prefix ("" for all), in the order of their bytes. */
export async function listTree(objects: ObjectReader, at: Oid, prefix: string): Promise<Entry[]> {
  return (await filesBelow(objects, at, prefix)).map(file => toEntry(toText(file)))
}

function toEntry(file: TreeFile): Entry {
  return { ...file, stage: 0, skipWorktree: false }
}

/**
 * What differs between two commits or trees at or below a prefix; null: nothing there. Equal folders are not read.
 */
export async function diffTrees(
  objects: ObjectReader,
  from: Oid | null,
  to: Oid | null,
  prefix: string,
): Promise<Change[]> {
  const [old, current] = await Promise.all([from, to].map(at => placesAt(objects, at, prefix)))
  const changes: Change[] = []
  await diffEntries(objects, [old!, current!], parentOf(prefix), changes)
  return changes
}

/** All files of a commit or tree (null: none) at or below a prefix, their paths as bytes. */
export async function filesBelow(objects: ObjectReader, at: Oid | null, prefix: string): Promise<TreeFile[]> {
  const files: TreeFile[] = []
  await expand(objects, await placesAt(objects, at, prefix), parentOf(prefix), files)
  return files
}

async function diffEntries(
  objects: ObjectReader,
  [from, to]: readonly [readonly TreeEntry[], readonly TreeEntry[]],
  folder: string,
  changes: Change[],
): Promise<void> {
  for (const [before, after] of zip(from, to, sortKey)) {
    if (before?.oid === after?.oid && before?.mode === after?.mode) continue
    const [name, mode] = [(before ?? after)!.name, (before ?? after)!.mode]
    if (!isFolder(mode)) {
      const change = compareFiles(before && place(before, folder), after && place(after, folder))
      if (change !== undefined) changes.push(change)
      continue
    }
    const below = [before, after].map(entry => (entry === undefined ? [] : readEntries(objects, entry.oid)))
    const [old, current] = await Promise.all(below)
    await diffEntries(objects, [old!, current!], `${folder}${name}/`, changes)
  }
}

async function expand(
  objects: ObjectReader,
  entries: readonly TreeEntry[],
  folder: string,
  files: TreeFile[],
): Promise<void> {
  for (const entry of entries) {
    if (!isFolder(entry.mode)) files.push(place(entry, folder))
    else await expand(objects, await readEntries(objects, entry.oid), `${folder}${entry.name}/`, files)
  }
}

/** The entries to start from: all of the tree for "", else the one file or folder that the prefix names. */
async function placesAt(objects: ObjectReader, at: Oid | null, prefix: string): Promise<TreeEntry[]> {
  if (at === null) return []
  const tree = await treeOf(objects, at)
  if (prefix === "") return readEntries(objects, tree)
  const found = await findInTree(objects, tree, prefix)
  if (found === undefined) return []
  const mode = found.slice(0, 6)
  const name = prefix.slice(prefix.lastIndexOf("/") + 1)
  return [{ mode: mode.replace(/^0/, ""), name: toLatin1(name), oid: found.slice(7) }]
}

function addTo(groups: Map<string, string[]>, name: string, item: string): void {
  const group = groups.get(name)
  if (group === undefined) groups.set(name, [item])
  else group.push(item)
}

function parentOf(prefix: string): string {
  return toLatin1(prefix.slice(0, prefix.lastIndexOf("/") + 1))
}

/** Pairs up two lists that are sorted by `key`. */
function* zip<T>(
  a: readonly T[],
  b: readonly T[],
  key: (item: T) => string,
): Generator<[T | undefined, T | undefined]> {
  let [atA, atB] = [0, 0]
  while (atA < a.length || atB < b.length) {
    const [keyA, keyB] = [a[atA], b[atB]].map(item => (item === undefined ? undefined : key(item)))
    const takesA = keyA !== undefined && (keyB === undefined || keyA <= keyB)
    const takesB = keyB !== undefined && (keyA === undefined || keyB <= keyA)
    yield [takesA ? a[atA++] : undefined, takesB ? b[atB++] : undefined]
  }
}

async function readTree(objects: ObjectReader, oid: Oid): Promise<Buffer> {
  return oid === emptyTreeOid(objects.oidHex) ? Buffer.alloc(0) : objects.get(oid, "tree")
}

async function readEntries(objects: ObjectReader, oid: Oid): Promise<TreeEntry[]> {
  return parseTree(await readTree(objects, oid), objects.oidHex)
}

function place({ name, mode, oid }: TreeEntry, folder: string): TreeFile {
  return { path: folder + name, mode: printMode(mode), oid }
}

/** The change from one file to another at the same path; undefined where they are the same, or both not there. */
export function compareFiles(from: TreeFile | undefined, to: TreeFile | undefined): Change | undefined {
  const file = from ?? to
  if (file === undefined || (from?.oid === to?.oid && from?.mode === to?.mode)) return undefined
  return {
    path: toText(file).path,
    ...(from === undefined ? {} : { from: { mode: from.mode, oid: from.oid } }),
    ...(to === undefined ? {} : { to: { mode: to.mode, oid: to.oid } }),
  }
}

function toText(file: TreeFile): TreeFile {
  return { ...file, path: fromLatin1(file.path) }
}

function printMode(mode: string): string {
  return mode.padStart(6, "0")
}
