/**
 * Changes files in a tree by rewriting only the folders on their paths, entry by entry as bytes: what else is in
 * those folders (names that are no UTF-8, backslashes, odd modes) goes through unchanged, which isomorphic-git's
 * own tree model does not promise.
 */
import { CofferError } from "../../errors.js"
import { gitPath } from "../../format/shell.js"
import type { Oid } from "./git.js"
import { fromLatin1, toLatin1 } from "./latin1.js"
import {
  type GitObject,
  isFolder,
  oidOf,
  parseTree,
  printTree,
  sortTree,
  TREE_MODE,
  type TreeEntry,
} from "./object.js"

/** What a file is set to; null removes it. */
export type FileEdit = { readonly mode: string; readonly oid: Oid } | null

/** The changes in one folder: a file's, or those in a folder below. */
type FolderEdit = Map<string, FileEdit | FolderEdit>

/**
 * @param base - the tree to start from; null: an empty one.
 * @param readTree - gives the bytes of a tree object.
 * @returns the new tree's id, and the tree objects to write.
 * @throws CofferError `GIT_DIRTY` where a file of the commit is in the way of a folder, or the reverse
 */
export async function editTree(
  base: Oid | null,
  edits: ReadonlyMap<string, FileEdit>,
  readTree: (oid: Oid) => Promise<Buffer>,
): Promise<{ tree: Oid; objects: GitObject[] }> {
  const objects: GitObject[] = []
  const write = (entries: readonly TreeEntry[]) => {
    const object: GitObject = { type: "tree", bytes: printTree(sortTree(entries)) }
    objects.push(object)
    return oidOf(object)
  }
  const editFolder = async (oid: Oid | null, folder: FolderEdit, path: string): Promise<TreeEntry[]> => {
    const entries = new Map(
      oid === null ? [] : parseTree(await readTree(oid)).map(entry => [entry.name, entry]),
    )
    for (const [name, edit] of folder) {
      const existing = entries.get(name)
      const isThere = existing !== undefined && isFolder(existing.mode) === edit instanceof Map
      if (existing !== undefined && !isThere) {
        if (!removesOnly(edit)) throw inTheWay(fromLatin1(path + name))
      } else if (edit instanceof Map) {
        const below = await editFolder(existing?.oid ?? null, edit, `${path}${name}/`)
        // Git has no empty folders.
        if (below.length === 0) entries.delete(name)
        else entries.set(name, { name, mode: existing?.mode ?? TREE_MODE, oid: write(below) })
      } else if (edit === null) entries.delete(name)
      else entries.set(name, { name, ...edit })
    }
    return [...entries.values()]
  }
  return { tree: write(await editFolder(base, nest(edits), "")), objects }
}

function nest(edits: ReadonlyMap<string, FileEdit>): FolderEdit {
  const root: FolderEdit = new Map()
  for (const [path, edit] of edits) {
    const segments = toLatin1(path).split("/")
    const name = segments.pop()!
    let folder = root
    for (const segment of segments) {
      const below = folder.get(segment)
      const next: FolderEdit = below instanceof Map ? below : new Map()
      folder.set(segment, next)
      folder = next
    }
    folder.set(name, edit)
  }
  return root
}

function removesOnly(edit: FileEdit | FolderEdit): boolean {
  return edit instanceof Map ? [...edit.values()].every(removesOnly) : edit === null
}

/** @param name - of what is in the way in HEAD, as text. */
export function inTheWay(name: string): CofferError {
  return new CofferError(
    "GIT_DIRTY",
    `"${name}" in HEAD is in the way: it is a file where a folder is needed, or the reverse`,
    {
      hint: `git rm -r -- ${gitPath(name)}, commit, and try again`,
    },
  )
}
