/** Sealing and opening one value, and the salted digest that its signer vouches for. */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js"
import { sha256Of } from "../encoding/sha256.js"
import { encodeHex, pae, viewOf } from "../encoding.js"
import { CofferError } from "../errors.js"
import { hkdf } from "./kdf.js"
import { openXChaCha } from "./open-sealed.js"
import { padme } from "./padding.js"
import { randomBytes } from "./random.js"

const NONCE_BYTES = 24
const SALT_BYTES = 32
const LENGTH_BYTES = 4
/** Salt and length: what precedes the value in the plaintext. */
const HEAD_BYTES = SALT_BYTES + LENGTH_BYTES
/** No plaintext is shorter: keys, tokens and passwords all look the same. */
const MIN_PLAIN_BYTES = 128
const MAX_VALUE_BYTES = 1024 * 1024

export interface SealedValue {
  readonly nonce: Uint8Array
  readonly value: Uint8Array
}

export interface OpenedValue {
  readonly salt: Uint8Array
  readonly value: Uint8Array
}

/** 32 random bytes: new with each version, kept when a value is sealed again. */
export function newSalt(): Uint8Array {
  return randomBytes(SALT_BYTES)
}

/**
 * Seals one value so that only a holder of the data key can read it, and only in this place: in
 * another file, version or group it does not open.
 *
 * @param sealKey - `seal` of the derived keys.
 * @param context - all bytes of the file above `nonce`.
 * @param salt - 32 bytes.
 * @throws CofferError `LIMIT_EXCEEDED` above 1 MiB.
 * @see docs/format.md §7.3
 */
export function sealValue(
  sealKey: Uint8Array,
  context: Uint8Array,
  salt: Uint8Array,
  value: Uint8Array,
): SealedValue {
  return sealWithNonce(sealKey, context, { nonce: randomBytes(NONCE_BYTES), salt, value })
}

/** {@link sealValue} with the nonce given, for vectors. A nonce used twice reveals both values. */
export function sealWithNonce(
  sealKey: Uint8Array,
  context: Uint8Array,
  { nonce, salt, value }: { nonce: Uint8Array } & OpenedValue,
): SealedValue {
  if (value.length > MAX_VALUE_BYTES) {
    throw new CofferError("LIMIT_EXCEEDED", "a value is larger than 1 MiB")
  }
  if (salt.length !== SALT_BYTES) throw new TypeError("a salt is 32 bytes")
  const plain = new Uint8Array(plainBytes(value.length))
  plain.set(salt)
  viewOf(plain).setUint32(SALT_BYTES, value.length)
  plain.set(value, HEAD_BYTES)
  const { key, data } = cipherInput(sealKey, nonce, context)
  return { nonce, value: xchacha20poly1305(key, nonce, data).encrypt(plain) }
}

/**
 * Opens one value and checks that it is in the one form that {@link sealValue} gives. The digest is
 * still to be compared.
 *
 * @throws CofferError `TAMPERED`
 */
export function openValue(sealKey: Uint8Array, context: Uint8Array, sealed: SealedValue): OpenedValue {
  const { key, data } = cipherInput(sealKey, sealed.nonce, context)
  const plain = openXChaCha(key, sealed.nonce, sealed.value, data)
  if (plain === undefined || plain.length < HEAD_BYTES) throw tampered()
  const length = viewOf(plain).getUint32(SALT_BYTES)
  // Any other size or filling would be a second form of one value: a channel to whoever reads files.
  if (length > MAX_VALUE_BYTES || plain.length !== plainBytes(length)) throw tampered()
  const end = HEAD_BYTES + length
  if (plain.subarray(end).some(byte => byte !== 0)) throw tampered()
  return { salt: plain.subarray(0, SALT_BYTES), value: plain.subarray(HEAD_BYTES, end) }
}

/**
 * The digest of a value, lower-case hex: hides the value behind the salt, stays the same when it is
 * sealed again, and gives a file one meaning.
 *
 * @see docs/format.md §7.3
 */
export function digestValue(salt: Uint8Array, value: Uint8Array): string {
  return encodeHex(sha256Of(pae("coffer/v1/digest", salt, value)))
}

function plainBytes(valueBytes: number): number {
  return padme(Math.max(MIN_PLAIN_BYTES, HEAD_BYTES + valueBytes))
}

/** A key for each nonce: nonces of 24 bytes under one key would be safe too, this also commits to the file. */
function cipherInput(sealKey: Uint8Array, nonce: Uint8Array, context: Uint8Array) {
  const data = pae("coffer/v1/secret", context)
  return { key: hkdf(sealKey, nonce, pae("coffer/v1/value", sha256Of(data))), data }
}

function tampered(): CofferError {
  return new CofferError("TAMPERED", "the sealed value does not open: the file was altered")
}
