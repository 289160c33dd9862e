/**
 * Opens what is sealed with ChaCha20-Poly1305 (RFC 8439) and XChaCha20-Poly1305, with node:crypto alone.
 *
 * `@noble/ciphers` seals, and opens the same; but JavaScript that has to be loaded and run cold costs a `get` more
 * than OpenSSL does, which lacks only the first step of the extended nonce. The two are held equal by vectors
 * and a differential test.
 */
import { createCipheriv, createDecipheriv } from "node:crypto"
import { viewOf } from "../encoding.js"

const TAG_BYTES = 16
const NONCE_BYTES = 24
/** What HChaCha20 takes of the longer nonce. */
const PREFIX_BYTES = 16
/** "expand 32-byte k", the first four words of a ChaCha20 state. */
const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]

/**
 * @param key - 32 bytes. @param nonce - 12 bytes. @param sealed - the tag at the end. @param data - authenticated with it.
 * @returns undefined where it was altered.
 */
export function openChaCha(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  data?: Uint8Array,
): Uint8Array | undefined {
  const end = sealed.length - TAG_BYTES
  if (end < 0) return undefined
  const decipher = createDecipheriv("chacha20-poly1305", key, nonce, { authTagLength: TAG_BYTES })
  if (data !== undefined) decipher.setAAD(data, { plaintextLength: end })
  decipher.setAuthTag(sealed.subarray(end))
  const plain = decipher.update(sealed.subarray(0, end))
  try {
    decipher.final()
    return plain
  } catch {
    return undefined
  }
}

/** {@link openChaCha} with a nonce of 24 bytes; undefined for one of another length, too. */
export function openXChaCha(
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  data: Uint8Array,
): Uint8Array | undefined {
  if (nonce.length !== NONCE_BYTES) return undefined
  const short = new Uint8Array(12)
  short.set(nonce.subarray(PREFIX_BYTES), 4)
  return openChaCha(deriveSubkey(key, nonce.subarray(0, PREFIX_BYTES)), short, sealed, data)
}

/**
 * HChaCha20: the state after the rounds, which is a block of key stream less the state before them. Of that only
 * words that are no secret are needed.
 *
 * @see draft-irtf-cfrg-xchacha §2.2
 */
function deriveSubkey(key: Uint8Array, prefix: Uint8Array): Uint8Array {
  const block = viewOf(createCipheriv("chacha20", key, prefix).update(new Uint8Array(64)))
  const start = viewOf(prefix)
  const subkey = new DataView(new ArrayBuffer(32))
  for (let at = 0; at < 16; at += 4) {
    subkey.setUint32(at, block.getUint32(at, true) - CONSTANTS[at / 4]!, true)
    subkey.setUint32(16 + at, block.getUint32(48 + at, true) - start.getUint32(at, true), true)
  }
  return new Uint8Array(subkey.buffer)
}
