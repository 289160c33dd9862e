/** Prints git's pack format: many objects in one file, each compressed, none as a difference. */
import { createHash } from "node:crypto"
import { deflateSync } from "node:zlib"
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

/** Three bits of type and four of the length, then seven at a time, lowest first. */
function printHeader({ type, bytes }: GitObject): Buffer {
  const header = [(TYPES[type] << 4) | (bytes.length & 15)]
  for (let rest = bytes.length >>> 4; rest > 0; rest >>>= 7) {
    header[header.length - 1]! |= 128
    header.push(rest & 127)
  }
  return Buffer.from(header)
}
