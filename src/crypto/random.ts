/** The only reader of randomness. */
import { randomBytes as nodeRandomBytes } from "node:crypto"
import { encodeHex } from "../encoding.js"

export function randomBytes(length: number): Uint8Array {
  return nodeRandomBytes(length)
}

/** A store's id: 16 random bytes in hex. */
export function newStoreId(): string {
  return encodeHex(randomBytes(16))
}
