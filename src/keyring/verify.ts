/** Verification of a store's key records: from files and anchors to the keyrings that count. Pure. */
import { LIMITS } from "../format/limits.js"
import { ROOT_GROUP } from "../format/names.js"
import { type Finding, type Refuse, throwRefusal } from "./findings.js"
import { type GroupKeyring, verifyGroup } from "./group.js"
import type { Pin } from "./pin.js"
import type { RecordFile } from "./record-rules.js"
import { groupOfRecord, KEYS_FOLDER, type KnownRecords } from "./trust.js"

export interface VerifyInput {
  /** Store id. */
  readonly store: string
  /** All files below `.coffer/keys`, or those of `groups` and the default group. */
  readonly files: readonly RecordFile[]
  readonly pin: Pin | undefined
  readonly known: KnownRecords | undefined
  /**
   * Groups whose newest known record is in neither these files nor the tree last seen on this
   * branch: an older branch, not a rollback.
   */
  readonly behind: ReadonlySet<string>
  /** Verify only these besides the default group. */
  readonly groups?: readonly string[]
  /** Takes a listed group that is `FORKED` as diverged: for the merge by which an admin decides. */
  readonly undecided?: boolean
}

/** The verified keyrings of one tree. */
export interface Keyring {
  readonly store: string
  /** Every group that was asked for, the default group included. */
  readonly groups: ReadonlyMap<string, GroupKeyring>
  /** All groups that there are besides the default one, with the hashes listed for them: one, unless diverged. */
  readonly listed: ReadonlyMap<string, readonly string[]>
  /** Warnings: none of them keeps from reading. */
  readonly findings: readonly Finding[]
  /** Hashes of the records whose members and signature have been checked, now or before. */
  readonly verified: ReadonlySet<string>
  readonly pinned: boolean
}

/**
 * Runs DESIGN §2.4, 2–14: the default group first, then the groups that it lists.
 *
 * @throws CofferError with the code of the first refusal, in the order of the steps.
 */
export function verifyKeyring(input: VerifyInput): Keyring {
  return readKeyring(input, [], throwRefusal)!
}

/** The same for `check`: every refusal is a finding; what depends on a refused record is left out. */
export function collectKeyring(input: VerifyInput): {
  keyring: Keyring | undefined
  findings: readonly Finding[]
} {
  const findings: Finding[] = []
  const keyring = readKeyring(input, findings, refusal => findings.push({ level: "error", ...refusal }))
  return { keyring, findings }
}

function readKeyring(input: VerifyInput, findings: Finding[], refuse: Refuse): Keyring | undefined {
  const verified = new Set<string>()
  const folders = splitByGroup(input.files, refuse)
  const verifyOne = (group: string, listed: readonly string[]) => {
    const { store, pin, known, undecided = false } = input
    const files = folders.get(group) ?? []
    const mayLack = input.behind.has(group)
    return verifyGroup(
      { store, group, files, pin, listed, known, mayLack, undecided, verified, findings },
      refuse,
    )
  }
  const root = verifyOne(ROOT_GROUP, [])
  if (root === undefined) return undefined
  const listed = listGroups(root)
  refuseUnlisted(folders, listed, refuse)
  const groups = new Map([[ROOT_GROUP, root]])
  for (const [group, hashes] of listed) {
    if (input.groups !== undefined && !input.groups.includes(group)) continue
    const keyring = verifyOne(group, hashes)
    if (keyring !== undefined) groups.set(group, keyring)
  }
  return { store: input.store, groups, listed, findings, verified, pinned: input.pin !== undefined }
}

/** The folder of a record is its group; what lies in no folder is no record. */
function splitByGroup(files: readonly RecordFile[], refuse: Refuse): Map<string, RecordFile[]> {
  const folders = new Map<string, RecordFile[]>()
  if (files.length > LIMITS.keyRecords) {
    const message = `"${KEYS_FOLDER}" holds more than ${LIMITS.keyRecords} key records`
    refuse({ code: "RECORD_INVALID", path: KEYS_FOLDER, message })
    return folders
  }
  for (const file of files) {
    const group = groupOfRecord(file.path)
    if (group === "") {
      refuse({
        code: "NOT_CANONICAL",
        path: file.path,
        message: `"${file.path}" is not a key record: those lie in the folder of their group`,
      })
      continue
    }
    folders.set(group, [...(folders.get(group) ?? []), file])
  }
  return folders
}

/** Step 14: the union over the current default records, names sorted. */
function listGroups(root: GroupKeyring): Map<string, readonly string[]> {
  const listed = new Map<string, Set<string>>()
  for (const { record } of root.current) {
    for (const [group, sha256] of record.groups ?? []) {
      listed.set(group, (listed.get(group) ?? new Set()).add(sha256))
    }
  }
  return new Map(
    [...listed].sort(([a], [b]) => (a < b ? -1 : 1)).map(([group, hashes]) => [group, [...hashes]]),
  )
}

/** Step 14: whoever can write to the repository could otherwise plant a group with members of his own. */
function refuseUnlisted(
  folders: ReadonlyMap<string, readonly RecordFile[]>,
  listed: ReadonlyMap<string, unknown>,
  refuse: Refuse,
): void {
  for (const [group, files] of folders) {
    if (group === ROOT_GROUP || listed.has(group)) continue
    const path = files[0]!.path
    refuse({
      code: "GROUP_NOT_LISTED",
      path,
      message: `"${path}" belongs to no group: the current key record of the default group does not list "${group}"`,
      hint: "groups are made by coffer group create; git log shows who put the folder there",
    })
  }
}
