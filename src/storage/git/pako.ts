/** Stands in for the package `pako`, with which isomorphic-git would open each object it reads: JavaScript in place of zlib. */
import { inflateSync } from "node:zlib"

/** As long as most of coffer's files: 16 KiB for each of thousands is memory that only fills up. */
const CHUNK_BYTES = 2048

// biome-ignore lint/style/noDefaultExport: the package that this replaces has a default export
export default {
  /** @param bytes - of an object in a pack, all that comes after it as well: their number says nothing of its size. */
  inflate: (bytes: Uint8Array): Uint8Array => inflateSync(bytes, { chunkSize: CHUNK_BYTES }),
}
