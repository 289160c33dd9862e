/**
 * Lock files that say who holds them, so that nobody is held up by a process that has ended.
 * How long to wait for one that has not is for the callers: short-lock.ts, git/store-lock.ts.
 */
import { lstatSync, unlinkSync } from "node:fs"
import { sha256Of } from "../encoding/sha256.js"
import { createLock, findOwnText, remove, renameRetrying } from "./disk.js"
import { ioError } from "./files.js"
import { bootId, hasEnded, pidSpace, startOf } from "./process-facts.js"

/** Who holds a lock. `boot`, `space` (of pids, as containers have their own) and `started` are empty where unknown. */
export interface Owner {
  readonly host: string
  readonly boot: string
  readonly space: string
  readonly pid: number
  readonly started: string
  /** Different for each time a lock is taken. */
  readonly token: string
}

let taken = 0

/** This process, about to take a lock once. */
export function describeOwner(): Owner {
  taken += 1
  const owner = {
    // Not imported: a `get` takes no lock.
    host: process.getBuiltinModule("node:os").hostname(),
    boot: bootId(),
    space: pidSpace(),
    pid: process.pid,
    started: startOf(process.pid),
  }
  const token = sha256Of(JSON.stringify([owner, taken, process.hrtime.bigint().toString()]))
  return { ...owner, token: token.toString("hex").slice(0, 32) }
}

/**
 * Takes a lock that is free or whose owner has certainly ended.
 *
 * @throws CofferError `IO_FAILED` where no lock can be made.
 */
export function tryAcquire(path: string, owner: Owner): boolean {
  if (!isThere(path)) {
    if (createLock(path, `${path}.${owner.token}`, JSON.stringify(owner))) return true
  }
  const text = findOwnText(path)
  const other = text === undefined ? undefined : parseOwner(text)
  if (other === undefined || !isDead(other, owner)) return false
  return breakLock(path, text!, owner) && tryAcquire(path, owner)
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined
  } catch (error) {
    throw ioError("look at", path, error)
  }
}

/** Whether a lock is still this owner's: another takes it where this one seems dead to it. */
export function isHeldBy(path: string, owner: Owner): boolean {
  return parseOwner(findOwnText(path) ?? "")?.token === owner.token
}

/** Gives a lock back. One that cannot be removed is dead as soon as this process ends: the next one takes it. */
export function release(path: string, owner: Owner): void {
  try {
    if (isHeldBy(path, owner)) unlinkSync(path)
  } catch {
    // As said.
  }
}

/** The owner that a lock's text names; undefined where it is none of coffer's. */
export function parseOwner(text: string): Owner | undefined {
  try {
    const owner = JSON.parse(text) as Partial<Owner>
    const isComplete = typeof owner.host === "string" && typeof owner.pid === "number"
    return isComplete && typeof owner.token === "string" ? (owner as Owner) : undefined
  } catch {
    return undefined
  }
}

/**
 * Takes a dead owner's lock away. Two who both saw it dead must not take the second one's new lock for the old
 * one: only who holds the lock on breaking looks again and removes. A process that dies in these few lines loses
 * that lock by rename, and the content of what was moved decides.
 */
function breakLock(path: string, dead: string, owner: Owner): boolean {
  const breaking = `${path}.break`
  if (!createLock(breaking, `${breaking}.${owner.token}`, JSON.stringify(owner))) {
    const text = findOwnText(breaking)
    const other = text === undefined ? undefined : parseOwner(text)
    if (other !== undefined && isDead(other, owner)) moveAway(breaking, text!, `${breaking}.${owner.token}`)
    return false
  }
  try {
    if (findOwnText(path) !== dead) return false
    return moveAway(path, dead, `${path}.${owner.token}`)
  } finally {
    remove(breaking)
  }
}

/**
 * Removes a lock with a known text by way of `aside`. Where another process has put a new one there meanwhile,
 * that goes back.
 */
export function moveAway(path: string, expected: string, aside: string): boolean {
  try {
    renameRetrying(path, aside)
  } catch {
    return false
  }
  const text = findOwnText(aside)
  if (text === expected || text === undefined) {
    remove(aside)
    return true
  }
  createLock(path, aside, text)
  return false
}

/** Only where that is certain: on this host, after a restart or among pids that are ours to look at. */
function isDead(other: Owner, self: Owner): boolean {
  if (other.host !== self.host) return false
  if (other.boot !== "" && self.boot !== "" && other.boot !== self.boot) return true
  return other.space === self.space && hasEnded(other.pid, other.started)
}
