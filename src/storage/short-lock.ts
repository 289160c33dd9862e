/**
 * The lock around one rewrite of a small private file: held for milliseconds, never while a person is asked.
 * (The lock of whole operations on a store is another: git/store-lock.ts.)
 */
import { closeSync, openSync, statSync } from "node:fs"
import { CofferError } from "../errors.js"
import { findOwnText, remove } from "./disk.js"
import { ioError } from "./files.js"
import { describeOwner, isHeldBy, moveAway, type Owner, release, tryAcquire } from "./owned-lock.js"

/** A rewrite takes milliseconds, so a lock this old is one of a process that was killed where nobody can look. */
const STALE_MS = 5_000
const PAUSE_MS = 20

/** A held lock. */
export interface ShortLock {
  /** @throws CofferError `STORE_LOCKED` if somebody took it over meanwhile (this machine was asleep): write nothing. */
  confirm(): void
}

/**
 * Runs `rewrite` while holding `path`. The lock of a process that has ended is taken over at once, a stale one of
 * a process that cannot be looked at (another container or machine) too. Its age is told by the file system's own
 * clock: this machine's is not that of a network drive.
 *
 * @param path - in a folder that is there.
 * @param patienceMs - how long to wait for another process before giving up.
 * @throws CofferError `STORE_LOCKED` when patience ends, `IO_FAILED` where no lock can be made.
 */
export function withShortLock<T>(path: string, patienceMs: number, rewrite: (lock: ShortLock) => T): T {
  const owner = describeOwner()
  acquire(path, owner, patienceMs)
  try {
    return rewrite({
      confirm: () => {
        if (!isHeldBy(path, owner)) throw lockedBy(path)
      },
    })
  } finally {
    release(path, owner)
  }
}

function acquire(path: string, owner: Owner, patienceMs: number): void {
  for (let waited = 0; !tryAcquire(path, owner); waited += PAUSE_MS) {
    if (takeAwayStale(path, `${path}.${owner.token}`)) continue
    if (waited >= patienceMs) throw lockedBy(path)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS)
  }
}

/** @returns whether it is worth trying again at once. */
function takeAwayStale(path: string, aside: string): boolean {
  const age = ageMs(path, aside)
  if (age === undefined) return true
  const text = age < STALE_MS ? undefined : findOwnText(path)
  return text !== undefined && moveAway(path, text, aside)
}

/** Milliseconds since the lock was made; undefined where it is gone. */
function ageMs(path: string, probe: string): number | undefined {
  try {
    const lock = statSync(path, { throwIfNoEntry: false })
    if (lock === undefined) return undefined
    closeSync(openSync(probe, "wx", 0o600))
    return statSync(probe).mtimeMs - lock.mtimeMs
  } catch (error) {
    throw ioError("look at", path, error)
  } finally {
    remove(probe)
  }
}

function lockedBy(path: string): CofferError {
  return new CofferError("STORE_LOCKED", `another coffer process holds "${path}"`, {
    hint: "try again; if nothing else is running, remove that file",
  })
}
