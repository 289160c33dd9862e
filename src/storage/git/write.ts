/** The write protocol, the same for a commit and for a staged change: a kill at any point leaves it done or undone. */
import { setTimeout as sleep } from "node:timers/promises"
import { remove } from "../disk.js"
import type { Backend, IndexEdit, RefLock } from "./backend.js"
import type { FileChanges } from "./git.js"
import { type IndexLock, indexFingerprint, lockIndex } from "./index-lock.js"
import { dropJournal, type Journal, type JournalFile, writeJournal } from "./journal.js"
import { blobId } from "./object.js"
import { forget, recover } from "./recover.js"
import type { Snapshot } from "./snapshot.js"
import { type PreparedFiles, prepareFiles, type WrittenFile } from "./work-files.js"

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

/** A write whose objects are on disk: what is left is to make them count. */
export interface Write {
  readonly journal: Journal
  readonly files: FileChanges
  readonly snapshot: Snapshot
  /** Looks again, under the lock on the index, whether all is as it was, and locks HEAD if it is to move. */
  readonly lockHead: () => Promise<RefLock | undefined>
  /** Whether the write has come to its end, for when that is where it failed. */
  readonly isDone: () => Promise<boolean>
}

/**
 * Changes index, work tree and HEAD, in this order: until the ref moves there is only an ordinary staged change,
 * which no later commit of the user's can turn into a revert. (With the ref first, a kill, the lock removed by hand
 * as git advises, and the user's next commit put the old secret back.) The store lock is held by the caller.
 *
 * @see docs/design.md, "Writing"
 */
export async function carryOut(writer: Writer, write: Write): Promise<void> {
  const ready = await prepare(writer, write)
  let counts = false
  try {
    await apply(writer, write, ready, () => (counts = true))
  } catch (error) {
    // Known here even where HEAD can no longer be read.
    if (!(await isDoneAfterAll(writer, write)) && !counts) throw error
  }
}

/** The files of a write as its journal names them. */
export function journalFiles({ oidHex }: Backend, { work }: Snapshot, files: FileChanges): JournalFile[] {
  return [...files].map(([path, bytes]) => ({
    path,
    was: work.get(path) ?? null,
    to: bytes === null ? null : blobId(bytes, oidHex),
  }))
}

/** A write whose files wait to be put in place, with the index locked. */
interface Ready {
  readonly prepared: PreparedFiles
  readonly lock: IndexLock
}

/** Writes the journal and all that needs space, and locks the index. Nothing has changed if this fails. */
async function prepare({ backend, reached }: Writer, { journal, files }: Write): Promise<Ready> {
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

async function apply(
  { backend, reached }: Writer,
  { journal, snapshot, lockHead }: Write,
  { prepared, lock }: Ready,
  done: () => void,
): Promise<void> {
  reached("index-locked")
  const isBusy = indexFingerprint(backend.gitDir) !== snapshot.index
  const copy = lock.copy()
  const edits = journal.files.map(file => toEdit(file, snapshot.leftOut))
  const held = holdBack(edits)
  await backend.editIndex(copy, held)
  reached("index-prepared")
  const ref = await lockHead()
  let placed: string
  try {
    reached("ref-locked")
    lock.replace(copy)
    placed = indexFingerprint(backend.gitDir)
    reached("index")
    for (const { path } of journal.files) {
      if (snapshot.leftOut.has(path)) continue
      prepared.place(path)
      reached("work-file")
    }
    reached("work-files")
    await ref?.commit()
    // A failure from here on is still a success.
    done()
  } finally {
    await ref?.release()
  }
  reached("ref")
  prepared.discard()
  const refreshed = await refresh(backend, lock, edits, prepared)
  lock.release()
  // The journal stays then: the next command ends it.
  if (refreshed === undefined && held !== edits) return
  placed = refreshed ?? placed
  reached("index-unlocked")
  if (isBusy) await sleep(SETTLE_MS)
  if (indexFingerprint(backend.gitDir) !== placed) await stageAgain(backend, journal, edits)
  dropJournal(backend.gitDir)
}

/**
 * Of several files some can be in place and others not: then git is kept from looking at them. One file is there or
 * it is not, and either is a whole state.
 */
function holdBack(edits: readonly IndexEdit[]): readonly IndexEdit[] {
  const isMany = edits.filter(({ to }) => to?.skipWorktree !== true).length > 1
  const hold = ({ path, to }: IndexEdit) => ({ path, to: to && { ...to, held: !to.skipWorktree } })
  return isMany ? edits.map(hold) : edits
}

/** The index once more, with the stat data of the files that are in place now. Without it git looks into them. */
async function refresh(
  backend: Backend,
  lock: IndexLock,
  edits: readonly IndexEdit[],
  prepared: PreparedFiles,
): Promise<string | undefined> {
  const paths: string[] = []
  const written = new Map<string, WrittenFile>()
  for (const { path, to } of edits) {
    if (to === null) continue
    paths.push(path)
    const mark = prepared.markOf(path)
    if (mark !== undefined) written.set(path, { oid: to.oid, mark })
  }
  if (paths.length === 0) return indexFingerprint(backend.gitDir)
  const copy = lock.copy()
  try {
    await backend.refreshIndex(copy, paths, written)
    lock.replace(copy)
    return indexFingerprint(backend.gitDir)
  } catch {
    remove(copy)
    return undefined
  }
}

/** Where somebody has just written the index, another write of it may be on its way. */
const SETTLE_MS = 20

/**
 * Puts paths right that have gone back in the index to what they were: `git commit` reads the index before it locks
 * it, so one that was under way writes back what it read before ours was there, and then fails because HEAD has moved.
 */
async function stageAgain(backend: Backend, journal: Journal, edits: readonly IndexEdit[]): Promise<void> {
  const paths = journal.files.map(({ path }) => path)
  const findBack = async () => {
    const now = await backend.lookup("index", paths)
    return edits.filter((edit, index) => {
      const [entry, ...others] = now.get(edit.path) ?? []
      const { was, to } = journal.files[index]!
      return others.length === 0 && (entry?.oid ?? null) === was && was !== to
    })
  }
  // Mostly it was an ordinary `git add`: whoever works on the index is not kept from it for nothing.
  if ((await findBack()).length === 0) return
  const lock = await lockIndex(backend.gitDir, journal.token, { wait: true })
  try {
    const back = await findBack()
    if (back.length === 0) return
    const copy = lock.copy()
    await backend.editIndex(copy, back)
    lock.replace(copy)
  } finally {
    lock.release()
  }
}

function toEdit({ path, to }: JournalFile, leftOut: ReadonlySet<string>): IndexEdit {
  return { path, to: to === null ? null : { mode: "100644", oid: to, skipWorktree: leftOut.has(path) } }
}

/** Undoes what a failed write changed, or ends it, and says which. */
async function isDoneAfterAll({ backend }: Writer, { isDone }: Write): Promise<boolean> {
  try {
    await recover(backend, { wait: true })
  } catch {
    // The journal is still there: the next command tries again. What went wrong first is what to report.
  }
  return isDone().catch(() => false)
}
