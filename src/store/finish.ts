/** `coffer rotate --finish`: takes in what branches brought that was sealed under older, retired or refused keys. */

import type { SignedWrite } from "../crypto/signing.js"
import { CofferError, hasCode } from "../errors.js"
import { counted } from "../format/counted.js"
import { GROUP, listOf, MEMBER, objectOf, optional, TEXT } from "../format/given.js"
import { writeContext, writerOf } from "../format/secret-file.js"
import { gitPath } from "../format/shell.js"
import type { RecordNode } from "../keyring/graph.js"
import { type GroupKeyring, holdersOf } from "../keyring/group.js"
import type { OpenKeyring } from "../keyring/open.js"
import { canWrite, findMember, mayHaveSigned } from "../keyring/roles.js"
import { placeSecret } from "../keyring/secret.js"
import { isStale } from "../keyring/stale.js"
import { openLine } from "./access.js"
import { checkCall, WRITE } from "./call.js"
import { askByName } from "./consent.js"
import { currentRecord, getGroup } from "./publish.js"
import { type CheckedFile, type PathFile, requireSignatures, verifyFiles } from "./reading.js"
import { readBatches, resealOne } from "./reseal.js"
import { type Rotated, type RotatedGroup, refuseUnfinished, withReason } from "./rotate.js"
import type { Store } from "./store.js"
import { change, type Draft, type WriteOptions } from "./transaction.js"

/** What to take in that a branch has sealed under an older key. */
export interface FinishRequest extends WriteOptions {
  /** Default, and for an empty list: every group. */
  readonly groups?: readonly string[] | undefined
  /** Signers who are no writers now and whose files are taken in; default: asked for one by one. */
  readonly accept?: readonly string[] | undefined
  readonly reason?: string | undefined
}

/** A file whose place is refused, and the record of the key it is sealed under. */
interface Stray extends PathFile {
  readonly record: RecordNode
  readonly from: GroupKeyring
  readonly write: SignedWrite
  readonly why: string
}

const FINISH = objectOf<FinishRequest>({
  ...WRITE,
  groups: optional(listOf(GROUP)),
  accept: optional(listOf(MEMBER)),
  reason: optional(TEXT),
})

/**
 * Seals files again that are sealed under a retired key, a refused fork's, another group's or merely an
 * older one, after telling who wrote them. What somebody signed who may not write now is taken in by
 * name only, by an admin.
 *
 * @throws CofferError `ROLE_MISSING`, `WRITER_NOT_ALLOWED` and `WRITE_SIGNATURE` for files that were never
 * in order, `USAGE` where there is nobody to ask
 */
export async function finishRotation(store: Store, request: FinishRequest): Promise<Rotated> {
  checkCall(store, request, FINISH)
  const { result, changed, commit } = await change(
    store,
    request,
    draft => finishIn(draft, request),
    groups => {
      const count = groups.reduce((sum, { resealed }) => sum + resealed, 0)
      return withReason(`Take in ${counted(count, "secret")} sealed under older data keys`, request.reason)
    },
  )
  return { groups: result, changed, commit }
}

async function finishIn(draft: Draft, request: FinishRequest): Promise<readonly RotatedGroup[]> {
  const wanted = request.groups ?? []
  for (const group of wanted) getGroup(draft.keyring, group)
  const { strays, stale } = await sortFiles(draft, wanted)
  if (strays.length + stale.length === 0) await refuseUnfinished(draft, "take in")
  await requireSignatures(strays)
  for (const { file, why } of strays) {
    draft.store.note(`"${file.name}": version ${file.version} by ${writerOf(file)}, ${file.created}, ${why}`)
  }
  const taken = await takeIn(draft, strays, request.accept)
  const counts = new Map<string, number>()
  const seal = async (checked: CheckedFile, open: () => Promise<Pick<OpenKeyring, "keyFor">>) => {
    const group = draft.groupOf(checked.file.name)
    const { sealKey, signer } = await draft.openForWriting(group)
    const keys = await open()
    const { record } = currentRecord(draft.keyring, group)
    await resealOne(draft, checked, { keys, group, record, sealKey, signer })
    counts.set(group, 1 + (counts.get(group) ?? 0))
  }
  for (const checked of stale) await seal(checked, async () => (await draft.open(checked.file.group)).keys)
  for (const stray of taken) {
    const keys = await openStray(draft, stray)
    if (keys !== undefined) await seal({ ...stray, signingKey: stray.write.publicKey }, async () => keys)
  }
  return [...counts].sort().map(([group, resealed]) => ({
    group,
    key: currentRecord(draft.keyring, group).id,
    resealed,
  }))
}

/** Files that are refused for their key or group, and sound ones under a key that was rotated since. */
async function sortFiles(
  draft: Draft,
  groups: readonly string[],
): Promise<{ strays: readonly Stray[]; stale: readonly CheckedFile[] }> {
  const strays: Stray[] = []
  const stale: CheckedFile[] = []
  for await (const batch of readBatches(draft, "")) {
    const sound: PathFile[] = []
    for (const entry of batch) {
      if (groups.length > 0 && !groups.includes(draft.groupOf(entry.file.name))) continue
      const stray = findStray(draft, entry)
      if (stray !== undefined) strays.push(stray)
      else if (isStale(getGroup(draft.keyring, entry.file.group), entry.file.key)) sound.push(entry)
    }
    stale.push(...(await verifyFiles(draft.keyring, sound)))
  }
  return { strays, stale }
}

const REASONS = {
  KEY_RETIRED: "sealed under the retired data key",
  KEY_UNKNOWN: "sealed under a refused fork's data key",
  SECRET_WRONG_GROUP: "sealed for another group, under",
} as const

/** @returns undefined for a file that is in its place. @throws CofferError for one that nobody can take in */
function findStray(draft: Draft, { path, file }: PathFile): Stray | undefined {
  try {
    placeSecret(draft.keyring, file, { path })
    return undefined
  } catch (error) {
    if (!hasCode(error, "KEY_RETIRED", "KEY_UNKNOWN", "SECRET_WRONG_GROUP")) throw error
    const from = draft.keyring.groups.get(file.group)
    const record = from?.graph.byId.get(file.key)
    if (from === undefined || record === undefined) throw error
    const entry = findMember(record.record, file.signer)
    if (entry?.signingKey === undefined || !canWrite(entry.role)) {
      throw new CofferError(
        "WRITER_NOT_ALLOWED",
        `"${path}": its signer "${file.signer}" never was a writer there`,
      )
    }
    const write = { publicKey: entry.signingKey, context: writeContext(file), signature: file.signature }
    const why = `${REASONS[error.code as keyof typeof REASONS]} ${file.key}`
    return { path, file, record, from, write, why }
  }
}

/**
 * What present writers signed, and of the rest what an admin takes in by name. A fork's records are its
 * maker's: a name counts as a present writer's only under the key that the current record has for it.
 */
async function takeIn(
  draft: Draft,
  strays: readonly Stray[],
  accept: readonly string[] | undefined,
): Promise<readonly Stray[]> {
  const doubtful = strays.filter(stray => !isPresentWriter(draft, stray))
  for (const group of new Set(doubtful.map(({ file }) => draft.groupOf(file.name))))
    await requireAdmin(draft, group)
  const signers = new Map<string, number>()
  for (const { file } of doubtful) signers.set(file.signer, 1 + (signers.get(file.signer) ?? 0))
  const candidates = [...signers].map(([name, count]) => ({
    name,
    question: `take in ${counted(count, "secret")} signed by "${name}", who may not write there now`,
  }))
  const names = new Set([...(await askByName(draft.store, candidates, accept))].map(({ name }) => name))
  return strays.filter(stray => !doubtful.includes(stray) || names.has(stray.file.signer))
}

function isPresentWriter(draft: Draft, { file, write }: Stray): boolean {
  const { record } = currentRecord(draft.keyring, draft.groupOf(file.name))
  return mayHaveSigned(record, file.signer, write.publicKey)
}

async function requireAdmin(draft: Draft, group: string): Promise<void> {
  const { member } = await draft.open(group)
  if (member.role === "admin") return
  throw new CofferError(
    "ROLE_MISSING",
    `in "${group}" there are files by people who may not write there now: only an admin takes those in`,
    { hint: `coffer recipients list -g ${group} shows who is admin` },
  )
}

/** @returns undefined, noted, where a refused fork has sealed it for others alone: nobody here can take that in */
async function openStray(
  draft: Draft,
  { path, file, from, record }: Stray,
): Promise<Pick<OpenKeyring, "keyFor"> | undefined> {
  try {
    const keys = await openLine(draft.store, draft, { group: from, record })
    await keys.keyFor(file.key)
    return keys
  } catch (error) {
    const isForks = holdersOf(from, record.sha256).length === 0
    if (!isForks || !hasCode(error, "NOT_A_MEMBER", "REMOVED", "HISTORY_CUT", "WRAP_BROKEN")) throw error
    const here = gitPath(`${draft.store.folder}/${path}`)
    draft.store.note(
      `"${file.name}" cannot be opened here, left as before: git log -m -- ${here} shows what to bring back (git checkout COMMIT -- ${here}, git commit --no-verify, coffer trust accept ${file.name})`,
    )
    return undefined
  }
}
