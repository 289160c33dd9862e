/** The store lock: one writing coffer process per repository, and none held up by a dead one. */
import { AsyncLocalStorage } from "node:async_hooks"
import { lstatSync, unlinkSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { sha256Of } from "../../encoding/sha256.js"
import { CofferError } from "../../errors.js"
import { bootId, hasEnded, pidSpace, startOf } from "../process-facts.js"
import { cofferFolder, createLock, findOwnText, remove, renameRetrying } from "./disk.js"

/** What is locked. Where it can `recover`, that is done first, under the lock. */
export interface Lockable {
  readonly commonDir: string
  recover?(): Promise<void>
}

/** Who holds a lock. `boot`, `space` (of pids, as containers have their own) and `started` are empty where unknown. */
interface Owner {
  readonly host: string
  readonly boot: string
  readonly space: string
  readonly pid: number
  readonly started: string
  /** Different for each time a lock is taken. */
  readonly token: string
}

/** Longest wait for one and the same owner, and for a whole queue of them. */
const OWNER_WAIT_MS = 10_000
const QUEUE_WAIT_MS = 60_000

const held = new AsyncLocalStorage<ReadonlyMap<string, string>>()
let taken = 0

/**
 * Runs `run` alone among the coffer processes of a repository. Calls inside `run` go straight on.
 *
 * @param run - gets a token that no other holder of the lock ever has.
 * @param options.wait - false: not at all. Default: 10 s for an owner that makes no headway.
 * @throws CofferError `STORE_LOCKED`, and what `recover` and `run` throw
 */
export async function withStoreLock<T>(
  repository: Lockable,
  run: (token: string) => Promise<T>,
  options: { readonly wait?: boolean } = {},
): Promise<T> {
  const path = join(cofferFolder(repository.commonDir), "lock")
  const outer = held.getStore()
  const holding = outer?.get(path)
  if (holding !== undefined) return run(holding)
  const owner = describeOwner()
  await acquire(path, owner, options.wait ?? true)
  try {
    return await held.run(new Map([...(outer ?? []), [path, owner.token]]), async () => {
      await repository.recover?.()
      return run(owner.token)
    })
  } finally {
    release(path, owner)
  }
}

async function acquire(path: string, owner: Owner, mayWait: boolean): Promise<void> {
  let waited = 0
  let waitedForOwner = 0
  let previous: string | undefined
  for (let attempt = 0; !tryAcquire(path, owner); attempt++) {
    const text = findOwnText(path)
    waitedForOwner = text === previous ? waitedForOwner : 0
    previous = text
    if (!mayWait || waitedForOwner >= OWNER_WAIT_MS || waited >= QUEUE_WAIT_MS) throw storeLocked(path, text)
    // Who has waited longest looks most often: in a crowd nobody is left to the last.
    const pause = Math.max(2, 30 - waited / 100) * jitter(owner, attempt)
    await sleep(pause)
    waited += pause
    waitedForOwner += pause
  }
}

function tryAcquire(path: string, owner: Owner): boolean {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) {
    if (createLock(path, `${path}.${owner.token}`, JSON.stringify(owner))) return true
  }
  const text = findOwnText(path)
  const other = text === undefined ? undefined : parseOwner(text)
  if (other === undefined || !isDead(other, owner)) return false
  return breakLock(path, text!, owner) && tryAcquire(path, owner)
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

function moveAway(path: string, expected: string, aside: string): boolean {
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

function release(path: string, owner: Owner): void {
  try {
    if (parseOwner(findOwnText(path) ?? "")?.token === owner.token) unlinkSync(path)
  } catch {
    // Ours and dead as soon as this process ends: the next one takes it.
  }
}

function describeOwner(): Owner {
  taken += 1
  const owner = {
    host: hostname(),
    boot: bootId(),
    space: pidSpace(),
    pid: process.pid,
    started: startOf(process.pid),
  }
  const token = sha256Of(JSON.stringify([owner, taken, process.hrtime.bigint().toString()]))
  return { ...owner, token: token.toString("hex").slice(0, 32) }
}

function parseOwner(text: string): Owner | undefined {
  try {
    const owner = JSON.parse(text) as Partial<Owner>
    const isComplete = typeof owner.host === "string" && typeof owner.pid === "number"
    return isComplete && typeof owner.token === "string" ? (owner as Owner) : undefined
  } catch {
    return undefined
  }
}

/** Only where that is certain: on this host, after a restart or among pids that are ours to look at. */
function isDead(other: Owner, self: Owner): boolean {
  if (other.host !== self.host) return false
  if (other.boot !== "" && self.boot !== "" && other.boot !== self.boot) return true
  return other.space === self.space && hasEnded(other.pid, other.started)
}

/** Between a half and one and a half, different for each process and attempt. */
function jitter(owner: Owner, attempt: number): number {
  return 0.5 + sha256Of(`${owner.token}${attempt}`)[0]! / 256
}

function storeLocked(path: string, text: string | undefined): CofferError {
  const owner = parseOwner(text ?? "")
  const who =
    owner === undefined ? "another process" : `process ${owner.pid} on ${JSON.stringify(owner.host)}`
  return new CofferError("STORE_LOCKED", `${who} is writing to the store`, {
    hint: `wait for it; if it is certain that it runs no more: rm "${path}"`,
  })
}
