/** The store lock: one writing coffer process per repository, and none held up by a dead one. */
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { sha256Of } from "../../encoding/sha256.js"
import { CofferError } from "../../errors.js"
import { cofferFolder } from "../coffer-folder.js"
import { findOwnText } from "../disk.js"
import { describeOwner, type Owner, parseOwner, release, tryAcquire } from "../owned-lock.js"

/** What is locked. Where it can `recover`, that is done first, under the lock. */
export interface Lockable {
  readonly commonDir: string
  recover?(): Promise<void>
}

/** Longest wait for one and the same owner, and for a whole queue of them. */
const OWNER_WAIT_MS = 10_000
const QUEUE_WAIT_MS = 60_000

/**
 * Runs `run` alone among the coffer processes of a repository.
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
  const owner = describeOwner()
  await acquire(path, owner, options.wait ?? true)
  try {
    await repository.recover?.()
    return await run(owner.token)
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
