/** Secrets' files found, parsed and checked as far as that needs no key: one, or many at once. */
import { type SignedWrite, verifyWrites } from "../crypto/signing.js"
import type { OpenedValue } from "../crypto/value.js"
import { CofferError } from "../errors.js"
import { nameOfPath, pathOf, type SecretName } from "../format/names.js"
import { parseSecretFile, type SecretFile } from "../format/secret-file.js"
import { badSignature, placeSecret, verifySecret } from "../keyring/secret.js"
import type { Keyring } from "../keyring/verify.js"
import type { Oid } from "../storage/git/git.js"
import type { GroupAccess } from "./access.js"
import { inOverlap } from "./batches.js"
import { openFile } from "./seal.js"
import { isBadFile, type Tree } from "./tree.js"
import type { View } from "./view.js"

/** So many files are in memory, and so many signatures verified at once on the thread pool. */
export const BATCH = 256

/** A secret with its value. */
export interface Secret {
  readonly file: SecretFile
  readonly value: Uint8Array
}

export interface ReadSecret {
  readonly file: SecretFile
  readonly oid: Oid | undefined
}

/**
 * Reads and verifies the file of `name`: canonical, in its place, key known, signer allowed, signature.
 *
 * @returns undefined where there is no file; a tombstone is a file.
 * @see DESIGN §2.4, 15–17
 */
export async function readSecret(view: View, name: SecretName): Promise<ReadSecret | undefined> {
  const found = await view.tree.find(pathOf(name))
  return found === undefined ? undefined : { file: parseVerified(view, found), oid: found.oid }
}

/** {@link readSecret} for many names, in their order. */
export async function readSecrets(
  view: View,
  names: Iterable<SecretName>,
): Promise<readonly (ReadSecret | undefined)[]> {
  const all: (ReadSecret | undefined)[] = []
  async function* parse(): AsyncGenerator<PathFile> {
    for (const name of names) {
      const found = await view.tree.find(pathOf(name))
      const parsed = found && parseFile(found)
      all.push(parsed && { file: parsed.file, oid: found!.oid })
      if (parsed !== undefined) yield parsed
    }
  }
  for await (const _ of inOverlap(parse(), BATCH, batch => verifyFiles(view.keyring, batch)));
  return all
}

/** The same for a file already read. */
export function parseVerified(
  view: Pick<View, "keyring">,
  found: { path: string; bytes: Uint8Array },
): SecretFile {
  const { path, file } = parseFile(found)
  verifySecret(view.keyring, file, { path })
  return file
}

/** A secret's file with the path that it was read from. */
export interface PathFile {
  readonly path: string
  readonly file: SecretFile
}

/** What a file's signature was checked with. */
export type CheckedFile = PathFile & { readonly signingKey: string }

/**
 * Steps 15–17 of DESIGN §2.4 for many files, their signatures on the thread pool.
 *
 * @param refused - told of each file that is not sound; what it throws ends the rest.
 * @returns the others
 */
export async function verifyEach(
  keyring: Keyring,
  batch: readonly PathFile[],
  refused: (file: PathFile, error: CofferError) => void,
): Promise<readonly CheckedFile[]> {
  const placed: (PathFile & { write: SignedWrite })[] = []
  for (const entry of batch) {
    try {
      placed.push({ ...entry, write: placeSecret(keyring, entry.file, { path: entry.path }).write })
    } catch (error) {
      if (!(error instanceof CofferError)) throw error
      refused(entry, error)
    }
  }
  const answers = await verifyWrites(placed.map(({ write }) => write))
  const checked: CheckedFile[] = []
  for (const [index, { path, file, write }] of placed.entries()) {
    if (answers[index] === true) checked.push({ path, file, signingKey: write.publicKey })
    else refused({ path, file }, badSignature(file, { path }))
  }
  return checked
}

/** {@link verifyEach} up to the first file that is refused; `leave`: it is not what it should be, and left out. */
export function verifyFiles(
  keyring: Keyring,
  batch: readonly PathFile[],
  leave: (error: CofferError) => boolean = () => false,
): Promise<readonly CheckedFile[]> {
  return verifyEach(keyring, batch, (_, error) => {
    if (error.code === "WRITE_SIGNATURE" || !leave(error)) throw error
  })
}

/** @throws CofferError `WRITE_SIGNATURE` for the first file whose signature does not hold */
export async function requireSignatures(
  batch: readonly (PathFile & { readonly write: SignedWrite })[],
): Promise<void> {
  const answers = await verifyWrites(batch.map(({ write }) => write))
  const bad = batch[answers.indexOf(false)]
  if (bad !== undefined) throw badSignature(bad.file, { path: bad.path })
}

/** Opens a verified file with the keys of its group. @throws CofferError `HISTORY_CUT`, `PREVIOUS_BROKEN`, `TAMPERED` */
export async function openSecret(access: GroupAccess, file: SecretFile): Promise<OpenedValue> {
  return openFile(file, (await access.keys.keyFor(file.key)).keys.seal)
}

/** {@link openSecret} for a file of any group. @throws CofferError also what opening that group is refused with */
export async function openWith(
  groups: { open(group: string): Promise<GroupAccess> },
  file: SecretFile,
): Promise<Secret> {
  return { file, value: (await openSecret(await groups.open(file.group), file)).value }
}

/** Every secret's file below `prefix`, parsed. @param refused - told of each that is none; by default that is thrown */
export async function* parseFiles(
  tree: Tree,
  prefix: string,
  refused: (error: CofferError) => void = raise,
): AsyncGenerator<PathFile> {
  for await (const found of tree.files(prefix)) {
    if (nameOfPath(found.path) === undefined) continue
    try {
      if (isBadFile(found)) throw found.error
      yield parseFile(found)
    } catch (error) {
      if (!(error instanceof CofferError)) throw error
      refused(error)
    }
  }
}

function raise(error: CofferError): never {
  throw error
}

/** Parses a secret's file; what is refused names its path. */
export function parseFile({ path, bytes }: { path: string; bytes: Uint8Array }): PathFile {
  try {
    return { path, file: parseSecretFile(bytes, path) }
  } catch (error) {
    if (!(error instanceof CofferError) || error.message.includes(path)) throw error
    throw new CofferError(error.code, `"${path}": ${error.message}`, { hint: error.hint, cause: error })
  }
}
