/** The only reader of randomness. */
import { randomBytes as nodeRandomBytes } from "node:crypto"
import { encodeHex } from "../encoding.js"

export function randomBytes(length: number): Uint8Array {
  if (length > BLOCK_BYTES) return new Uint8Array(nodeRandomBytes(length))
  if (length > block.length - used) {
    block = new Uint8Array(nodeRandomBytes(BLOCK_BYTES))
    used = 0
  }
  const end = used + length
  const bytes = block.slice(used, end)
  // Nothing is given out twice, and keys are kept nowhere else.
  block.fill(0, used, end)
  used = end
  return bytes
}

/** So much is drawn at once: a draw for each salt and nonce is a tenth of what sealing a value takes. */
const BLOCK_BYTES = 4096
let block = new Uint8Array(0)
let used = 0

/** A store's id: 16 random bytes in hex. */
export function newStoreId(): string {
  return encodeHex(randomBytes(16))
}
