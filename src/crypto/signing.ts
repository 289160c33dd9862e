/** Ed25519 signatures on secrets and key records, and the keys that make them. */
import { type KeyObject, sign, verify } from "node:crypto"
import { sha256Of } from "../encoding/sha256.js"
import { decodeHex, encodeHex, pae } from "../encoding.js"
import { importPrivateKey, importPublicKey, publicBytesOf } from "./curve25519.js"
import { hkdf } from "./kdf.js"

/** Signs for one member; the private half stays inside. */
export interface SigningKey {
  /** Lower-case hex, 32 bytes. */
  readonly publicKey: string
  sign(message: Uint8Array): Uint8Array
  /** The same on the thread pool. */
  signLater(message: Uint8Array): Promise<Uint8Array>
}

const SEED_BYTES = 32
const WRITE_LABEL = "coffer/v1/write"
const RECORD_LABEL = "coffer/v1/record"

/** The signing key of a 32-byte seed (RFC 8032). */
export function signingKeyFromSeed(seed: Uint8Array): SigningKey {
  if (seed.length !== SEED_BYTES) throw new TypeError("a signing seed is 32 bytes")
  const key = importPrivateKey("Ed25519", seed)
  return {
    publicKey: encodeHex(publicBytesOf(key)),
    sign: message => sign(null, message, key),
    signLater: message =>
      new Promise((resolve, reject) =>
        sign(null, message, key, (error, signature) => (error ? reject(error) : resolve(signature))),
      ),
  }
}

/**
 * The signing seed of a native age identity, so that people keep one private line and not two.
 *
 * @param secret - the identity's 32 bytes.
 * @param hrp - the identity's HRP: `age-secret-key-` or `age-secret-key-pq-`.
 * @see docs/format.md §7.5
 */
export function deriveSigningSeed(secret: Uint8Array, hrp: string): Uint8Array {
  return hkdf(secret, new Uint8Array(0), `coffer/v1/sign/${hrp.toLowerCase()}`)
}

/**
 * Whether `hex` is a public key that only its owner can sign for: encoded in the one canonical way,
 * and not of small order, where one signature fits every message.
 */
export function isSigningPublicKey(hex: string): boolean {
  const bytes = decodeHex(hex)
  if (bytes?.length !== 32) return false
  const y = BigInt(`0x${encodeHex(Uint8Array.from(bytes).reverse())}`) & Y_MASK
  return y < FIELD_PRIME && !SMALL_ORDER_Y.has(y)
}

const FIELD_PRIME = 2n ** 255n - 19n
/** Without the top bit, which is the sign of x. */
const Y_MASK = 2n ** 255n - 1n
/** y of the eight points of order 1, 2, 4 and 8. */
const SMALL_ORDER_Y = new Set([
  0n,
  1n,
  FIELD_PRIME - 1n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
])

/** Signs the file of a secret. @param context - all its bytes above `signature`. */
export function signWrite(key: SigningKey, context: Uint8Array): Uint8Array {
  return key.sign(digest(WRITE_LABEL, context))
}

/** {@link signWrite} on the thread pool: what is asked for at once is signed side by side. */
export function signWriteLater(key: SigningKey, context: Uint8Array): Promise<Uint8Array> {
  return key.signLater(digest(WRITE_LABEL, context))
}

/** Checks one signature; false for keys that are none, too. */
export function verifyWrite(publicKey: string, context: Uint8Array, signature: Uint8Array): boolean {
  return verifyNow(publicKey, digest(WRITE_LABEL, context), signature)
}

export interface SignedWrite {
  readonly publicKey: string
  readonly context: Uint8Array
  readonly signature: Uint8Array
}

/** {@link verifyWrite} for many files, on the thread pool; the answers are in the same order. */
export function verifyWrites(batch: readonly SignedWrite[]): Promise<boolean[]> {
  return Promise.all(
    batch.map(({ publicKey, context, signature }) =>
      verifyLater(signerKey(publicKey), digest(WRITE_LABEL, context), signature),
    ),
  )
}

/** Signs a key record. @param context - all its bytes above `signature`. */
export function signRecord(key: SigningKey, context: Uint8Array): Uint8Array {
  return key.sign(digest(RECORD_LABEL, context))
}

export function verifyRecord(publicKey: string, context: Uint8Array, signature: Uint8Array): boolean {
  return verifyNow(publicKey, digest(RECORD_LABEL, context), signature)
}

function digest(label: string, context: Uint8Array): Uint8Array {
  return pae(label, sha256Of(context))
}

function verifyNow(publicKey: string, message: Uint8Array, signature: Uint8Array): boolean {
  const key = signerKey(publicKey)
  return key !== undefined && verify(null, message, key, signature)
}

function verifyLater(
  key: KeyObject | undefined,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (key === undefined) return Promise.resolve(false)
  return new Promise((resolve, reject) =>
    verify(null, message, key, signature, (error, valid) => (error ? reject(error) : resolve(valid))),
  )
}

/** Few people sign many files: each key is checked and imported once. */
const imported = new Map<string, KeyObject | undefined>()
const IMPORTED_MAX = 1000

function signerKey(hex: string): KeyObject | undefined {
  if (imported.has(hex)) return imported.get(hex)
  const bytes = isSigningPublicKey(hex) ? decodeHex(hex) : undefined
  const key = bytes && importPublicKey("Ed25519", bytes)
  if (imported.size === IMPORTED_MAX) imported.clear()
  imported.set(hex, key)
  return key
}
