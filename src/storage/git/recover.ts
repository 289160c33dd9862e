/** Finishing what a killed write left behind: HEAD decides, and only what still holds our bytes is touched. */
import { rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { hasCode } from "../../errors.js"
import { cofferFolder } from "../coffer-folder.js"
import { createLock, findOwnText, remove, renameRetrying } from "../disk.js"
import type { Backend, IndexEdit } from "./backend.js"
import type { Entry, FileChanges, Oid } from "./git.js"
import { type IndexLock, lockIndex } from "./index-lock.js"
import { dropJournal, findJournal, type Journal, type JournalFile, journalTime } from "./journal.js"
import { lookAtFiles, neighbour, preparedFolder, prepareFiles } from "./work-files.js"

/**
 * Undoes, or ends, the write that the journal speaks of, if there is one. The store lock is held by the caller.
 *
 * @param options.wait - false: not for another git process's lock on the index.
 * @throws CofferError `GIT_LOCKED`
 */
export async function recover(backend: Backend, options: { wait: boolean }): Promise<void> {
  const journal = findJournal(backend.gitDir)
  if (journal === undefined) return
  const lock = await lockIndex(backend.gitDir, journal.token, options)
  if (journal.commit === null) await complete(backend, journal)
  else {
    await clearRefLocks(backend, journal.commit)
    // Read only now: without its lock file, a dying `git update-ref` can no longer move the ref.
    const { commit } = await backend.head()
    // Index and files changed before the ref did, so there is nothing to do where it has.
    if (commit !== journal.commit.to) await undo(backend, journal, commit, lock)
  }
  await letGo(backend, journal, lock)
  lock.release()
  forget(backend, journal)
}

/** Ends what the killed write has held back from git in the index. */
async function letGo(backend: Backend, { files }: Journal, lock: IndexLock): Promise<void> {
  if (files.length < 2) return
  const index = await lookupInIndex(backend, files)
  const paths = files.map(({ path }) => path).filter(path => index.get(path)?.[0]?.stage === 0)
  if (paths.length === 0) return
  const copy = lock.copy()
  await backend.refreshIndex(copy, paths)
  lock.replace(copy)
}

/** Ends a write of which nothing is to be seen: its temporary files go, and the journal last. */
export function forget(backend: Backend, journal: Journal): void {
  for (const path of leftovers(backend, journal)) remove(path)
  dropJournal(backend.gitDir)
}

/** Whether the index holds all that the journal speaks of. */
export async function isStaged(backend: Backend, { files }: Journal): Promise<boolean> {
  const index = await lookupInIndex(backend, files)
  return files.every(({ path, to }) => holds(index.get(path), to))
}

/**
 * Sets each path that still holds our bytes, in the index or in the work tree, to what HEAD has. HEAD can have them
 * too, if the user has committed what he found staged: then a work file from before is what would undo it.
 */
async function undo(backend: Backend, journal: Journal, head: Oid | null, lock: IndexLock): Promise<void> {
  const paths = journal.files.map(file => file.path)
  const committed = head === null ? new Map<string, readonly Entry[]>() : await backend.lookup(head, paths)
  const index = await backend.lookup("index", paths)
  const headOf = (path: string) => committed.get(path)?.[0]
  const isCommitted = ({ path, to }: JournalFile) => to === (headOf(path)?.oid ?? null)
  const edits = journal.files
    .filter(file => !isCommitted(file) && holds(index.get(file.path), file.to))
    .map(({ path }) => toEdit(path, headOf(path), index.get(path)))
  if (edits.length > 0) {
    const copy = lock.copy()
    await backend.editIndex(copy, edits)
    lock.replace(copy)
  }
  const files = journal.files
    .filter(file => !isLeftOut(index.get(file.path)))
    .filter(file => workFileHolds(backend, file.path, isCommitted(file) ? file.was : file.to))
    .map(({ path }) => ({ path, to: headOf(path)?.oid ?? null }))
  await writeWorkFiles(backend, journal, files)
}

/** The index was changed at once, so where it holds the change, only work files can be missing. */
async function complete(backend: Backend, journal: Journal): Promise<void> {
  const index = await lookupInIndex(backend, journal.files)
  const files = journal.files
    .filter(({ path, to }) => holds(index.get(path), to) && !isLeftOut(index.get(path)))
    .filter(({ path, was }) => workFileHolds(backend, path, was))
  await writeWorkFiles(backend, journal, files)
}

function lookupInIndex(backend: Backend, files: readonly JournalFile[]) {
  return backend.lookup(
    "index",
    files.map(({ path }) => path),
  )
}

function toEdit(
  path: string,
  committed: Entry | undefined,
  present: readonly Entry[] | undefined,
): IndexEdit {
  if (committed === undefined) return { path, to: null }
  const { mode, oid } = committed
  return { path, to: { mode, oid, skipWorktree: isLeftOut(present) } }
}

function isLeftOut(entries: readonly Entry[] | undefined): boolean {
  return entries?.[0]?.skipWorktree === true
}

async function writeWorkFiles(
  backend: Backend,
  { token }: Journal,
  files: readonly Pick<JournalFile, "path" | "to">[],
): Promise<void> {
  const changes = new Map<string, Uint8Array | null>()
  for (const { path, to } of files) if (to === null) changes.set(path, null)
  const written = files.filter(file => file.to !== null)
  let next = 0
  for await (const { bytes } of backend.blobs(written.map(file => file.to!))) {
    const { path } = written[next++]!
    if (bytes !== undefined) changes.set(path, bytes)
  }
  placeAll(backend, token, changes)
}

function placeAll(backend: Backend, token: string, changes: FileChanges): void {
  const prepared = prepareFiles(backend, token, changes)
  for (const path of changes.keys()) prepared.place(path)
  prepared.discard()
}

function holds(entries: readonly Entry[] | undefined, oid: Oid | null): boolean {
  if (entries === undefined || entries.length === 0) return oid === null
  return entries.length === 1 && entries[0]!.stage === 0 && entries[0]!.oid === oid
}

/** Where the user has put something else meanwhile, a link even, that is left alone. */
function workFileHolds(backend: Backend, path: string, oid: Oid | null): boolean {
  try {
    return lookAtFiles(backend).read(path).oid === oid
  } catch (error) {
    if (hasCode(error, "GIT_DIRTY")) return false
    throw error
  }
}

/**
 * Removes the lock files of a `git update-ref` that was killed together with its parent. The branch's holds our
 * commit id, but for the moment between making and writing it. HEAD's is empty where HEAD names a branch, as git
 * locks it only for the reflog.
 */
async function clearRefLocks(backend: Backend, commit: NonNullable<Journal["commit"]>): Promise<void> {
  const { gitDir, commonDir } = backend
  const head = join(gitDir, "HEAD.lock")
  const branch = commit.ref === null ? undefined : join(commonDir, `${commit.ref}.lock`)
  const { paths, patienceMs } = await findEmptyLocks(backend, commit, { head, branch })
  if (paths.length > 0) {
    const inodes = paths.map(inodeOf)
    await sleep(patienceMs)
    for (const [index, path] of paths.entries())
      if (findOwnText(path) === "" && inodeOf(path) === inodes[index]) rmSync(path, { force: true })
  }
  for (const path of [head, branch]) {
    if (path !== undefined && findOwnText(path)?.trim() === commit.to)
      takeAway(path, join(cofferFolder(gitDir), `ref-lock-${commit.to}`), commit.to)
  }
}

/**
 * Empty locks that are ours, if they are still the same files after so many milliseconds. HEAD's is if the branch's
 * is, or HEAD is at our commit: another process that locks HEAD waits 100 ms for the branch at most, and gives up.
 * Both are if nothing was written to either: another git is in that state for microseconds, or is one that deletes
 * this very branch (`update-ref -d HEAD`), which would have to have begun since the journal was written, and to wait.
 */
async function findEmptyLocks(
  backend: Backend,
  commit: NonNullable<Journal["commit"]>,
  { head, branch }: { head: string; branch: string | undefined },
): Promise<{ paths: readonly string[]; patienceMs: number }> {
  const locks = branch === undefined ? [head] : [head, branch]
  const texts = locks.map(path => findOwnText(path)?.trim())
  if (branch !== undefined && texts[0] === "") {
    const isOurs = texts[1] === commit.to || (await backend.head()).commit === commit.to
    if (isOurs) return { paths: [head], patienceMs: 300 }
  }
  const empty = locks.filter((_, index) => texts[index] === "")
  const since = journalTime(backend.gitDir)
  const isOurs =
    texts.every(text => text === undefined || text === "") && empty.every(path => madeAt(path) >= since)
  return { paths: isOurs ? empty : [], patienceMs: 1000 }
}

function madeAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Number.NEGATIVE_INFINITY
}

/** By rename, so that what is removed is surely what was looked at. */
function takeAway(path: string, aside: string, to: Oid): void {
  // Killed while the lock was made, its second name is still there, and renaming a file to itself does nothing.
  remove(aside)
  try {
    renameRetrying(path, aside)
  } catch {
    // The dying process was faster.
    return
  }
  const text = findOwnText(aside)
  if (text?.trim() !== to) createLock(path, aside, text ?? "")
  remove(aside)
}

function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino
}

function leftovers({ gitDir, workTree }: Backend, { token, files }: Journal): string[] {
  const copy = join(cofferFolder(gitDir), `index-${token}`)
  return [
    preparedFolder(gitDir, token),
    copy,
    `${copy}.lock`,
    join(cofferFolder(gitDir), `index-lock-${token}`),
    ...files
      .map(({ path }) => neighbour(join(workTree, path), token))
      .filter(path => inodeOf(path) !== undefined),
  ]
}
