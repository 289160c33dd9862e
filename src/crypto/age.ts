/** Age keys: identities and recipients, wrapping data keys to recipients and unwrapping them. */
import { decodeBech32, encodeBech32 } from "../encoding/bech32.js"
import { CofferError } from "../errors.js"
import { readAgeHeader } from "./age-header.js"
import { importX25519, openForX25519, openWithFileKey } from "./age-x25519.js"
import type { DataKey } from "./data-key.js"
import { randomBytes } from "./random.js"

/** A native age identity. */
export interface AgeIdentity {
  readonly recipient: string
  /** Lower case: `age-secret-key-` or `age-secret-key-pq-`. */
  readonly hrp: string
  /** 32 bytes. */
  readonly secret: Uint8Array
  /**
   * The plaintext of an age file, or null where it is for somebody else.
   *
   * @throws CofferError `WRAP_SHAPE`, `WRAP_BROKEN`
   */
  unwrap(message: Uint8Array): Promise<Uint8Array | null>
}

const X25519_HRP = "age-secret-key-"
const HYBRID_HRP = "age-secret-key-pq-"
const SECRET_BYTES = 32

export type RecipientType = "x25519" | "hybrid" | "other"

/** What kind of recipient a text names, in either case; it need not be a valid one. */
export function recipientType(recipient: string): RecipientType {
  const text = recipient.toLowerCase()
  if (text.startsWith("age1pq1")) return "hybrid"
  // bech32 data has no "1": one more in it ends the name of a plugin.
  return text.startsWith("age1") && text.indexOf("1", 4) < 0 ? "x25519" : "other"
}

/**
 * Wraps a data key to one recipient: an age file with one stanza.
 *
 * @throws CofferError `CARD_INVALID` for a recipient that is none, or not a native one.
 */
export async function wrapDataKey(recipient: string, dataKey: DataKey): Promise<Uint8Array> {
  if (recipientType(recipient) === "other") throw invalidRecipient()
  const { Encrypter } = await import("age-encryption")
  const encrypter = new Encrypter()
  try {
    encrypter.addRecipient(recipient)
    return await encrypter.encrypt(dataKey)
  } catch (cause) {
    // Also a recipient of low order, to which nothing can be wrapped.
    throw invalidRecipient(cause)
  }
}

function invalidRecipient(cause?: unknown): CofferError {
  return new CofferError("CARD_INVALID", "the recipient is not a native age recipient (age1…, age1pq1…)", {
    hint: "coffer identity show prints one",
    cause,
  })
}

/** The line of a new X25519 identity. */
export function newIdentityLine(): string {
  return encodeBech32(X25519_HRP, randomBytes(SECRET_BYTES)).toUpperCase()
}

/**
 * Reads the line of a native age identity. For X25519 this and `unwrap` need node:crypto only; the
 * library that knows hybrid keys is loaded for those alone.
 *
 * @throws CofferError `IDENTITY_INVALID`; the line is never quoted.
 */
export async function ageIdentity(line: string): Promise<AgeIdentity> {
  const decoded = line === line.toUpperCase() ? decodeBech32(line) : undefined
  if (decoded?.bytes.length === SECRET_BYTES) {
    if (decoded.hrp === X25519_HRP) return x25519Identity(decoded.bytes)
    if (decoded.hrp === HYBRID_HRP) return hybridIdentity(line, decoded.bytes)
  }
  throw new CofferError("IDENTITY_INVALID", "that is not a native age identity, or it was cut or mistyped", {
    hint: "an identity is a line AGE-SECRET-KEY-1… or AGE-SECRET-KEY-PQ-1…; coffer identity new makes one",
  })
}

function x25519Identity(secret: Uint8Array): AgeIdentity {
  const key = importX25519(secret)
  return {
    recipient: encodeBech32("age", key.publicBytes),
    hrp: X25519_HRP,
    secret,
    unwrap: async message => openForX25519(key, message),
  }
}

async function hybridIdentity(line: string, secret: Uint8Array): Promise<AgeIdentity> {
  const { identityToRecipient } = await import("age-encryption")
  return {
    recipient: await identityToRecipient(line),
    hrp: HYBRID_HRP,
    secret,
    unwrap: message => openForHybrid(line, message),
  }
}

async function openForHybrid(line: string, message: Uint8Array): Promise<Uint8Array | null> {
  // Ours is the stricter reader: size, stanzas and payload; the library's part is ML-KEM.
  const header = readAgeHeader(message)
  if (!header.stanzas.some(({ type }) => type === "mlkem768x25519")) return null
  const { Decrypter } = await import("age-encryption")
  const decrypter = new Decrypter()
  decrypter.addIdentity(line)
  let fileKey: Uint8Array
  try {
    fileKey = await decrypter.decryptHeader(message.subarray(0, message.length - header.payload.length))
  } catch (cause) {
    if (cause instanceof Error && cause.message.startsWith("no identity matched")) return null
    throw new CofferError("WRAP_BROKEN", "a wrap does not open: its header was altered", { cause })
  }
  return openWithFileKey(fileKey, header)
}
