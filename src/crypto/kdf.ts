/** The key derivation that everything in the suite is built from. */
import { hkdfSync } from "node:crypto"

/** HKDF-SHA256 (RFC 5869) with 32 bytes of output. */
export function hkdf(secret: Uint8Array, salt: Uint8Array, info: string | Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", secret, salt, info, 32))
}
