/** Writes files inside a git directory as git does: whole or not at all, durable, with the modes it shares them by. */
import {
  appendFileSync,
  chmodSync,
  closeSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs"
import { dirname, join } from "node:path"
import { createLock } from "../disk.js"
import { errnoOf, ioError, syncFolder, writeAll } from "../files.js"

/** Git's modes before the umask: objects never change, so nobody may write them. */
export const OBJECT_MODE = 0o444
const FILE_MODE = 0o666
const FOLDER_MODE = 0o777
const SET_GROUP_ID = 0o2000

export interface GitFiles {
  /** Writes a temporary file, syncs it, and renames it into place over whatever is there. */
  replace(path: string, parts: readonly Uint8Array[], mode: number): void
  /** Makes a lock file, which becomes the real one by a rename. @returns false where there is one already. */
  lock(path: string, temporary: string, content: string): boolean
  /** Writes a file that nobody else looks at yet. */
  write(path: string, bytes: Uint8Array): void
  /** Adds a line to a log. */
  append(path: string, line: string): void
}

/** @param shared - `core.sharedRepository` */
export function gitFiles(shared: string | undefined): GitFiles {
  const share = parseShared(shared)
  return {
    replace(path, parts, mode) {
      const folder = dirname(path)
      makeFolders(folder, share)
      const temporary = writeTemporary(folder, parts, mode, share)
      try {
        renameSync(temporary, path)
      } catch (error) {
        rmSync(temporary, { force: true })
        throw ioError("write", path, error)
      }
      syncFolder(folder)
    },
    lock(path, temporary, content) {
      makeFolders(dirname(path), share)
      if (!createLock(path, temporary, content)) return false
      shareWith(path, share)
      syncFile(path)
      return true
    },
    write(path, bytes) {
      try {
        writeFileSync(path, bytes, { mode: FILE_MODE })
        shareWith(path, share)
      } catch (error) {
        throw ioError("write", path, error)
      }
      syncFile(path)
    },
    append(path, line) {
      makeFolders(dirname(path), share)
      try {
        // One write to a file opened for appending: lines of two processes never mix.
        appendFileSync(path, line, { mode: FILE_MODE })
        shareWith(path, share)
      } catch (error) {
        throw ioError("write", path, error)
      }
    },
  }
}

/** The mode that sharing gives a file or folder which is there; undefined where it has it, or where the umask alone decides. */
type Share = (stats: Stats) => number | undefined

/** Git's calc_shared_perm: sharing adds bits, an octal number sets them; who may not write, gets no such bit. */
function parseShared(value: string | undefined): Share {
  const name = (value ?? "umask").toLowerCase()
  const octal = /^0?[0-7]{3}$/.test(name) ? Number.parseInt(name, 8) & 0o666 : undefined
  const bits = octal ?? (GROUP.includes(name) ? 0o660 : EVERYBODY.includes(name) ? 0o664 : 0)
  if (bits === 0 || process.platform === "win32") return () => undefined
  return stats => {
    const isFolder = stats.isDirectory()
    const mode = stats.mode & 0o7777
    let added = mode & 0o200 ? bits : bits & 0o444
    if (isFolder) added |= (added & 0o444) >> 2
    const base = octal === undefined ? mode : mode & ~0o777
    const shared = base | added | (isFolder && added & 0o060 ? SET_GROUP_ID : 0)
    // Only its owner may change a mode, and in a shared repository that is often somebody else.
    return shared === mode ? undefined : shared
  }
}

function shareWith(path: string, share: Share): void {
  const mode = share(statSync(path))
  if (mode !== undefined) chmodSync(path, mode)
}

const GROUP = ["group", "true", "yes", "on", "1"]
const EVERYBODY = ["all", "world", "everybody", "2"]

function makeFolders(folder: string, share: Share): void {
  if (statSync(folder, { throwIfNoEntry: false }) !== undefined) return
  makeFolders(dirname(folder), share)
  try {
    mkdirSync(folder, { mode: FOLDER_MODE })
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return
    throw ioError("make the folder", folder, error)
  }
  shareWith(folder, share)
  syncFolder(dirname(folder))
}

/** Git's own names for unfinished objects: `git gc` removes what a killed process leaves. */
function writeTemporary(folder: string, parts: readonly Uint8Array[], mode: number, share: Share): string {
  for (let attempt = 0; ; attempt++) {
    const temporary = join(folder, `tmp_obj_${process.pid}-${attempt}`)
    const fd = openNew(temporary, mode)
    if (fd === undefined) continue
    try {
      writeAndClose(fd, temporary, parts, share)
    } catch (error) {
      rmSync(temporary, { force: true })
      throw error
    }
    return temporary
  }
}

function openNew(path: string, mode: number): number | undefined {
  try {
    return openSync(path, "wx", mode)
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return undefined
    throw ioError("write", path, error)
  }
}

function writeAndClose(fd: number, path: string, parts: readonly Uint8Array[], share: Share): void {
  try {
    for (const part of parts) writeAll(fd, part)
    const mode = share(fstatSync(fd))
    if (mode !== undefined) fchmodSync(fd, mode)
    fsyncSync(fd)
  } catch (error) {
    throw ioError("write", path, error)
  } finally {
    closeSync(fd)
  }
}

/** Makes what a file holds survive a power cut. */
function syncFile(path: string): void {
  const fd = openSync(path, "r+")
  try {
    fsyncSync(fd)
  } catch (error) {
    throw ioError("write", path, error)
  } finally {
    closeSync(fd)
  }
}
