/** Stands in for the package `sha.js/sha1`, with which isomorphic-git would check each pack it reads: ten times slower. */
import { createHash, type Hash } from "node:crypto"

/** Called with `new`: what a constructor returns takes the place of the object made. */
// biome-ignore lint/style/noDefaultExport: the package that this replaces has a default export
export default function Sha1(): Hash {
  return createHash("sha1")
}
