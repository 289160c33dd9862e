/** One secret's file found, parsed and checked as far as that needs no key. */
import { CofferError } from "../errors.js"
import { pathOf, type SecretName } from "../format/names.js"
import { parseSecretFile, type SecretFile } from "../format/secret-file.js"
import { verifySecret } from "../keyring/secret.js"
import type { Oid } from "../storage/git/git.js"
import type { GroupAccess } from "./access.js"
import { type OpenedValue, openFile } from "./seal.js"
import type { View } from "./view.js"

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

/** The same for a file already read. */
export function parseVerified(view: View, found: { path: string; bytes: Uint8Array }): SecretFile {
  const file = inFile(found.path, () => parseSecretFile(found.bytes, found.path))
  verifySecret(view.keyring, file, { path: found.path })
  return file
}

/** Opens a verified file with the keys of its group. @throws CofferError `HISTORY_CUT`, `PREVIOUS_BROKEN`, `TAMPERED` */
export async function openSecret(access: GroupAccess, file: SecretFile): Promise<OpenedValue> {
  return openFile(file, (await access.keys.keyFor(file.key)).keys.seal)
}

/** Parsers do not know which file they read: its path is put in front of what they refuse. */
export function inFile<T>(path: string, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof CofferError) || error.message.includes(path)) throw error
    throw new CofferError(error.code, `"${path}": ${error.message}`, { hint: error.hint, cause: error })
  }
}
