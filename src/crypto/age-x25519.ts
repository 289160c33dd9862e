/**
 * Opens age files for X25519 identities, at once and on node:crypto alone.
 *
 * age-encryption does the same, but loading and warming it costs a cold `get` more than all the rest.
 * The two are held equal by all CCTV vectors and by differential tests.
 *
 * @see https://c2sp.org/age
 */
import { createHmac, diffieHellman, type KeyObject } from "node:crypto"
import { concat, equalBytes, viewOf } from "../encoding.js"
import { CofferError } from "../errors.js"
import { type AgeHeader, type AgeStanza, readAgeHeader, unpadded } from "./age-header.js"
import { importPrivateKey, importPublicKey, publicBytesOf } from "./curve25519.js"
import { hkdf } from "./kdf.js"
import { openChaCha } from "./open-sealed.js"

const KEY_BYTES = 32
const FILE_KEY_BYTES = 16
const TAG_BYTES = 16
const NONCE_BYTES = 16
const CHUNK_BYTES = 64 * 1024
const NO_SALT = new Uint8Array(0)

/** One X25519 identity, imported. */
export interface X25519Key {
  readonly privateKey: KeyObject
  /** The recipient: 32 bytes. */
  readonly publicBytes: Uint8Array
}

/** @param secret - 32 bytes. */
export function importX25519(secret: Uint8Array): X25519Key {
  const privateKey = importPrivateKey("X25519", secret)
  return { privateKey, publicBytes: publicBytesOf(privateKey) }
}

/**
 * The plaintext of an age file.
 *
 * @returns null where no stanza is for this identity.
 * @throws CofferError `WRAP_SHAPE` where it is no age file, `WRAP_BROKEN` where it is and does not open.
 */
export function openForX25519(key: X25519Key, message: Uint8Array): Uint8Array | null {
  const header = readAgeHeader(message)
  const fileKey = unwrapFileKey(key, header.stanzas)
  return fileKey === null ? null : openWithFileKey(fileKey, header)
}

function unwrapFileKey(key: X25519Key, stanzas: readonly AgeStanza[]): Uint8Array | null {
  // A passphrase stands alone: beside it, whoever made the file could not have authenticated it.
  if (stanzas.length > 1 && stanzas.some(({ type }) => type === "scrypt")) throw broken("its header")
  for (const { type, args, body } of stanzas) {
    if (type !== "X25519") continue
    const share = args.length === 1 ? unpadded(args[0]!) : NO_SALT
    if (share.length !== KEY_BYTES || body.length !== FILE_KEY_BYTES + TAG_BYTES) throw broken("its header")
    const shared = agree(key, share)
    const salt = concat([share, key.publicBytes])
    const fileKey = openChaCha(hkdf(shared, salt, "age-encryption.org/v1/X25519"), new Uint8Array(12), body)
    if (fileKey !== undefined) return fileKey
  }
  return null
}

/** The shared secret; a share of low order, which would make it zero, is refused by OpenSSL. */
function agree(key: X25519Key, share: Uint8Array): Uint8Array {
  try {
    return diffieHellman({ privateKey: key.privateKey, publicKey: importPublicKey("X25519", share) })
  } catch {
    throw broken("its header")
  }
}

/**
 * Checks the header's MAC and opens the payload.
 *
 * @param fileKey - 16 bytes.
 * @throws CofferError `WRAP_BROKEN`
 */
export function openWithFileKey(fileKey: Uint8Array, { signed, mac, payload }: AgeHeader): Uint8Array {
  const expected = createHmac("sha256", hkdf(fileKey, NO_SALT, "header"))
    .update(signed)
    .digest()
  if (!equalBytes(expected, mac)) throw broken("the MAC of its header")
  // The vectors count the nonce as part of the header.
  if (payload.length < NONCE_BYTES) throw broken("its header")
  if (payload.length < NONCE_BYTES + TAG_BYTES) throw broken("its payload")
  const streamKey = hkdf(fileKey, payload.subarray(0, NONCE_BYTES), "payload")
  return openStream(streamKey, payload.subarray(NONCE_BYTES))
}

/** STREAM: chunks of 64 KiB, each under its number, the last one marked; an empty one only if alone. */
function openStream(key: Uint8Array, stream: Uint8Array): Uint8Array {
  const step = CHUNK_BYTES + TAG_BYTES
  const chunks = Math.ceil(stream.length / step)
  const opened: Uint8Array[] = []
  for (let number = 0; number < chunks; number++) {
    const nonce = new Uint8Array(12)
    viewOf(nonce).setUint32(7, number)
    nonce[11] = number === chunks - 1 ? 1 : 0
    const sealed = stream.subarray(number * step, (number + 1) * step)
    const chunk = openChaCha(key, nonce, sealed)
    if (chunk === undefined || (chunk.length === 0 && chunks > 1)) throw broken("its payload")
    opened.push(chunk)
  }
  return concat(opened)
}

function broken(what: string): CofferError {
  return new CofferError("WRAP_BROKEN", `a wrap does not open: ${what} is not what its author made`)
}
