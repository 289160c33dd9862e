/** The repository's index as the embedded back end reads and edits it. */
import { readFileSync } from "node:fs"
import { errnoOf, ioError } from "../files.js"
import type { IndexEdit } from "./backend.js"
import type { GitFiles } from "./embedded-files.js"
import type { Change, Entry, Oid } from "./git.js"
import {
  emptyIndex,
  type IndexFile,
  type IndexSlot,
  isIntentToAdd,
  isSkipWorktree,
  parseIndex,
  slotMode,
  slotOid,
  slotsAt,
  slotsBelow,
} from "./index-file.js"
import { patchIndex } from "./index-patch.js"
import { fromLatin1, toLatin1 } from "./latin1.js"
import type { ObjectReader } from "./object-reader.js"
import { compareFiles, filesBelow, type TreeFile } from "./trees.js"

/** Reads an index; where there is no file, nothing was ever added. */
export function readIndex(file: string): IndexFile {
  try {
    return parseIndex(readFileSync(file))
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return emptyIndex()
    throw errnoOf(error) === undefined ? error : ioError("read", file, error)
  }
}

/** All entries at or below a prefix ("" for all). */
export function listIndex(index: IndexFile, prefix: string): Entry[] {
  return slotsWithin(index, prefix).map(slot => toEntry(index, slot))
}

/** The entries of one path, in all stages. */
export function findInIndex(index: IndexFile, path: string): Entry[] {
  return slotsAt(index, toLatin1(path)).map(slot => toEntry(index, slot))
}

/**
 * What differs between a commit or tree (null: an empty one) and the index at or below a prefix. A path that will only be
 * added (`git add -N`) is not there yet.
 */
export async function diffTreeAndIndex(
  objects: ObjectReader,
  from: Oid | null,
  index: IndexFile,
  prefix: string,
): Promise<Change[]> {
  const staged = new Map<string, TreeFile>()
  const conflicted = new Set<string>()
  for (const slot of slotsWithin(index, prefix)) {
    const { path, stage } = slot
    if (stage !== 0) conflicted.add(path)
    else if (!isIntentToAdd(index, slot)) {
      staged.set(path, { path, mode: slotMode(index, slot), oid: slotOid(index, slot) })
    }
  }
  const committed = new Map((await filesBelow(objects, from, prefix)).map(file => [file.path, file]))
  const changes: Change[] = []
  for (const path of [...new Set([...committed.keys(), ...staged.keys(), ...conflicted])].sort()) {
    const before = committed.get(path)
    const change = compareFiles(before, staged.get(path))
    if (!conflicted.has(path)) {
      if (change !== undefined) changes.push(change)
      continue
    }
    changes.push({
      path: fromLatin1(path),
      ...(before ? { from: { mode: before.mode, oid: before.oid } } : {}),
      conflicted: true,
    })
  }
  return changes
}

/** Changes entries of the index in a private file, which is made where it is not there. */
export function editIndexFile(files: GitFiles, file: string, edits: readonly IndexEdit[]): void {
  files.write(file, patchIndex(readIndex(file), new Map(edits.map(({ path, to }) => [path, to]))))
}

function slotsWithin(index: IndexFile, prefix: string): readonly IndexSlot[] {
  const path = toLatin1(prefix)
  return path === "" ? index.slots : [...slotsAt(index, path), ...slotsBelow(index, path)]
}

function toEntry(index: IndexFile, slot: IndexSlot): Entry {
  return {
    path: fromLatin1(slot.path),
    mode: slotMode(index, slot),
    oid: slotOid(index, slot),
    stage: slot.stage,
    skipWorktree: isSkipWorktree(index, slot),
  }
}
