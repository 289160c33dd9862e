/** Pins: the one line by which a person or a build names the key record that it trusts. */
import { sha256Of } from "../encoding/sha256.js"
import { decodeHex, encodeBase32, pae } from "../encoding.js"
import { CofferError } from "../errors.js"
import type { RecordNode } from "./graph.js"

/** A pin as it was typed: the record's number and 52 characters of base32. */
export interface Pin {
  readonly number: number
  readonly hash: string
}

const FORM = /^coffer1-([1-9][0-9]{0,9})-([a-z2-7]{52})$/

/** Parses `coffer1-<number>-<hash>`. @throws CofferError `SETTING_INVALID` */
export function parsePin(text: string): Pin {
  const [, number, hash] = FORM.exec(text.trim()) ?? []
  if (number === undefined || hash === undefined) {
    throw new CofferError(
      "SETTING_INVALID",
      "this is not a pin: a pin looks like coffer1-3-k5q…, 52 characters at its end",
      {
        hint: 'on a machine that trusts the store "coffer trust pin" prints it',
      },
    )
  }
  return { number: Number(number), hash }
}

/** Prints the pin that names a key record of the default group. @see docs/format.md, "Pin" */
export function printPin(store: string, node: RecordNode): string {
  return `coffer1-${node.record.number}-${pinHash(store, node.sha256)}`
}

/** Whether the pin names this record. Pins are public: nothing is compared in constant time. */
export function matchesPin(pin: Pin, store: string, node: RecordNode): boolean {
  return pin.number === node.record.number && pin.hash === pinHash(store, node.sha256)
}

function pinHash(store: string, sha256: string): string {
  const message = pae("coffer/v1/pin", store, decodeHex(sha256)!)
  return encodeBase32(sha256Of(message))
}
