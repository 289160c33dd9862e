/** Data keys: making them, deriving what is used of them, handing older ones on to newer ones. */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js"
import { sha256Of } from "../encoding/sha256.js"
import { encodeHex, pae } from "../encoding.js"
import { hkdf } from "./kdf.js"
import { openXChaCha } from "./open-sealed.js"
import { randomBytes } from "./random.js"

/** 32 bytes that open a whole group: never printed, never stored but wrapped. */
export type DataKey = Uint8Array & { readonly dataKey: unique symbol }

const DATA_KEY_BYTES = 32
const NONCE_BYTES = 24

export function newDataKey(): DataKey {
  return randomBytes(DATA_KEY_BYTES) as DataKey
}

/** `bytes` as a data key, or undefined where they have another length. */
export function asDataKey(bytes: Uint8Array): DataKey | undefined {
  return bytes.length === DATA_KEY_BYTES ? (bytes as DataKey) : undefined
}

/** Where a data key belongs: in another store, group or number it derives other keys. */
export interface KeyPlace {
  readonly store: string
  readonly group: string
  readonly number: number
}

export interface DerivedKeys {
  /** Seals values. */
  readonly seal: Uint8Array
  /** Seals older data keys. */
  readonly previous: Uint8Array
  /** Public, lower-case hex: what a record says of its data key before it is opened. */
  readonly commitment: string
}

/** @see docs/format.md §7.2 */
export function deriveKeys(dataKey: DataKey, place: KeyPlace): DerivedKeys {
  const context = sha256Of(pae("coffer/v1/key", place.store, place.group, String(place.number)))
  return {
    seal: hkdf(dataKey, context, "coffer/v1/seal"),
    previous: hkdf(dataKey, context, "coffer/v1/previous"),
    commitment: encodeHex(hkdf(dataKey, context, "coffer/v1/commitment")),
  }
}

/** An older data key under a newer one. */
export interface SealedKey {
  readonly nonce: Uint8Array
  readonly key: Uint8Array
}

/**
 * Seals the data key `ancestor` so that who holds the data key `id` opens it too.
 *
 * @param previousKey - {@link DerivedKeys.previous} of `id`.
 * @see docs/format.md §7.4
 */
export function sealPreviousKey(
  previousKey: Uint8Array,
  id: string,
  ancestorId: string,
  ancestor: DataKey,
): SealedKey {
  return sealPreviousKeyWithNonce(previousKey, randomBytes(NONCE_BYTES), { id, ancestorId, ancestor })
}

/** {@link sealPreviousKey} with the nonce given, for vectors. */
export function sealPreviousKeyWithNonce(
  previousKey: Uint8Array,
  nonce: Uint8Array,
  { id, ancestorId, ancestor }: { id: string; ancestorId: string; ancestor: DataKey },
): SealedKey {
  return { nonce, key: xchacha20poly1305(previousKey, nonce, linkContext(id, ancestorId)).encrypt(ancestor) }
}

/** Opens what {@link sealPreviousKey} sealed; undefined where it was altered or is of another place. */
export function openPreviousKey(
  previousKey: Uint8Array,
  id: string,
  ancestorId: string,
  sealed: SealedKey,
): DataKey | undefined {
  const bytes = openXChaCha(previousKey, sealed.nonce, sealed.key, linkContext(id, ancestorId))
  return bytes && asDataKey(bytes)
}

function linkContext(id: string, ancestorId: string): Uint8Array {
  return pae("coffer/v1/previous", id, ancestorId)
}
