/** The write protocol: one commit, or a staged change, that a kill at any point leaves either done or undone. */
import { CofferError } from "../../errors.js"
import { inProgress } from "../repository.js"
import type { Backend, IndexEdit, RefUpdate } from "./backend.js"
import { blobId } from "./disk.js"
import type { CommitChange, FileChanges, Oid } from "./git.js"
import { type IndexLock, lockIndex } from "./index-lock.js"
import { dropJournal, type Journal, type JournalFile, writeJournal } from "./journal.js"
import { forget, isStaged, recover } from "./recover.js"
import { inspectForCommit, inspectForStage, isUnchanged, type Snapshot } from "./snapshot.js"
import { type PreparedFiles, prepareFiles } from "./work-files.js"

/** What a write has just done, in this order: where tests kill it or let the next step fail. */
export type Step =
  | "checked"
  | "objects"
  | "journal"
  | "files-prepared"
  | "index-locked"
  | "index-prepared"
  | "ref-locked"
  | "index"
  | "work-file"
  | "work-files"
  | "ref"
  | "index-unlocked"

/** A back end, and who is told of each step. */
export interface Writer {
  readonly backend: Backend
  readonly reached: (step: Step) => void
}

/**
 * Commits the files on HEAD. The store lock is held by the caller.
 *
 * Index and work tree change before the ref: until the ref moves there is only an ordinary staged change, which
 * no later commit of the user's can turn into a revert. (With the ref first, a kill, the lock removed by hand as
 * git advises, and the user's next commit put the old secret back.)
 *
 * @see docs/design.md, "Writing"
 */
export async function commitChange(writer: Writer, token: string, wanted: CommitChange): Promise<Oid> {
  const { backend, reached } = writer
  refuseInProgress(backend)
  const head = await backend.head()
  let change = await onTopOf(backend, wanted, head.commit)
  const paths = [...change.files.keys()]
  const snapshot = await inspectForCommit(backend, change.base, paths)
  reached("checked")
  // Nothing of git's is locked yet: signing may wait for a person to type a PIN.
  let commit = await backend.writeCommit(change)
  reached("objects")
  if (change.readBack !== undefined) await readBack(backend, change)
  const files = journalFiles(backend, snapshot, change.files)
  const journal = () => ({ token, commit: { ref: head.ref, from: change.base, to: commit }, files })
  const ready = await prepare(writer, journal(), change.files)
  try {
    await apply(writer, files, ready, snapshot, async () => {
      const now = await backend.head()
      if (now.ref !== head.ref) throw moved()
      refuseInProgress(backend)
      if (now.commit !== change.base) {
        if (await backend.signs()) throw moved()
        change = await onTopOf(backend, change, now.commit)
        commit = await backend.writeCommit(change)
        writeJournal(backend.gitDir, journal())
      }
      if (!isUnchanged(backend, snapshot)) await inspectForCommit(backend, change.base, paths)
      return { ...journal().commit, reason: reasonOf(change), at: change.at }
    })
    return commit
  } catch (error) {
    // HEAD decides: the failure may have come after it moved.
    const isDone = async () => (await backend.head()).commit === commit
    if (await isDoneAfterAll(backend, isDone)) return commit
    throw error
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
  for await (const _ of backend.changes(base, head, scope)) throw moved()
  return { ...change, base: head }
}

/** Changes index and work tree without a commit. The store lock is held by the caller. */
export async function stageChange(writer: Writer, token: string, files: FileChanges): Promise<void> {
  const { backend, reached } = writer
  const snapshot = await inspectForStage(backend, [...files.keys()])
  reached("checked")
  await backend.writeBlobs([...files.values()].filter(bytes => bytes !== null))
  reached("objects")
  const journal = { token, commit: null, files: journalFiles(backend, snapshot, files) }
  const ready = await prepare(writer, journal, files)
  try {
    await apply(writer, journal.files, ready, snapshot, async () => {
      if (!isUnchanged(backend, snapshot)) await inspectForStage(backend, [...files.keys()])
      return undefined
    })
  } catch (error) {
    if (!(await isDoneAfterAll(backend, () => isStaged(backend, journal)))) throw error
  }
}

/** A write whose files wait to be put in place, with the index locked. */
interface Ready {
  readonly prepared: PreparedFiles
  readonly lock: IndexLock
}

/** Writes the journal and all that needs space, and locks the index. Nothing has changed if this fails. */
async function prepare({ backend, reached }: Writer, journal: Journal, files: FileChanges): Promise<Ready> {
  writeJournal(backend.gitDir, journal)
  try {
    reached("journal")
    const prepared = prepareFiles(backend, journal.token, files)
    reached("files-prepared")
    return { prepared, lock: await lockIndex(backend.gitDir, journal.token, { wait: true }) }
  } catch (error) {
    forget(backend, journal)
    throw error
  }
}

/** The changes themselves. `check` looks again under the lock, and says how HEAD is to move. */
async function apply(
  { backend, reached }: Writer,
  files: readonly JournalFile[],
  { prepared, lock }: Ready,
  snapshot: Snapshot,
  check: () => Promise<RefUpdate | undefined>,
): Promise<void> {
  reached("index-locked")
  const update = await check()
  const copy = lock.copy()
  await backend.editIndex(
    copy,
    files.map(file => toEdit(file, snapshot.leftOut)),
  )
  reached("index-prepared")
  const ref = update === undefined ? undefined : await backend.lockRef(update)
  try {
    reached("ref-locked")
    lock.replace(copy)
    reached("index")
    for (const { path } of files) {
      if (snapshot.leftOut.has(path)) continue
      prepared.place(path)
      reached("work-file")
    }
    reached("work-files")
    await ref?.commit()
  } catch (error) {
    await ref?.abort()
    throw error
  }
  // It is done: a failure from here on is still a success, see `isDoneAfterAll`.
  reached("ref")
  prepared.discard()
  lock.release()
  reached("index-unlocked")
  dropJournal(backend.gitDir)
}

/** Undoes what a failed write changed, or ends it, and says which. */
async function isDoneAfterAll(backend: Backend, isDone: () => Promise<boolean>): Promise<boolean> {
  try {
    await recover(backend, { wait: true })
  } catch {
    // The journal is still there: the next command tries again. What went wrong first is what to report.
  }
  return isDone().catch(() => false)
}

async function readBack(backend: Backend, { files, readBack }: CommitChange): Promise<void> {
  const written = [...files].filter((file): file is [string, Uint8Array] => file[1] !== null)
  let next = 0
  for await (const { oid, bytes } of backend.blobs(
    written.map(([, bytes]) => blobId(bytes, backend.oidHex)),
  )) {
    const [path] = written[next++]!
    if (bytes === undefined)
      throw new CofferError("GIT_FAILED", `object ${oid} of "${path}" was written and is not there`)
    await readBack!(path, bytes)
  }
}

function journalFiles({ oidHex }: Backend, { work }: Snapshot, files: FileChanges): JournalFile[] {
  return [...files].map(([path, bytes]) => ({
    path,
    was: work.get(path) ?? null,
    to: bytes === null ? null : blobId(bytes, oidHex),
  }))
}

function toEdit({ path, to }: JournalFile, leftOut: ReadonlySet<string>): IndexEdit {
  return { path, to: to === null ? null : { mode: "100644", oid: to, skipWorktree: leftOut.has(path) } }
}

/** As `git commit` words it. */
function reasonOf({ base, message }: CommitChange): string {
  return `commit${base === null ? " (initial)" : ""}: ${message.split("\n", 1)[0]}`
}

function refuseInProgress(backend: Backend): void {
  const state = inProgress(backend)
  if (state !== "clean") {
    throw new CofferError("GIT_IN_PROGRESS", `a ${state} is in progress`, {
      hint: `finish it (git ${state} --continue) or end it (git ${state} ${state === "bisect" ? "reset" : "--abort"}); coffer resolve and --no-commit work meanwhile`,
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
