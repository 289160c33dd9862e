/** One commit on HEAD, made of HEAD's tree and the changed files. */
import { equalBytes } from "../../encoding.js"
import { CofferError, hasCode } from "../../errors.js"
import { inProgress } from "../repository.js"
import type { Backend, RefLock } from "./backend.js"
import { tidyMessage } from "./commit-message.js"
import type { CommitChange, CommitFiles, FileChanges, Oid } from "./git.js"
import { type JournalFile, writeJournal } from "./journal.js"
import { inspectForCommit, isUnchanged } from "./snapshot.js"
import { carryOut, journalFiles, type Writer } from "./write.js"

/** Commits the files on HEAD. The store lock is held by the caller. */
export async function commitChange(writer: Writer, token: string, wanted: CommitChange): Promise<Oid> {
  const { backend, reached } = writer
  const message = checkMessage(wanted.message)
  requireTime(wanted.at)
  refuseInProgress(backend)
  const { ref, commit: present } = await backend.head()
  let change = await onTopOf(backend, { ...wanted, message }, present)
  const paths = [...wanted.files.keys()]
  const snapshot = await inspectForCommit(backend, change.base, paths)
  reached("checked")
  // Nothing of git's is locked yet: signing may wait for a person to type a PIN.
  const made = new Map<string, Uint8Array | null>()
  let commit = await backend.writeCommit({ ...change, files: recordIn(made, wanted.files) })
  change = { ...change, files: made }
  reached("objects")
  const files = journalFiles(backend, snapshot, made)
  await readBack(backend, files, made)
  const journal = () => ({ token, commit: { ref, from: change.base, to: commit }, files })

  async function lockHead(): Promise<RefLock> {
    const now = await backend.head()
    if (now.ref !== ref) throw moved()
    refuseInProgress(backend)
    if (now.commit !== change.base) {
      if (await backend.signs()) throw moved()
      change = await onTopOf(backend, change, now.commit)
      commit = await backend.writeCommit(change)
      writeJournal(backend.gitDir, journal())
    }
    if (!isUnchanged(backend, snapshot)) await inspectForCommit(backend, change.base, paths)
    return backend.lockRef({ ...journal().commit, reason: reasonOf(change), at: change.at })
  }

  await carryOut(writer, {
    journal: journal(),
    files: made,
    snapshot,
    lockHead: () => retryMoved(lockHead),
    isDone: async () => (await backend.head()).commit === commit,
  })
  return commit
}

/** Makes sure that a commit of these paths could be made. @throws CofferError `GIT_DIRTY`, `GIT_CONFLICTED`, `GIT_MOVED` */
export async function requireClean(
  backend: Backend,
  base: Oid | null,
  paths: readonly string[],
): Promise<void> {
  if ((await backend.head()).commit !== base) throw moved()
  await inspectForCommit(backend, base, paths)
}

/** A `git commit` that was under way when the index was locked can still move HEAD: few do, and soon all have. */
const MOVES = 5

async function retryMoved<T>(lockHead: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await lockHead()
    } catch (error) {
      if (!hasCode(error, "GIT_MOVED") || attempt === MOVES) throw error
    }
  }
}

/**
 * The change as one of this HEAD: the same where HEAD has moved, but not in the folder that the change was made from.
 *
 * @throws CofferError `GIT_MOVED`
 */
async function onTopOf(backend: Backend, change: CommitChange, head: Oid | null): Promise<CommitChange> {
  const { base, scope, files } = change
  if (head === base) return change
  if (head === null || base === null || scope === undefined) throw moved()
  for (const path of files.keys()) if (!path.startsWith(`${scope}/`)) throw moved()
  if ((await backend.changes(base, head, scope)).length > 0) throw moved()
  return { ...change, base: head }
}

/** The files, which are put into `made` as well when they are made. */
function recordIn(made: Map<string, Uint8Array | null>, files: CommitFiles): CommitFiles {
  return {
    keys: () => files.keys(),
    async *entries() {
      for await (const file of files.entries()) {
        made.set(...file)
        yield file
      }
    },
  }
}

/** What cannot be read again as it was written must not become the store's only copy. */
async function readBack(backend: Backend, files: readonly JournalFile[], made: FileChanges): Promise<void> {
  const written = files.filter(({ to }) => to !== null)
  let next = 0
  for await (const { oid, bytes } of backend.blobs(written.map(({ to }) => to!))) {
    const { path } = written[next++]!
    if (bytes !== undefined && equalBytes(bytes, made.get(path)!)) continue
    throw new CofferError("GIT_FAILED", `object ${oid} of "${path}" does not read back as it was written`)
  }
}

/** From JavaScript anything can come as a message, and a commit with a NUL byte is none to git. Hooks add lines at its end. */
function checkMessage(message: string): string {
  const isText = typeof message === "string" && !message.includes("\0")
  const tidy = isText ? tidyMessage(message) : ""
  if (tidy !== "") return tidy
  throw new CofferError(
    "VALUE_INVALID",
    `the commit message ${isText ? "is empty" : "is no text, or holds a NUL byte"}`,
    {
      hint: "a string of lines; left out, the operation has a message of its own",
    },
  )
}

/** Git's commits count from 1970; the program refuses an earlier time half way, with the objects written. */
function requireTime(at: Date): void {
  if (at.getTime() >= 0) return
  throw new CofferError("VALUE_INVALID", "git keeps no time before 1970", {
    hint: "look at the clock: date",
  })
}

/** As `git commit` words it. */
function reasonOf({ base, message }: CommitChange): string {
  return `commit${base === null ? " (initial)" : ""}: ${message.split("\n", 1)[0]}`
}

/** @throws CofferError `GIT_IN_PROGRESS` */
export function refuseInProgress(backend: Backend): void {
  const state = inProgress(backend)
  if (state !== "clean") {
    const ways =
      state === "bisect"
        ? "end it (git bisect reset)"
        : `finish it (git ${state} --continue) or end it (git ${state} --abort)`
    throw new CofferError("GIT_IN_PROGRESS", `a ${state} is in progress`, {
      hint: `${ways}; coffer resolve and --no-commit work meanwhile`,
    })
  }
  if (backend.foreignIndex !== undefined) {
    throw new CofferError(
      "GIT_IN_PROGRESS",
      "GIT_INDEX_FILE names another index: a git commit is in progress",
      {
        hint: "run this outside the hook, or unset GIT_INDEX_FILE",
      },
    )
  }
}

function moved(): CofferError {
  return new CofferError("GIT_MOVED", "HEAD or the index has changed meanwhile", {
    hint: "run the command again",
  })
}
