/** Files of the work tree as a write sees them: read to compare, put in place, taken away; never through a link. */
import {
  type BigIntStats,
  closeSync,
  copyFileSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmdirSync,
  unlinkSync,
} from "node:fs"
import { dirname, join } from "node:path"
import { CofferError } from "../../errors.js"
import { gitPath } from "../../format/shell.js"
import { cofferFolder } from "../coffer-folder.js"
import { remove, renameRetrying } from "../disk.js"
import { errnoOf, ioError, readPlainFile, writeAll } from "../files.js"
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

/** One look at files of the work tree: a folder on the way to several is looked at once, as in a checkout of git's. */
export interface WorkFiles {
  /**
   * Reads what stands at a path.
   *
   * @throws CofferError `GIT_DIRTY` for anything but a regular file, also where a folder on the way is a link: git
   *   would have a folder there, and writing would end up elsewhere.
   */
  read(path: string): WorkFile
  /**
   * The stat data of a file that holds this blob; undefined where it holds another, or is being changed.
   *
   * @param written - a file that is still as it was when it was written is not read.
   */
  statsOf(path: string, oid: Oid, written?: WrittenFile): BigIntStats | undefined
}

/** A file of which nothing has to be read while its {@link markOf} is the same. */
export interface WrittenFile {
  readonly oid: Oid
  readonly mark: string
}

/** By path. */
export type WrittenFiles = ReadonlyMap<string, WrittenFile>

export function lookAtFiles(tree: WorkTree): WorkFiles {
  const refuseLinks = linkCheck(tree.workTree)
  function read(path: string): WorkFile {
    refuseLinks(path)
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
  return {
    read,
    statsOf(path, oid, written) {
      if (written?.oid === oid) {
        refuseLinks(path)
        const stats = statsAt(tree.workTree, path)
        if (stats !== undefined && markOf(stats) === written.mark) return stats
      }
      const found = read(path)
      if (found.oid !== oid) return undefined
      const stats = statsAt(tree.workTree, path)
      return stats !== undefined && stampFrom(stats) === found.stamp ? stats : undefined
    },
  }
}

/** What a rename leaves as it is, and a change of the bytes does not. */
function markOf({ dev, ino, size, mtimeNs }: BigIntStats): string {
  return `${dev} ${ino} ${size} ${mtimeNs}`
}

/** Far above any store file: what is larger is certainly none of ours. */
const MAX_BYTES = 256 * 1024 * 1024

/** The stamp of what stands at a path now. @throws CofferError `GIT_DIRTY` as {@link WorkFiles.read} */
export function stampOf(workTree: string, path: string): string {
  try {
    const stats = statsAt(workTree, path)
    if (stats === undefined) return ABSENT
    if (!stats.isFile()) throw inTheWay(path, "is not a regular file")
    return stampFrom(stats)
  } catch (error) {
    if (errnoOf(error) === "ENOTDIR") return ABSENT
    throw ioError("read", path, error)
  }
}

function statsAt(workTree: string, path: string): BigIntStats | undefined {
  return lstatSync(join(workTree, path), { bigint: true, throwIfNoEntry: false })
}

function stampFrom({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return `${ino} ${size} ${mtimeNs} ${ctimeNs}`
}

/** New files, complete on disk but not in the work tree yet: what can run out of space has done so by then. */
export interface PreparedFiles {
  /** Puts the file in place, or removes it where none was prepared, with the folders that this empties. */
  place(path: string): void
  /** The mark of a {@link WrittenFile}; undefined where none was prepared. */
  markOf(path: string): string | undefined
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
  const prepared = new Map<string, { readonly temporary: string; readonly mark: string }>()
  const refuseLinks = linkCheck(tree.workTree)
  try {
    mkdirSync(folder, { recursive: true })
    for (const [path, bytes] of files) {
      if (bytes === null) continue
      const temporary = join(folder, String(prepared.size))
      prepared.set(path, { temporary, mark: writeNew(temporary, bytes) })
    }
  } catch (error) {
    remove(folder)
    throw ioError("write", folder, error)
  }
  return {
    place(path) {
      refuseLinks(path)
      const file = prepared.get(path)
      if (file === undefined) removeWorkFile(tree.workTree, path)
      else moveInto(tree.workTree, path, file.temporary, token)
    },
    markOf: path => prepared.get(path)?.mark,
    discard: () => remove(folder),
  }
}

/** @returns the file's mark */
function writeNew(path: string, bytes: Uint8Array): string {
  const fd = openSync(path, "w")
  try {
    writeAll(fd, bytes)
    return markOf(fstatSync(fd, { bigint: true }))
  } finally {
    closeSync(fd)
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
    try {
      moveOrCopy(temporary, target, token)
    } catch (error) {
      // Mostly the folder is there.
      if (errnoOf(error) !== "ENOENT") throw error
      mkdirSync(dirname(target), { recursive: true })
      moveOrCopy(temporary, target, token)
    }
  } catch (error) {
    throw ioError("write", path, error)
  }
}

function moveOrCopy(temporary: string, target: string, token: string): void {
  try {
    renameRetrying(temporary, target)
  } catch (error) {
    if (errnoOf(error) !== "EXDEV") throw error
    copyFileSync(temporary, neighbour(target, token))
    renameRetrying(neighbour(target, token), target)
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

/** Refuses paths below what is no folder. A folder that is one is not looked at again. */
function linkCheck(workTree: string): (path: string) => void {
  const folders = new Set<string>()
  return path => {
    for (let end = path.indexOf("/"); end !== -1; end = path.indexOf("/", end + 1)) {
      const folder = path.slice(0, end)
      if (folders.has(folder)) continue
      const stats = lstatSync(join(workTree, folder), { throwIfNoEntry: false })
      if (stats === undefined) return
      if (!stats.isDirectory())
        throw inTheWay(folder, stats.isSymbolicLink() ? "is a symbolic link" : "is no folder")
      folders.add(folder)
    }
  }
}

function inTheWay(path: string, what: string): CofferError {
  return new CofferError("GIT_DIRTY", `"${path}" ${what}`, {
    hint: `git status ${gitPath(path)} shows it; git checkout HEAD -- ${gitPath(path)} restores what was committed`,
  })
}
