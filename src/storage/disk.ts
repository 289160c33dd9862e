/** The few changes to disk that a write is made of: durable files, renames, files known by what they hold. */
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { dirname } from "node:path"
import { errnoOf, ioError, readPlainFile, syncFolder } from "./files.js"

/** Writes a new file that survives a power cut, with the permissions of its folder. */
export function writeDurably(path: string, bytes: Uint8Array | string): void {
  const temporary = `${path}.tmp`
  try {
    // New, never written through what somebody has put in its place.
    remove(temporary)
    const fd = openSync(temporary, "wx", 0o666)
    try {
      writeFileSync(fd, bytes)
      fchmodSync(fd, statSync(dirname(path)).mode & 0o666)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
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
    remove(temporary)
    writeFileSync(temporary, content, { flag: "wx" })
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

const MAX_TEXT_BYTES = 256 * 1024 * 1024

/** The text of a file, or undefined. A pipe or a device in its place is refused, not waited for. */
export function findText(path: string, options?: { follow: boolean }): string | undefined {
  const bytes = readPlainFile(path, MAX_TEXT_BYTES, options)
  return bytes === undefined ? undefined : Buffer.from(bytes).toString()
}

/** {@link findText} for what coffer and git write themselves and never as a link: locks and the journal. */
export function findOwnText(path: string): string | undefined {
  return findText(path, { follow: false })
}
