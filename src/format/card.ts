/** Cards: a recipient and a signing key on one line, as people send them to each other. */

import { decodeBech32, encodeBech32 } from "../encoding/bech32.js"
import { decodeHex, encodeHex } from "../encoding.js"
import { CofferError } from "../errors.js"
import { objectOf, optional, TEXT } from "./given.js"

/** The public half of an identity, as it is handed to an admin. */
export interface Card {
  /** A native age recipient, X25519 or hybrid. */
  readonly recipient: string
  /** Lower-case hex of the Ed25519 public key; absent for whoever only reads. */
  readonly signingKey?: string
}

const SIGNING_HRP = "coffer-sign"
const SIGNING_KEY_BYTES = 32
/** Bytes of age's recipients by their HRP: X25519, and ML-KEM-768 with X25519. */
const RECIPIENT_BYTES: ReadonlyMap<string, number> = new Map([
  ["age", 32],
  ["age1pq", 1216],
])
const PRIVATE = /AGE-(SECRET-KEY|PLUGIN)-|-----BEGIN|coffer-sign-secret/i

/**
 * Parses a card: a recipient, then for those who write a signing key, with white space around.
 *
 * @throws CofferError `CARD_INVALID`; the text is never quoted: it may be a private key.
 * @see docs/format.md §6
 */
export function parseCard(text: string): Card {
  if (typeof text !== "string") throw cardInvalid("")
  if (PRIVATE.test(text)) {
    throw new CofferError("CARD_INVALID", "that is a private key, not a card: treat it as known to others", {
      hint: "coffer identity show prints the card to send",
    })
  }
  const words = text.trim().split(/\s+/)
  const [recipient = "", signing, surplus] = words
  if (!isNativeRecipient(recipient)) throw cardInvalid(recipient)
  if (signing === undefined) return { recipient }
  const signingKey = decodeSigningKey(signing)
  if (signingKey === undefined || surplus !== undefined) {
    throw signingInvalid()
  }
  return { recipient, signingKey }
}

/** The line that {@link parseCard} reads. @throws CofferError `CARD_INVALID` */
export function printCard(card: Card): string {
  const { recipient, signingKey } = checkCard(card)
  if (signingKey === undefined) return recipient
  const bytes = decodeHex(signingKey)!
  return `${recipient} ${encodeBech32(SIGNING_HRP, bytes)}`
}

const CARD = objectOf<Card>({ recipient: TEXT, signingKey: optional(TEXT) })

/** A card that no text was: from JavaScript anything can come. @throws CofferError `CARD_INVALID`, `USAGE` */
export function checkCard(card: Card): Card {
  CARD(card, "card")
  const { recipient, signingKey } = card
  if (!isNativeRecipient(recipient)) throw cardInvalid(recipient)
  if (signingKey !== undefined && decodeHex(signingKey)?.length !== SIGNING_KEY_BYTES) throw signingInvalid()
  return card
}

/** Whether `text` is a recipient that coffer can wrap to without the help of a plugin. */
export function isNativeRecipient(text: string): boolean {
  // Upper case would be a second spelling of one recipient.
  if (text !== text.toLowerCase()) return false
  const decoded = decodeBech32(text)
  return decoded !== undefined && RECIPIENT_BYTES.get(decoded.hrp) === decoded.bytes.length
}

function decodeSigningKey(text: string): string | undefined {
  const decoded = text === text.toLowerCase() ? decodeBech32(text) : undefined
  if (decoded?.hrp !== SIGNING_HRP || decoded.bytes.length !== SIGNING_KEY_BYTES) return undefined
  return encodeHex(decoded.bytes)
}

function signingInvalid(): CofferError {
  return new CofferError("CARD_INVALID", "the second half of the card is not a signing key", {
    hint: "a card is one line: age1… coffer-sign1…; coffer identity show prints it",
  })
}

function cardInvalid(recipient: string): CofferError {
  const foreign = /^(ssh-|age1[a-z0-9]+1)/.test(recipient) && !recipient.startsWith("age1pq1")
  const message = foreign
    ? "ssh keys and plugin recipients are not supported"
    : "the card does not begin with an age recipient"
  return new CofferError("CARD_INVALID", message, {
    hint: "a card is age1… (or age1pq1…), then coffer-sign1… for whoever writes; coffer identity show prints it",
  })
}
