/** The hash and the key derivation that everything in the suite is built from. */
import { createHash, hkdfSync } from "node:crypto"

export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/** HKDF-SHA256 (RFC 5869) with 32 bytes of output. */
export function hkdf(secret: Uint8Array, salt: Uint8Array, info: string | Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", secret, salt, info, 32))
}
