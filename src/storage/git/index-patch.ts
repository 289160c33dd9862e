/** Changes a few entries of an index and copies the rest byte for byte, in the version it was found in. */
import { createHash } from "node:crypto"
import { CofferError } from "../../errors.js"
import { gitPath } from "../../format/shell.js"
import {
  compareSlots,
  EXTENDED_SKIP_WORKTREE,
  FIXED_BYTES,
  FLAG_ASSUME_VALID,
  FLAG_EXTENDED,
  HEADER_BYTES,
  type IndexExtension,
  type IndexFile,
  type IndexSlot,
  STAT_BYTES,
  slotsAt,
  slotsBelow,
} from "./index-file.js"
import { fromLatin1, toLatin1 } from "./latin1.js"

/** What an entry is set to. It gets no stat data, since the file is put in place later: see index-refresh.ts. */
export interface IndexEntry {
  readonly mode: string
  readonly oid: string
  /** Whether a sparse checkout leaves the file out of the work tree. */
  readonly skipWorktree: boolean
  /** Whether git is to take the work file for unchanged, whatever it holds. */
  readonly held?: boolean
}

/**
 * Returns the index with the given paths set, or removed where the value is null; all stages of such a path
 * give way.
 *
 * Kept: every other entry with its flags, resolve-undo, and the cached trees of untouched folders. Dropped, as
 * git itself drops what a program does not maintain: untracked cache, fsmonitor (they point at entries by
 * number or would call an added file untracked) and the offset tables, which git builds again.
 *
 * @throws CofferError `GIT_DIRTY` where a path needs a folder that is a file in the index, or the reverse.
 */
export function patchIndex(index: IndexFile, changes: ReadonlyMap<string, IndexEntry | null>): Uint8Array {
  const wanted = new Map([...changes].map(([path, entry]) => [toLatin1(path), entry]))
  for (const [path, entry] of wanted) if (entry !== null) checkPlace(index, wanted, path)
  const entries: Output[] = index.slots
    .filter(slot => !wanted.has(slot.path))
    .map(slot => ({ path: slot.path, stage: slot.stage, slot }))
  const added = [...wanted].flatMap(([path, entry]): Output[] =>
    entry === null ? [] : [{ path, stage: 0, fixed: fixedPart(path, entry) }],
  )
  const merged = mergeSorted(entries, added.sort(compareSlots))
  const header = Buffer.from(index.bytes.subarray(0, HEADER_BYTES))
  // Version 2 has no place for the flag of a sparse checkout; version 3 is the same with one.
  const isSparse = [...wanted.values()].some(entry => entry?.skipWorktree)
  header.writeUInt32BE(Math.max(index.version, isSparse ? 3 : 2), 4)
  header.writeUInt32BE(merged.length, 8)
  const body = [header, ...printEntries(index, merged), ...printExtensions(index, wanted.keys())]
  const hash = createHash("sha1")
  for (const part of body) hash.update(part)
  return Buffer.concat([...body, hash.digest()])
}

/** An entry of the result: an untouched slot of the old index, or a new fixed part. */
type Output = { path: string; stage: 0 | 1 | 2 | 3 } & (
  | { slot: IndexSlot; fixed?: never }
  | { fixed: Buffer; slot?: never }
)

/** Git never holds "a" and "a/b" at once: its trees could not. */
function checkPlace(index: IndexFile, wanted: ReadonlyMap<string, IndexEntry | null>, path: string): void {
  const stays = (slot: IndexSlot) => wanted.get(slot.path) !== null
  const below = slotsBelow(index, path).find(stays)
  if (below !== undefined) throw clash(...texts(path, below.path))
  for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
    const file = slotsAt(index, path.slice(0, at)).find(stays)
    if (file !== undefined) throw clash(...texts(path, file.path))
  }
}

function texts(...paths: [string, string]): [string, string] {
  return [fromLatin1(paths[0]), fromLatin1(paths[1])]
}

/** What is staged would have to go for a path that is wanted. */
export function clash(wanted: string, staged: string): CofferError {
  return new CofferError("GIT_DIRTY", `"${wanted}" cannot be added: "${staged}" is staged`, {
    hint: `git restore --staged -- ${gitPath(staged)}`,
  })
}

function mergeSorted(kept: readonly Output[], added: readonly Output[]): Output[] {
  const merged: Output[] = []
  let at = 0
  for (const entry of added) {
    while (at < kept.length && compareSlots(kept[at]!, entry) < 0) merged.push(kept[at++]!)
    merged.push(entry)
  }
  while (at < kept.length) merged.push(kept[at++]!)
  return merged
}

function fixedPart(path: string, { mode, oid, skipWorktree, held }: IndexEntry): Buffer {
  const fixed = Buffer.alloc(FIXED_BYTES + (skipWorktree ? 2 : 0))
  fixed.writeUInt32BE(Number.parseInt(mode, 8), 24)
  fixed.write(oid, STAT_BYTES, "hex")
  const length = Math.min(path.length, 0xfff) | (held ? FLAG_ASSUME_VALID : 0)
  fixed.writeUInt16BE(skipWorktree ? length | FLAG_EXTENDED : length, FIXED_BYTES - 2)
  if (skipWorktree) fixed.writeUInt16BE(EXTENDED_SKIP_WORKTREE, FIXED_BYTES)
  return fixed
}

/**
 * Untouched entries are copied in runs. In version 4 a path is stored as a difference to the one before, so
 * the entry after a change is written anew.
 */
function printEntries(index: IndexFile, entries: readonly Output[]): Buffer[] {
  const parts: Buffer[] = []
  let run: { from: number; to: number } | undefined
  const endRun = () => {
    if (run !== undefined) parts.push(index.bytes.subarray(run.from, run.to))
    run = undefined
  }
  let previous: Output | undefined
  for (const entry of entries) {
    const { slot } = entry
    const follows = slot !== undefined && (previous?.slot?.end ?? (previous ? -1 : HEADER_BYTES)) === slot.at
    if (slot !== undefined && (follows || index.version < 4)) {
      if (run?.to !== slot.at) endRun()
      run = { from: run?.from ?? slot.at, to: slot.end }
    } else {
      endRun()
      const fixed = slot ? index.bytes.subarray(slot.at, slot.at + slot.fixedBytes) : entry.fixed
      parts.push(fixed, printPath(index.version, entry.path, previous?.path ?? "", fixed.length))
    }
    previous = entry
  }
  endRun()
  return parts
}

function printPath(version: number, path: string, previous: string, fixedBytes: number): Buffer {
  if (version < 4)
    return Buffer.from(path.padEnd(path.length + 8 - ((fixedBytes + path.length) & 7), "\0"), "latin1")
  let common = 0
  while (common < path.length && path[common] === previous[common]) common++
  return Buffer.concat([
    printOffsetNumber(previous.length - common),
    Buffer.from(`${path.slice(common)}\0`, "latin1"),
  ])
}

function printOffsetNumber(value: number): Buffer {
  const bytes = [value & 127]
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) bytes.unshift(128 | (--rest & 127))
  return Buffer.from(bytes)
}

function printExtensions(index: IndexFile, paths: Iterable<string>): Buffer[] {
  return index.extensions.flatMap(({ signature, data }) => {
    if (signature === "REUC") return printExtension({ signature, data })
    if (signature !== "TREE") return []
    const trees = invalidateTrees(data, new Set(["", ...[...paths].flatMap(foldersOf)]))
    return trees === undefined ? [] : printExtension({ signature, data: trees })
  })
}

function printExtension({ signature, data }: IndexExtension): Buffer[] {
  const header = Buffer.alloc(8)
  header.write(signature, "latin1")
  header.writeUInt32BE(data.length, 4)
  return [header, data]
}

/** The folders that a path lies in, the innermost first, without the top one. */
export function foldersOf(path: string): string[] {
  const folders: string[] = []
  for (let at = path.lastIndexOf("/"); at > 0; at = path.lastIndexOf("/", at - 1))
    folders.push(path.slice(0, at))
  return folders
}

/**
 * Marks the cached trees of some folders as unknown, so that git writes them anew at the next commit, and only
 * those. A record is: name, NUL, "<entries> <subtrees>\n", the tree's id unless entries is -1, the subtrees.
 *
 * @returns undefined where the data is damaged: it is a cache, and git does without.
 */
function invalidateTrees(data: Buffer, folders: ReadonlySet<string>): Buffer | undefined {
  const parts: Buffer[] = []
  const open: { path: string; left: number }[] = []
  let at = 0
  while (at < data.length) {
    const nameEnd = data.indexOf(0, at)
    const lineEnd = data.indexOf(10, nameEnd)
    if (nameEnd < 0 || lineEnd < 0) return undefined
    const counts = /^(-1|\d+) (\d+)$/.exec(data.toString("latin1", nameEnd + 1, lineEnd))
    if (counts === null) return undefined
    const end = lineEnd + 1 + (counts[1] === "-1" ? 0 : 20)
    if (end > data.length) return undefined
    while (open.at(-1)?.left === 0) open.pop()
    const parent = open.at(-1)
    if (parent === undefined && at > 0) return undefined
    if (parent !== undefined) parent.left--
    const name = data.toString("latin1", at, nameEnd)
    const path = parent?.path ? `${parent.path}/${name}` : name
    if (folders.has(path))
      parts.push(data.subarray(at, nameEnd), Buffer.from(`\0-1 ${counts[2]}\n`, "latin1"))
    else parts.push(data.subarray(at, end))
    open.push({ path, left: Number(counts[2]) })
    at = end
  }
  return Buffer.concat(parts)
}
