/** Git's packs: printed as many objects in one file, each compressed, none as a difference; found in by their index. */
import { createHash } from "node:crypto"
import { deflateSync } from "node:zlib"
import { asBuffer } from "../../encoding.js"
import { CofferError } from "../../errors.js"
import type { Oid } from "./git.js"
import type { GitObject } from "./object.js"

const TYPES: Readonly<Record<GitObject["type"], number>> = { commit: 1, tree: 2, blob: 3, tag: 4 }

/** @see https://git-scm.com/docs/gitformat-pack */
export function printPack(objects: readonly GitObject[]): Buffer {
  const header = Buffer.alloc(12)
  header.write("PACK", "latin1")
  header.writeUInt32BE(2, 4)
  header.writeUInt32BE(objects.length, 8)
  const parts: Buffer[] = [header]
  for (const object of objects) parts.push(printHeader(object), deflateSync(object.bytes))
  const hash = createHash("sha1")
  for (const part of parts) hash.update(part)
  return Buffer.concat([...parts, hash.digest()])
}

/** Git names a pack by the sum at its end. */
export function packName(pack: Buffer): string {
  return pack.toString("hex", pack.length - 20)
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

/** Three bits of type and four of the length, then seven at a time, lowest first. */
function printHeader({ type, bytes }: GitObject): Buffer {
  const header = [(TYPES[type] << 4) | (bytes.length & 15)]
  for (let rest = bytes.length >>> 4; rest > 0; rest >>>= 7) {
    header[header.length - 1]! |= 128
    header.push(rest & 127)
  }
  return Buffer.from(header)
}
