/** Git's packs: printed as many objects in one file, each compressed, none as a difference, with the index that finds them. */
import { createHash } from "node:crypto"
import { crc32, deflateSync } from "node:zlib"
import { asBuffer, concat } from "../../encoding.js"
import { CofferError } from "../../errors.js"
import type { Oid } from "./git.js"
import type { GitObject } from "./object.js"

const TYPES: Readonly<Record<GitObject["type"], number>> = { commit: 1, tree: 2, blob: 3, tag: 4 }

/** A pack and its index, each as the parts to be written one after the other. */
export interface PrintedPack {
  /** What git names both files by: the pack's own sum. */
  readonly name: string
  readonly pack: readonly Uint8Array[]
  readonly index: readonly Uint8Array[]
}

interface Entry {
  readonly oid: Oid
  readonly sum: number
  readonly offset: number
}

/**
 * @throws CofferError `LIMIT_EXCEEDED` at 2 GiB, where an index of small offsets ends
 * @see https://git-scm.com/docs/gitformat-pack
 */
export function printPack(objects: ReadonlyMap<Oid, GitObject>): PrintedPack {
  const header = Buffer.alloc(12)
  header.write("PACK", "latin1")
  header.writeUInt32BE(2, 4)
  header.writeUInt32BE(objects.size, 8)
  const parts: Uint8Array[] = [header]
  const entries: Entry[] = []
  let offset = header.length
  for (const [oid, object] of objects) {
    const bytes = concat([printHeader(object), compress(object.bytes)])
    parts.push(bytes)
    entries.push({ oid, sum: crc32(bytes), offset })
    offset += bytes.length
  }
  if (offset > MAX_OFFSET) {
    throw new CofferError("LIMIT_EXCEEDED", "a commit of more than 2 GiB", { hint: "coffer --git system" })
  }
  const { sum, parts: pack } = withSum(parts)
  return { name: sum.toString("hex"), pack, index: printIndex(entries, sum) }
}

const MAX_OFFSET = 0x7fffffff

/** Version 2: how many ids begin with up to which byte, the ids in order, their sums, their places. */
function printIndex(entries: readonly Entry[], packSum: Buffer): readonly Uint8Array[] {
  const sorted = entries.toSorted((a, b) => (a.oid < b.oid ? -1 : 1))
  const counts = new Array<number>(256).fill(0)
  for (const { oid } of sorted) counts[Number.parseInt(oid.slice(0, 2), 16)]! += 1
  let upTo = 0
  return withSum([
    Buffer.from("\xfftOc\0\0\0\x02", "latin1"),
    numbers(counts.map(count => (upTo += count))),
    Buffer.from(sorted.map(({ oid }) => oid).join(""), "hex"),
    numbers(sorted.map(({ sum }) => sum)),
    numbers(sorted.map(({ offset }) => offset)),
    packSum,
  ]).parts
}

function numbers(values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length)
  for (const [at, value] of values.entries()) bytes.writeUInt32BE(value, 4 * at)
  return bytes
}

/** Both kinds of file end with the SHA-1 of all that comes before. */
function withSum(parts: readonly Uint8Array[]): { sum: Buffer; parts: readonly Uint8Array[] } {
  const hash = createHash("sha1")
  for (const part of parts) hash.update(part)
  const sum = hash.digest()
  return { sum, parts: [...parts, sum] }
}

const INDEX_COUNTS_AT = 8
const INDEX_IDS_AT = INDEX_COUNTS_AT + 4 * 256

/**
 * The ids in a pack index, version 2, that have one first byte: a table of 256 counts says where they lie.
 *
 * @param path - names the index in the refusal
 * @throws CofferError `GIT_FAILED` where the file ends before them or the counts go down
 * @see https://git-scm.com/docs/gitformat-pack
 */
export function idsInPackIndex(index: Uint8Array, firstByte: number, path: string): Oid[] {
  const bytes = asBuffer(index)
  const countAt = (byte: number) => (byte < 0 ? 0 : bytes.readUInt32BE(INDEX_COUNTS_AT + 4 * byte))
  const isWhole = bytes.length >= INDEX_IDS_AT
  const [from, to] = isWhole ? [countAt(firstByte - 1), countAt(firstByte)] : [0, 0]
  if (!isWhole || from > to || bytes.length < INDEX_IDS_AT + 20 * to) {
    throw new CofferError("GIT_FAILED", `${path} is damaged`, { hint: "git fsck" })
  }
  return Array.from({ length: to - from }, (_, at) =>
    bytes.toString("hex", INDEX_IDS_AT + 20 * (from + at), INDEX_IDS_AT + 20 * (from + at + 1)),
  )
}

/** As one piece: the usual 16 KiB for each of many small objects is memory that only fills up. */
function compress(bytes: Uint8Array): Uint8Array {
  return deflateSync(bytes, { chunkSize: bytes.length + 64 })
}

/** Three bits of type and four of the length, then seven at a time, lowest first. */
function printHeader({ type, bytes }: GitObject): Buffer {
  const header = [(TYPES[type] << 4) | (bytes.length & 15)]
  for (let rest = bytes.length >>> 4; rest > 0; rest >>>= 7) {
    header[header.length - 1]! |= 128
    header.push(rest & 127)
  }
  return Buffer.from(header)
}
