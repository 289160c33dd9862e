/** Sealing many files again in one pass: verified in batches, opened, sealed under another data key. */
import { CofferError } from "../errors.js"
import type { KeyRecord } from "../format/key-record.js"
import { nameOfPath, type SecretName } from "../format/names.js"
import type { SecretFile, SecretHeader } from "../format/secret-file.js"
import type { OpenKeyring } from "../keyring/open.js"
import { canWrite, findMember, mayHaveSigned } from "../keyring/roles.js"
import { inBatches, inOverlap } from "./batches.js"
import { BATCH, type CheckedFile, type PathFile, parseFiles, verifyFiles } from "./reading.js"
import { openFile, resealFile, type SealKey, type SignedAnew, type Signer } from "./seal.js"
import { enterGroup } from "./succession.js"
import type { Draft } from "./transaction.js"
import { namesOf } from "./tree.js"

/** How the files of one group are sealed again. */
export interface Resealing {
  /** Opens the files as they are. */
  readonly keys: Pick<OpenKeyring, "keyFor">
  /** The group they go to. */
  readonly group: string
  /** Under this record's data key, by whose members the signature will be judged. */
  readonly record: KeyRecord
  readonly sealKey: SealKey
  /** Signs where the old signature cannot stay; has to be a writer or admin in `record`. */
  readonly signer: Signer
}

/** Every secret's file below `prefix` in HEAD, parsed, in batches. @throws CofferError for the first bad one */
export function readBatches(draft: Draft, prefix: string): AsyncIterable<readonly PathFile[]> {
  return inBatches(parseFiles(draft.base, prefix), BATCH)
}

/** Which files are sealed again, and how. */
export interface ResealRequest {
  /** A path of the store; "" for all of it. */
  readonly prefix: string
  /**
   * How a file is sealed again; undefined leaves it as it is.
   *
   * @param name - by its path: what the file says of itself is not verified yet.
   */
  choose(name: SecretName, file: SecretFile): Resealing | undefined
  /** Told of each file as it will be. */
  done?(file: SecretHeader): void
  /** Whether a file that is refused is left as it is. Default: never. */
  leave?(error: CofferError): boolean
}

/** Seals files again. @throws CofferError for the first that cannot be verified, opened or signed */
export async function resealFiles(draft: Draft, request: ResealRequest): Promise<void> {
  const total = namesOf(await draft.base.paths(request.prefix)).length
  let done = 0
  const verify = async (batch: readonly PathFile[]) => {
    const wanted = batch.filter(({ path, file }) => request.choose(nameOfPath(path)!, file) !== undefined)
    const checked = await verifyFiles(draft.keyring, wanted, request.leave)
    done += batch.length
    draft.store.progress(done, total)
    return checked
  }
  for await (const checked of inOverlap(parseFiles(draft.base, request.prefix), BATCH, verify)) {
    const sealed = await resealOne(draft, checked, request.choose(checked.file.name, checked.file)!)
    request.done?.(sealed)
  }
}

/** Opens a file that was checked, seals it again, and puts it into the operation. */
export async function resealOne(
  draft: Draft,
  { file, signingKey }: CheckedFile,
  to: Resealing,
): Promise<SecretFile> {
  const opened = openFile(file, (await to.keys.keyFor(file.key)).keys.seal)
  const sealed = resealFile(file, opened, to.sealKey, signAnew(file, signingKey, to))
  draft.putSecret(sealed, to)
  return sealed
}

/**
 * The signature stays unless it would be refused at the new place: rotation changes nothing that is signed.
 *
 * @param signingKey - what `file` is signed with: its signer may have another one in the new record.
 * @throws CofferError `ROLE_MISSING` where it has to be signed again and `signer` may not
 */
export function signAnew(
  file: SecretFile,
  signingKey: string,
  { group, record, sealKey, signer }: Omit<Resealing, "keys">,
): SignedAnew | undefined {
  if (file.group === group && mayHaveSigned(record, file.signer, signingKey)) return undefined
  const me = findMember(record, signer.name)
  if (me === undefined || !canWrite(me.role)) {
    throw new CofferError(
      "ROLE_MISSING",
      `"${file.name}" has to be signed again, since "${file.signer}" is no writer of "${group}", and "${signer.name}" is none either`,
      { hint: `a writer or an admin of ${group} can do this` },
    )
  }
  return { signer, group, valueKeys: enterGroup(file.valueKeys, group, sealKey.id) }
}
