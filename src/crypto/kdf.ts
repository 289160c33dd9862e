/** The key derivation that everything in the suite is built from. */
import { createHmac } from "node:crypto"

/** What RFC 5869 has after `info` in the first block, which is as long as the output here: there is no second. */
const FIRST_BLOCK = Uint8Array.of(1)

/**
 * HKDF-SHA256 (RFC 5869) with 32 bytes of output. `hkdfSync` gives the same in twice the time: it makes a key object
 * and a job of each call.
 */
export function hkdf(secret: Uint8Array, salt: Uint8Array, info: string | Uint8Array): Uint8Array {
  const extracted = createHmac("sha256", salt).update(secret).digest()
  return createHmac("sha256", extracted).update(info).update(FIRST_BLOCK).digest()
}
