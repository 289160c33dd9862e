/** Gives index entries what git remembers of their files, in place: nothing is read through filters, nothing started. */
import { createHash } from "node:crypto"
import { type BigIntStats, closeSync, constants, fsyncSync, openSync, readFileSync } from "node:fs"
import { writeAll } from "../files.js"
import { FIXED_BYTES, FLAG_ASSUME_VALID, isSkipWorktree, parseIndex, slotOid, slotsAt } from "./index-file.js"
import { toLatin1 } from "./latin1.js"
import { lookAtFiles, type WorkTree, type WrittenFiles } from "./work-files.js"

/**
 * Ends what was held back of these paths in an index file, and gives entries the stat data of work files that hold
 * what they say. All else stays as it is, every extension too.
 *
 * @param written - the files that have just been written: what is known of one is not read.
 * @throws CofferError `GIT_UNSUPPORTED` for an index that only git reads (split, sparse, of SHA-256)
 */
export function refreshIndexFile(
  file: string,
  tree: WorkTree,
  paths: readonly string[],
  written: WrittenFiles = new Map(),
): void {
  // Never made anew: whatever has been put in place of its folder meanwhile stays untouched.
  const fd = openSync(file, constants.O_RDWR | (constants.O_NOFOLLOW ?? 0))
  try {
    const bytes = readFileSync(fd)
    refreshEntries(bytes, tree, paths, written)
    writeAll(fd, bytes, 0)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

function refreshEntries(
  bytes: Buffer,
  tree: WorkTree,
  paths: readonly string[],
  written: WrittenFiles,
): void {
  const index = parseIndex(bytes)
  const files = lookAtFiles(tree)
  for (const path of paths) {
    for (const slot of slotsAt(index, toLatin1(path))) {
      const flags = slot.at + FIXED_BYTES - 2
      bytes.writeUInt16BE(bytes.readUInt16BE(flags) & ~FLAG_ASSUME_VALID, flags)
      const stats = isSkipWorktree(index, slot)
        ? undefined
        : files.statsOf(path, slotOid(index, slot), written.get(path))
      if (stats !== undefined) writeStats(bytes, slot.at, stats)
    }
  }
  const trailer = bytes.length - SUM_BYTES
  // Without a sum (`index.skipHash`) it stays without one.
  if (bytes.subarray(trailer).some(byte => byte !== 0))
    createHash("sha1").update(bytes.subarray(0, trailer)).digest().copy(bytes, trailer)
}

const SUM_BYTES = 20
const SECOND = 1_000_000_000n

/** As git has them: the lower 32 bits of each. The mode between them is the entry's own. */
function writeStats(bytes: Buffer, at: number, stats: BigIntStats): void {
  const { ctimeNs, mtimeNs, dev, ino, uid, gid, size } = stats
  const before = [ctimeNs / SECOND, ctimeNs % SECOND, mtimeNs / SECOND, mtimeNs % SECOND, dev, ino]
  for (const [index, value] of before.entries()) bytes.writeUInt32BE(lower(value), at + 4 * index)
  for (const [index, value] of [uid, gid, size].entries())
    bytes.writeUInt32BE(lower(value), at + 28 + 4 * index)
}

function lower(value: bigint): number {
  return Number(BigInt.asUintN(32, value))
}
