/**
 * The lock around one rewrite of a small private file: held for milliseconds, never while a person is asked.
 * (The lock of whole operations on a store is another: git/store-lock.ts.)
 */
import {
  closeSync,
  fstatSync,
  linkSync,
  openSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
} from "node:fs"
import { dirname } from "node:path"
import { CofferError } from "../errors.js"
import { errnoOf, ioError, makePrivateFolder } from "./files.js"

/** A rewrite takes milliseconds, so a lock this old is one of a process that was killed. */
const STALE_MS = 5_000
const PAUSE_MS = 20

/** A held lock. */
export interface ShortLock {
  /** @throws CofferError `STORE_LOCKED` if somebody took it over meanwhile (this machine was asleep): write nothing. */
  confirm(): void
}

/**
 * Runs `rewrite` while holding `path`. A stale lock is taken over; its age is told by the file system's own
 * clock, so neither process ids (another container) nor this machine's time (a network drive) mislead it.
 *
 * @param patienceMs - how long to wait for another process before giving up.
 * @throws CofferError `STORE_LOCKED` when patience ends, `IO_FAILED` where no lock can be made.
 */
export function withShortLock<T>(path: string, patienceMs: number, rewrite: (lock: ShortLock) => T): T {
  makePrivateFolder(dirname(path))
  const own = acquire(path, patienceMs)
  const isMine = () => sameFile(findStats(path), own)
  try {
    return rewrite({
      confirm: () => {
        if (!isMine()) throw lockedBy(path)
      },
    })
  } finally {
    if (isMine()) unlinkQuietly(path)
  }
}

function acquire(path: string, patienceMs: number): Stats {
  for (let waited = 0; ; waited += PAUSE_MS) {
    const own = tryCreate(path)
    if (own !== undefined) return own
    if (takeOverStale(path)) continue
    if (waited >= patienceMs) throw lockedBy(path)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS)
  }
}

function tryCreate(path: string): Stats | undefined {
  try {
    const fd = openSync(path, "wx", 0o600)
    try {
      return fstatSync(fd)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return undefined
    throw ioError("lock", path, error)
  }
}

/** Moves the old lock aside, then looks again at what was moved: a fresh one of a faster process goes back. */
function takeOverStale(path: string): boolean {
  const found = findStats(path)
  if (found === undefined) return true
  const aside = `${path}.${process.pid}`
  if (ageMs(found, aside) < STALE_MS) return false
  try {
    renameSync(path, aside)
    if (!sameFile(findStats(aside), found)) linkSync(aside, path)
    return true
  } catch {
    // Another process was faster, or the folder is not writable: wait as for a live one.
    return false
  } finally {
    unlinkQuietly(aside)
  }
}

function ageMs(lock: Stats, probe: string): number {
  try {
    closeSync(openSync(probe, "w", 0o600))
    return statSync(probe).mtimeMs - lock.mtimeMs
  } catch (error) {
    throw ioError("lock", probe, error)
  } finally {
    unlinkQuietly(probe)
  }
}

function sameFile(a: Stats | undefined, b: Stats): boolean {
  return a !== undefined && a.ino === b.ino && a.mtimeMs === b.mtimeMs
}

function lockedBy(path: string): CofferError {
  return new CofferError("STORE_LOCKED", `another coffer process holds "${path}"`, {
    hint: "try again; if nothing else is running, remove that file",
  })
}

function findStats(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false })
  } catch (error) {
    throw ioError("look at", path, error)
  }
}

function unlinkQuietly(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // Already gone.
  }
}
