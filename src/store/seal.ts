/** Secret files made and opened: the one place where header, signature, data key and value meet. */

import { type SigningKey, signWrite, signWriteLater } from "../crypto/signing.js"
import { digestValue, newSalt, type OpenedValue, openValue, sealValue } from "../crypto/value.js"
import { CofferError } from "../errors.js"
import { type SecretFile, type SecretHeader, sealContext, writeContext } from "../format/secret-file.js"

/** The data key a file is sealed under: its id and the key derived from it for sealing. */
export interface SealKey {
  readonly id: string
  readonly seal: Uint8Array
}

/** Who signs: the member's name in the group's record and the key published there. */
export interface Signer {
  readonly name: string
  readonly signingKey: SigningKey
}

/** All of a new version that is not derived from its value, its signer or its data key. */
export type VersionHeader = Omit<SecretHeader, "digest" | "author" | "signer">

/** What signing a file again puts into it: who signs, and where it is now, if that is elsewhere. */
export interface SignedAnew {
  readonly signer: Signer
  readonly group?: string
  readonly valueKeys?: readonly string[]
}

/** Seals a new version: new salt, `author` = `signer` = who runs it. */
export async function sealVersion(
  header: VersionHeader,
  value: Uint8Array,
  key: SealKey,
  signer: Signer,
): Promise<SecretFile> {
  const salt = newSalt()
  const { name } = signer
  const signed = { ...header, author: name, digest: digestValue(salt, value), signer: name }
  const signature = await signWriteLater(signer.signingKey, writeContext(signed))
  return sealSigned({ ...signed, signature }, { value, salt }, key)
}

/**
 * Seals a file again under another data key. Version, author, created, previous, salt and digest
 * stay, so the signature does; it is made anew only where `change` says so.
 *
 * @see DESIGN §1.2: rotation replaces only the sealed part
 */
export function resealFile(
  file: SecretFile,
  opened: OpenedValue,
  key: SealKey,
  change?: SignedAnew,
): SecretFile {
  if (change === undefined) return sealSigned(file, opened, key)
  const { name, signingKey } = change.signer
  const group = change.group ?? file.group
  const valueKeys = change.valueKeys ?? file.valueKeys
  const signed = { ...file, group, valueKeys, signer: name }
  return sealSigned({ ...signed, signature: signWrite(signingKey, writeContext(signed)) }, opened, key)
}

/**
 * Opens a file that has passed the checks that need no key.
 *
 * @param context - what the value is sealed to.
 * @throws CofferError `TAMPERED` if the sealed part does not open or gives another value than was signed, and for a
 * tombstone that seals one.
 */
export function openFile(file: SecretFile, seal: Uint8Array, context = sealContext(file)): OpenedValue {
  try {
    const opened = openValue(seal, context, file)
    // A tombstone's value would be on nobody's exposure list.
    const isEmpty = opened.value.length === 0
    // One meaning per file: a rotator who seals another value cannot keep the signed digest.
    const isSigned = digestValue(opened.salt, opened.value) === file.digest
    if (isSigned && (file.state === "current" || isEmpty)) return opened
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
  }
  throw new CofferError("TAMPERED", `"${file.name}" was altered: its value is not the one that was signed`, {
    hint: `git log -- the file of ${file.name} shows who changed it; coffer versions ${file.name} lists what to roll back to`,
  })
}

type Signed = Omit<SecretFile, "key" | "nonce" | "value">

function sealSigned(signed: Signed, opened: OpenedValue, key: SealKey): SecretFile {
  const file = { ...signed, key: key.id }
  return { ...file, ...sealValue(key.seal, sealContext(file), opened.salt, opened.value) }
}
