/** Whether a secret's file stands where it may, under a key that counts, signed by who may (DESIGN §2.4, 15–17). */
import { verifyWrite } from "../crypto/signing.js"
import { CofferError } from "../errors.js"
import { groupOf, pathOf } from "../format/names.js"
import { type SecretFile, writeContext } from "../format/secret-file.js"
import type { RecordNode } from "./graph.js"
import { type GroupKeyring, holdersOf, isRetired } from "./group.js"
import { canWrite, findMember } from "./roles.js"
import type { Keyring } from "./verify.js"

/** Where a file was found. */
export interface SecretPlace {
  /** Relative to the store; of an old version, the path that it is a version of. */
  readonly path: string
  /** An old version: it may have had another name or group, and its data key may be retired. */
  readonly old?: boolean
}

/** A file that passed every check but that of its signature. */
export interface PlacedSecret {
  readonly group: GroupKeyring
  /** The record of the data key it is sealed under. */
  readonly record: RecordNode
  /** What is left to check: the batch form is `verifyWrites`. */
  readonly write: { readonly publicKey: string; readonly context: Uint8Array; readonly signature: Uint8Array }
}

/**
 * Runs steps 15–17 on a parsed file.
 *
 * @throws CofferError `SECRET_MOVED`, `SECRET_WRONG_GROUP`, `KEY_UNKNOWN`, `KEY_RETIRED`,
 * `WRITER_NOT_ALLOWED`, `WRITE_SIGNATURE`
 */
export function verifySecret(keyring: Keyring, file: SecretFile, place: SecretPlace): PlacedSecret {
  const placed = placeSecret(keyring, file, place)
  const { publicKey, context, signature } = placed.write
  if (!verifyWrite(publicKey, context, signature)) throw badSignature(file, place)
  return placed
}

/** {@link verifySecret} without the signature, for callers that check many of them at once. */
export function placeSecret(keyring: Keyring, file: SecretFile, place: SecretPlace): PlacedSecret {
  const group = findGroup(keyring, file, place)
  const record = findKey(group, file, place)
  // Judged by the record of the key it is sealed under: that holds for old versions and for those
  // who were demoted since, who could otherwise backdate.
  const signer = findMember(record.record, file.signer)
  if (signer?.signingKey === undefined || !canWrite(signer.role)) {
    throw refusal("WRITER_NOT_ALLOWED", place, `its signer "${file.signer}" may not write in "${file.group}"`)
  }
  return {
    group,
    record,
    write: { publicKey: signer.signingKey, context: writeContext(file), signature: file.signature },
  }
}

/** Whether a file is sealed under the data key of a fork that is refused (step 13): `rotate --finish` takes it in. */
export function isOfRefusedFork(keyring: Keyring, file: SecretFile): boolean {
  const group = keyring.groups.get(file.group)
  const record = group?.graph.byId.get(file.key)
  return group !== undefined && record !== undefined && holdersOf(group, record.sha256).length === 0
}

/** The refusal of a file whose signature does not hold. */
export function badSignature(file: SecretFile, place: SecretPlace): CofferError {
  return refusal(
    "WRITE_SIGNATURE",
    place,
    `this is not what "${file.signer}" signed`,
    `git log -- the file shows who changed it; coffer versions ${file.name} lists what to roll back to`,
  )
}

/** Step 15: of this store, under its own name, in the group that the name belongs to. */
function findGroup(keyring: Keyring, file: SecretFile, place: SecretPlace): GroupKeyring {
  if (file.store !== keyring.store) throw refusal("SECRET_MOVED", place, "it belongs to another store")
  if (!place.old && pathOf(file.name) !== place.path) {
    throw refusal(
      "SECRET_MOVED",
      place,
      `it is the secret "${file.name}"`,
      `coffer move does what git mv cannot`,
    )
  }
  const wanted = place.old ? file.group : groupOf(file.name, keyring.listed.keys())
  if (file.group !== wanted) {
    throw refusal(
      "SECRET_WRONG_GROUP",
      place,
      `it is sealed for "${file.group}", but its name belongs to "${wanted}"`,
      `coffer rotate ${wanted} --finish takes it in`,
    )
  }
  const group = keyring.groups.get(wanted)
  if (group === undefined) {
    // Only an old version can name a group that is not listed; a refused one is met by `check` alone.
    throw refusal(
      place.old ? "SECRET_WRONG_GROUP" : "GROUP_MISSING",
      place,
      `there is no accepted keyring of "${wanted}"`,
    )
  }
  return group
}

/** Step 16: the key it is sealed under is one of the current records' and not retired. */
function findKey(group: GroupKeyring, file: SecretFile, place: SecretPlace): RecordNode {
  const record = group.graph.byId.get(file.key)
  const holders = record === undefined ? [] : holdersOf(group, record.sha256)
  if (record === undefined || holders.length === 0) {
    const why = record === undefined ? "is not here" : "is of a refused fork"
    throw refusal(
      "KEY_UNKNOWN",
      place,
      `the data key "${file.key}" it is sealed under ${why}`,
      `coffer rotate ${group.group} --finish takes in what can be opened`,
    )
  }
  // Who was removed still has that key and could seal any value under it.
  if (!place.old && isRetired(record, holders)) {
    throw refusal(
      "KEY_RETIRED",
      place,
      `the data key "${file.key}" it is sealed under is retired`,
      `coffer rotate ${group.group} --finish takes it in, after showing who wrote it`,
    )
  }
  return record
}

function refusal(code: CofferError["code"], place: SecretPlace, why: string, hint?: string): CofferError {
  const what = place.old ? `an old version of "${place.path}"` : `"${place.path}"`
  return new CofferError(code, `${what}: ${why}`, { hint })
}
