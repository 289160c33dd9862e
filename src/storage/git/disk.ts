/** The few changes to disk that a write is made of: durable files, renames, files known by what they hold. */
import { createHash } from "node:crypto"
import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { dirname, join } from "node:path"
import { errnoOf, ioError, syncFolder } from "../files.js"
import type { Oid } from "./git.js"

/** The id that git gives a blob. */
export function blobId(bytes: Uint8Array, oidHex: 40 | 64): Oid {
  const hash = createHash(oidHex === 40 ? "sha1" : "sha256")
  return hash.update(`blob ${bytes.length}\0`).update(bytes).digest("hex")
}

/**
 * Our folder in a git directory, made if it is not there. It has the git directory's own permissions, so that
 * whoever shares the repository can finish what another one's killed process left.
 */
export function cofferFolder(gitDir: string): string {
  const folder = join(gitDir, "coffer")
  try {
    if (statSync(folder, { throwIfNoEntry: false }) !== undefined) return folder
    mkdirSync(folder)
    chmodSync(folder, statSync(gitDir).mode & 0o7777)
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw ioError("make the folder", folder, error)
  }
  return folder
}

/** Writes a new file that survives a power cut, with the permissions of its folder. */
export function writeDurably(path: string, bytes: Uint8Array | string): void {
  const temporary = `${path}.tmp`
  try {
    const fd = openSync(temporary, "w", 0o666)
    try {
      writeFileSync(fd, bytes)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    chmodSync(temporary, statSync(dirname(path)).mode & 0o666)
    renameRetrying(temporary, path)
  } catch (error) {
    remove(temporary)
    throw ioError("write", path, error)
  }
  syncFolder(dirname(path))
}

/**
 * Makes a lock file with all of its content at once, so that no kill leaves one that nobody can tell the owner of.
 *
 * @returns false where there is one already.
 */
export function createLock(path: string, temporary: string, content: string): boolean {
  try {
    writeFileSync(temporary, content)
    try {
      linkSync(temporary, path)
    } catch (error) {
      if (!NO_LINKS.has(errnoOf(error) ?? "")) throw error
      writeFileSync(path, content, { flag: "wx" })
    }
    return true
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false
    throw ioError("create", path, error)
  } finally {
    remove(temporary)
  }
}

/** What a file system without hard links answers. */
const NO_LINKS = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EISDIR"])

/** Renames; on Windows a virus scanner or an indexer may have the target open for a moment. */
export function renameRetrying(from: string, to: string): void {
  for (let attempt = 0; ; attempt++) {
    try {
      renameSync(from, to)
      return
    } catch (error) {
      const isBusy = ["EPERM", "EACCES", "EBUSY"].includes(errnoOf(error) ?? "")
      if (process.platform !== "win32" || !isBusy || attempt === 40) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
    }
  }
}

/** Removes a file or folder of ours if it is there; what cannot be removed does no harm. */
export function remove(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true })
  } catch {
    // The next write, or `coffer check`, comes across it again.
  }
}

/** The text of a small file, or undefined. */
export function findText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined
    throw ioError("read", path, error)
  }
}
