/** git's own lock on the index, held under our name, and the index put in place under it. */
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  openSync,
  readSync,
  statSync,
  unlinkSync,
  utimesSync,
} from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { CofferError } from "../../errors.js"
import { cofferFolder } from "../coffer-folder.js"
import { createLock, findOwnText, remove, renameRetrying } from "../disk.js"
import { errnoOf, ioError } from "../files.js"

/** How long somebody else's index.lock is waited for: longer than a `git add`, shorter than a person. */
const WAIT_MS = 3000

/** An `index.lock` that holds our token: git's own commands refuse while it is there. */
export interface IndexLock {
  /** A private copy of the index to change, then to `replace` it with; no file where there is no index yet. */
  copy(): string
  /** Puts the changed copy in place of the index. @throws CofferError `GIT_LOCKED` if the lock was taken from us */
  replace(copy: string): void
  /** Removes the lock if it is still ours. */
  release(): void
}

/**
 * Locks the index; a lock that holds this very token, left by a killed process, is taken over.
 *
 * @throws CofferError `GIT_LOCKED`
 */
export async function lockIndex(
  gitDir: string,
  token: string,
  options: { wait: boolean },
): Promise<IndexLock> {
  const path = join(gitDir, "index.lock")
  const index = join(gitDir, "index")
  for (let waited = 0; ; ) {
    if (createLock(path, join(cofferFolder(gitDir), `index-lock-${token}`), content(token))) break
    if (isOurs(path, token)) break
    if (!options.wait || waited >= WAIT_MS) throw indexLocked(path)
    const pause = 5 + (waited % 7) * 3
    await sleep(pause)
    waited += pause
  }
  let writtenAt: number | undefined
  return {
    copy() {
      writtenAt = statSync(index, { throwIfNoEntry: false })?.mtimeMs
      return copyIndex(index, join(cofferFolder(gitDir), `index-${token}`))
    },
    replace(copy) {
      // Removed by hand, as git's own message advises: somebody else may be writing the index now.
      if (!isOurs(path, token)) throw indexLocked(path)
      try {
        if (writtenAt !== undefined) keepTime(copy, writtenAt)
        renameRetrying(copy, index)
      } catch (error) {
        throw ioError("replace", index, error)
      }
    },
    release() {
      if (isOurs(path, token)) unlinkSync(path)
    },
  }
}

/** Tells one state of the index file from another without reading it: git itself goes by less. */
export function indexFingerprint(gitDir: string): string {
  let fd: number
  try {
    fd = openSync(join(gitDir, "index"), constants.O_RDONLY)
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return "none"
    throw ioError("read", join(gitDir, "index"), error)
  }
  try {
    const { ino, size, mtimeNs, ctimeNs } = fstatSync(fd, { bigint: true })
    const trailer = Buffer.alloc(32)
    readSync(fd, trailer, 0, 32, size > 32n ? size - 32n : 0n)
    return [ino, size, mtimeNs, ctimeNs, trailer.toString("hex")].join(" ")
  } finally {
    closeSync(fd)
  }
}

/** Git replaces its index and never writes to it: one that is read-only is no obstacle to it. */
function copyIndex(index: string, copy: string): string {
  remove(copy)
  try {
    copyFileSync(index, copy, constants.COPYFILE_FICLONE)
    chmodSync(copy, statSync(copy).mode | constants.S_IWUSR)
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw ioError("copy", index, error)
  }
  return copy
}

/**
 * Git does not trust the stat data of a file that is not older than the index: it may have been changed in the same
 * moment. Nobody has looked at the user's files now, so to them the index stays as old as it was.
 */
function keepTime(copy: string, writtenAt: number): void {
  // Times are fractions here: rather a little older.
  const seconds = (writtenAt - 1) / 1000
  utimesSync(copy, seconds, seconds)
}

function content(token: string): string {
  return `coffer ${token}\n`
}

function isOurs(path: string, token: string): boolean {
  return findOwnText(path) === content(token)
}

function indexLocked(path: string): CofferError {
  const age = statSync(path, { throwIfNoEntry: false }) === undefined ? "was taken away" : "is there"
  return new CofferError("GIT_LOCKED", `another git process works on the index: "${path}" ${age}`, {
    hint: "try again when it is done; if none runs any more, git's own advice holds: remove the file",
  })
}
