/**
 * Opens what is sealed with ChaCha20-Poly1305 (RFC 8439) and XChaCha20-Poly1305, with node:crypto alone.
 *
 * `@noble/ciphers` seals, and opens the same; but JavaScript that has to be loaded and run cold costs a `get` more
 * than OpenSSL does, which lacks only the first step of the extended nonce. The two are held equal by vectors
 * and a differential test.
 */
import { createCipheriv, createDecipheriv } from "node:crypto"

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
  const short = Buffer.alloc(12)
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
  const block = createCipheriv("chacha20", key, prefix).update(Buffer.alloc(64))
  const start = Buffer.from(prefix)
  const subkey = Buffer.alloc(32)
  for (let word = 0; word < 4; word++) {
    subkey.writeUInt32LE((block.readUInt32LE(4 * word) - CONSTANTS[word]!) >>> 0, 4 * word)
    subkey.writeUInt32LE(
      (block.readUInt32LE(48 + 4 * word) - start.readUInt32LE(4 * word)) >>> 0,
      16 + 4 * word,
    )
  }
  return subkey
}
