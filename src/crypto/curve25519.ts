/**
 * Keys of X25519 and Ed25519 from their 32 raw bytes and back (RFC 8037). As JWK: node:crypto takes raw keys in no
 * other way but DER, and to find a decoder for that costs OpenSSL more than all it does with the key.
 */
import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto"
import { asBuffer } from "../encoding.js"

export type Curve = "X25519" | "Ed25519"

/** @param bytes - 32, or node:crypto refuses them. */
export function importPrivateKey(crv: Curve, bytes: Uint8Array): KeyObject {
  // The public half is computed: what a JWK says of it is not looked at.
  return createPrivateKey({ key: { kty: "OKP", crv, d: encode(bytes), x: "" }, format: "jwk" })
}

/** @param bytes - 32, or node:crypto refuses them. */
export function importPublicKey(crv: Curve, bytes: Uint8Array): KeyObject {
  return createPublicKey({ key: { kty: "OKP", crv, x: encode(bytes) }, format: "jwk" })
}

/** The 32 bytes of the public key that belongs to a private one. */
export function publicBytesOf(privateKey: KeyObject): Uint8Array {
  const { x } = createPublicKey(privateKey).export({ format: "jwk" })
  return Buffer.from(x!, "base64url")
}

function encode(bytes: Uint8Array): string {
  return asBuffer(bytes).toString("base64url")
}
