/** Files of the work tree as a write sees them: read to compare, put in place, taken away; never through a link. */
import {
  type BigIntStats,
  copyFileSync,
  lstatSync,
  mkdirSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from "node:fs"
import { dirname, join } from "node:path"
import { CofferError } from "../../errors.js"
import { gitPath } from "../../format/shell.js"
import { cofferFolder } from "../coffer-folder.js"
import { remove, renameRetrying } from "../disk.js"
import { errnoOf, ioError, readPlainFile } from "../files.js"
import type { Oid, OidHex } from "./git.js"
import { blobId } from "./object.js"

/** What stands at a path: nothing (`oid` null) or a regular file; `stamp` changes when it does. */
export interface WorkFile {
  readonly oid: Oid | null
  readonly stamp: string
}

/** A work tree and the git directory of its own. */
export interface WorkTree {
  readonly workTree: string
  readonly gitDir: string
  readonly oidHex: OidHex
}

/**
 * Reads what stands at a path.
 *
 * @throws CofferError `GIT_DIRTY` for anything but a regular file, also where a folder on the way is a link: git
 *   would have a folder there, and writing would end up elsewhere.
 */
export function readWorkFile(tree: WorkTree, path: string): WorkFile {
  refuseLinks(tree.workTree, path)
  const stamp = stampOf(tree.workTree, path)
  if (stamp === ABSENT) return { oid: null, stamp }
  try {
    // Looked at once more while it is opened: by now a link or a pipe may be there.
    const bytes = readPlainFile(join(tree.workTree, path), MAX_BYTES, { follow: false })
    return bytes === undefined ? { oid: null, stamp: ABSENT } : { oid: blobId(bytes, tree.oidHex), stamp }
  } catch (error) {
    throw ioError("read", path, error)
  }
}

/** Far above any store file: what is larger is certainly none of ours. */
const MAX_BYTES = 256 * 1024 * 1024

/** The stamp of what stands at a path now. @throws CofferError `GIT_DIRTY` as {@link readWorkFile} */
export function stampOf(workTree: string, path: string): string {
  try {
    const stats = lstatSync(join(workTree, path), { bigint: true })
    if (!stats.isFile()) throw inTheWay(path, "is not a regular file")
    return stampFrom(stats)
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return ABSENT
    throw ioError("read", path, error)
  }
}

function stampFrom({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [ino, size, mtimeNs, ctimeNs].join(" ")
}

/** The stat data of a work file that holds this blob; undefined where it holds another, or is being changed. */
export function statsOf(tree: WorkTree, path: string, oid: Oid): BigIntStats | undefined {
  const found = readWorkFile(tree, path)
  if (found.oid !== oid) return undefined
  const stats = lstatSync(join(tree.workTree, path), { bigint: true, throwIfNoEntry: false })
  return stats !== undefined && stampFrom(stats) === found.stamp ? stats : undefined
}

/** New files, complete on disk but not in the work tree yet: what can run out of space has done so by then. */
export interface PreparedFiles {
  /** Puts the file in place, or removes it where none was prepared, with the folders that this empties. */
  place(path: string): void
  /** Removes what was prepared and not placed. */
  discard(): void
}

/** Writes the files to a folder of the git directory that is named after `token`. */
export function prepareFiles(
  tree: WorkTree,
  token: string,
  files: ReadonlyMap<string, Uint8Array | null>,
): PreparedFiles {
  const folder = preparedFolder(tree.gitDir, token)
  const prepared = new Map<string, string>()
  try {
    mkdirSync(folder, { recursive: true })
    for (const [path, bytes] of files) {
      if (bytes === null) continue
      const temporary = join(folder, String(prepared.size))
      writeFileSync(temporary, bytes)
      prepared.set(path, temporary)
    }
  } catch (error) {
    remove(folder)
    throw ioError("write", folder, error)
  }
  return {
    place(path) {
      refuseLinks(tree.workTree, path)
      const temporary = prepared.get(path)
      if (temporary === undefined) removeWorkFile(tree.workTree, path)
      else moveInto(tree.workTree, path, temporary, token)
    },
    discard: () => remove(folder),
  }
}

/** Where {@link prepareFiles} keeps its files: recovery removes the folder. */
export function preparedFolder(gitDir: string, token: string): string {
  return join(cofferFolder(gitDir), `files-${token}`)
}

/** Where a file waits beside its target if the git directory is on another disk. */
export function neighbour(path: string, token: string): string {
  return `${path}.${token}.tmp`
}

function moveInto(workTree: string, path: string, temporary: string, token: string): void {
  const target = join(workTree, path)
  try {
    mkdirSync(dirname(target), { recursive: true })
    try {
      renameRetrying(temporary, target)
    } catch (error) {
      if (errnoOf(error) !== "EXDEV") throw error
      copyFileSync(temporary, neighbour(target, token))
      renameRetrying(neighbour(target, token), target)
    }
  } catch (error) {
    throw ioError("write", path, error)
  }
}

function removeWorkFile(workTree: string, path: string): void {
  try {
    unlinkSync(join(workTree, path))
    for (let folder = dirname(path); folder !== "."; folder = dirname(folder))
      rmdirSync(join(workTree, folder))
  } catch (error) {
    if (!["ENOENT", "ENOTDIR", "ENOTEMPTY", "EEXIST", "EBUSY"].includes(errnoOf(error) ?? "")) {
      throw ioError("remove", path, error)
    }
  }
}

const ABSENT = "absent"

function refuseLinks(workTree: string, path: string): void {
  for (let end = path.indexOf("/"); end !== -1; end = path.indexOf("/", end + 1)) {
    const folder = path.slice(0, end)
    const stats = lstatSync(join(workTree, folder), { throwIfNoEntry: false })
    if (stats === undefined) return
    if (!stats.isDirectory())
      throw inTheWay(folder, stats.isSymbolicLink() ? "is a symbolic link" : "is no folder")
  }
}

function inTheWay(path: string, what: string): CofferError {
  return new CofferError("GIT_DIRTY", `"${path}" ${what}`, {
    hint: `git status ${gitPath(path)} shows it; git checkout HEAD -- ${gitPath(path)} restores what was committed`,
  })
}
