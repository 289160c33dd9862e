/** The journal: what a write in progress is about to change, so that the next process can finish or undo it. */
import { lstatSync, statSync } from "node:fs"
import { join } from "node:path"
import { CofferError } from "../../errors.js"
import { cofferFolder } from "../coffer-folder.js"
import { findOwnText, remove, writeDurably } from "../disk.js"
import { errnoOf, ioError } from "../files.js"
import { JOURNAL_PATH } from "../repository.js"
import type { Oid } from "./git.js"

/** A write in progress. */
export interface Journal {
  /** In our `index.lock`, and in the names of our temporary files. */
  readonly token: string
  /** A commit that never got to HEAD is undone, a change that was only to be staged is completed. */
  readonly commit: { readonly ref: string | null; readonly from: Oid | null; readonly to: Oid } | null
  readonly files: readonly JournalFile[]
}

/** One path of the write: the blob that its work file held before, and the one that it is to hold; null: none. */
export interface JournalFile {
  readonly path: string
  readonly was: Oid | null
  readonly to: Oid | null
}

const FORMAT = 1

/** Whether there is a journal; costs one stat. */
export function hasJournal(gitDir: string): boolean {
  const path = journalPath(gitDir)
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined
  } catch (error) {
    // Something else has our folder's name: a write will say so.
    if (errnoOf(error) === "ENOTDIR") return false
    throw ioError("look at", path, error)
  }
}

/** Writes the journal so that it is on disk before anything it speaks of is changed. */
export function writeJournal(gitDir: string, journal: Journal): void {
  cofferFolder(gitDir)
  writeDurably(journalPath(gitDir), JSON.stringify({ format: FORMAT, ...journal }))
}

/** Reads the journal if there is one. @throws CofferError `GIT_UNSUPPORTED` for a newer coffer's */
export function findJournal(gitDir: string): Journal | undefined {
  const path = journalPath(gitDir)
  const text = findOwnText(path)
  if (text === undefined) return undefined
  try {
    const journal = JSON.parse(text) as Journal & { format: number }
    if (journal.format === FORMAT) return journal
  } catch {
    // Written and renamed whole: a broken one was not written by coffer.
  }
  throw new CofferError("GIT_UNSUPPORTED", `"${path}" is not a journal that this coffer can read`, {
    hint: `run the coffer that wrote it; or compare git status with what you expect, then: rm "${path}"`,
  })
}

/** When the journal was written, in milliseconds of the file system's clock. */
export function journalTime(gitDir: string): number {
  return statSync(journalPath(gitDir)).mtimeMs
}

/** Ends the write: nothing is left to finish. */
export function dropJournal(gitDir: string): void {
  remove(journalPath(gitDir))
}

function journalPath(gitDir: string): string {
  return join(gitDir, JOURNAL_PATH)
}
