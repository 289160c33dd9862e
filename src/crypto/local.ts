/** Sealing what a machine keeps for itself between two calls: nobody else ever reads it, so it is no part of the format. */
import { createCipheriv, createDecipheriv } from "node:crypto"
import { pae } from "../encoding.js"
import { hkdf } from "./kdf.js"
import { randomBytes } from "./random.js"

const SALT_BYTES = 32
const TAG_BYTES = 16

/** What an identity contributes to {@link deriveLocalKey}. @param secret - its 32 bytes. @param hrp - its HRP. */
export function deriveLocalSecret(secret: Uint8Array, hrp: string): Uint8Array {
  return hkdf(secret, new Uint8Array(0), `coffer/v1/local/${hrp.toLowerCase()}`)
}

/**
 * A key that only the holder of all these identities can derive: what several of them opened together is closed
 * to each alone.
 *
 * @param secrets - of {@link deriveLocalSecret}, in any order.
 */
export function deriveLocalKey(secrets: readonly Uint8Array[]): Uint8Array {
  return hkdf(pae(...secrets.toSorted(Buffer.compare)), new Uint8Array(0), "coffer/v1/local")
}

/**
 * Seals with AES-256-GCM under a key of its own. Not XChaCha20, as values are: OpenSSL opens this at once, and
 * JavaScript that has to be compiled first takes longer than a hook has.
 *
 * @param purpose - what it is and of which store: under another one it does not open.
 */
export function sealLocally(key: Uint8Array, purpose: string, bytes: Uint8Array): Uint8Array {
  const salt = randomBytes(SALT_BYTES)
  const cipher = createCipheriv("aes-256-gcm", ...keyAndNonce(key, salt, purpose))
  return Buffer.concat([salt, cipher.update(bytes), cipher.final(), cipher.getAuthTag()])
}

/** What {@link sealLocally} sealed; undefined where it was altered, or is for another key or purpose. */
export function openLocally(key: Uint8Array, purpose: string, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < SALT_BYTES + TAG_BYTES) return undefined
  const cipher = createDecipheriv("aes-256-gcm", ...keyAndNonce(key, sealed.subarray(0, SALT_BYTES), purpose))
  cipher.setAuthTag(sealed.subarray(-TAG_BYTES))
  try {
    return Buffer.concat([cipher.update(sealed.subarray(SALT_BYTES, -TAG_BYTES)), cipher.final()])
  } catch {
    return undefined
  }
}

/** No key is used twice, so its nonce says nothing. */
function keyAndNonce(key: Uint8Array, salt: Uint8Array, purpose: string): [Uint8Array, Uint8Array] {
  return [hkdf(key, salt, pae("coffer/v1/local", purpose)), new Uint8Array(12)]
}
