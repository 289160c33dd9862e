/** Stands in for the package `pako`, with which isomorphic-git would open each object it reads: JavaScript in place of zlib. */
import { inflateSync } from "node:zlib"

// biome-ignore lint/style/noDefaultExport: the package that this replaces has a default export
export default {
  // In pieces of the object's size: 16 KiB for each of thousands of small ones is memory that only fills up.
  inflate: (bytes: Uint8Array): Uint8Array => inflateSync(bytes, { chunkSize: 2 * bytes.length + 64 }),
}
