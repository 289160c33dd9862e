/** `coffer check`: everything that can be verified about a store, as a list of findings. */

import { CofferError, EXIT_CODES } from "../errors.js"
import { FLAG, listOf, objectOf, oneOf, optional, TEXT, TIME } from "../format/given.js"
import { findOldAnchors } from "../keyring/anchors.js"
import { exposureOf } from "../keyring/exposure.js"
import { errorFinding, type Finding, uniqueFindings } from "../keyring/findings.js"
import { isStale } from "../keyring/stale.js"
import { KEYS_FOLDER } from "../keyring/trust.js"
import { collectKeyring, type Keyring } from "../keyring/verify.js"
import type { Git, Oid } from "../storage/git/git.js"
import { byGroup, type GroupAccess, openGroup } from "./access.js"
import { checkCall } from "./call.js"
import { findOwnAttributes } from "./check-attributes.js"
import { addFinding, checkFiles, type FileCheck } from "./check-files.js"
import { compareWorkTree } from "./check-worktree.js"
import { compareCommits } from "./compare-commits.js"
import { findKeyDue, findSecretDue } from "./due.js"
import { findLostUpdates } from "./merge-audit.js"
import { openSecret, type PathFile } from "./reading.js"
import { readRecords } from "./records.js"
import { requireCommit } from "./revision.js"
import { comparedIn, groupsBehind, reportBranch } from "./rollback.js"
import { type OpenOptions, openStore, type Store } from "./store.js"
import type { Tree } from "./tree.js"
import { choosePin } from "./trust.js"
import { remember } from "./view.js"

/** Warnings that `--fail-on` can make count. */
export const FAIL_ON = {
  exposed: ["EXPOSED"],
  overdue: ["OVERDUE"],
  stale: ["STALE"],
  behind: ["BEHIND"],
  diverged: ["DIVERGED", "FORK_REFUSED"],
  pin: ["UNPINNED", "PIN_OLD", "ANCHOR_OLD"],
} as const

/** A word of {@link FAIL_ON}. */
export type FailOn = keyof typeof FAIL_ON

export const WARNINGS = listOf(oneOf(Object.keys(FAIL_ON)))

/** What to check beyond the files, and which warnings count. */
export interface CheckRequest {
  readonly at: Date
  /** Nothing that this commit, or branch, had may be lost. */
  readonly since?: string | undefined
  readonly requirePin?: boolean | undefined
  readonly failOn?: readonly FailOn[] | undefined
}

/** What a check came to; see docs/cli.md, "check". */
export interface CheckReport {
  readonly checked: { readonly files: number; readonly opened: number }
  readonly problems: readonly Finding[]
  /** Whether something counts as found: errors always, warnings where `failOn` names them. */
  readonly failed: boolean
}

/** What looking at a store gives. */
export interface Examination {
  /** Undefined where the key records were refused. */
  readonly keyring: Keyring | undefined
  /** Secrets whose file is sound, by path. */
  readonly secrets: readonly PathFile[]
  readonly checked: { readonly files: number; readonly opened: number }
  readonly problems: readonly Finding[]
}

const CHECK = objectOf<CheckRequest>({
  at: TIME,
  since: optional(TEXT),
  requirePin: optional(FLAG),
  failOn: optional(WARNINGS),
})

/**
 * Verifies the work tree's store as far as possible: without an identity structure, signatures and places, with
 * one also every value it opens.
 *
 * @throws CofferError `CHECK_INCOMPLETE` for `requirePin` without a pin, `HISTORY_MISSING` for commits that
 * are not here, `GIT_…`
 */
export async function checkStore(store: Store, request: CheckRequest): Promise<CheckReport> {
  checkCall(store, request, CHECK)
  if (request.requirePin === true && choosePin(store, "look").pin === undefined) throw noPin()
  const { checked, problems } = await examineStore(store, { ...request, values: true })
  return { checked, problems, failed: problems.some(problem => counts(problem, request.failOn ?? [])) }
}

/** {@link checkStore} for a store that is still to be opened: what stands against that is found too. */
export async function openAndCheck(options: OpenOptions, request: CheckRequest): Promise<CheckReport> {
  try {
    return await checkStore(await openStore(options), request)
  } catch (error) {
    return { checked: { files: 0, opened: 0 }, problems: [refusalOf(error)], failed: true }
  }
}

/**
 * A refusal of the whole store, as a finding: `store.yaml` or what this machine remembers is damaged, or it is
 * another store.
 *
 * @throws the error itself where it is no finding (no store, wrong usage, git)
 */
export function refusalOf(error: unknown): Finding {
  if (!(error instanceof CofferError) || error.exit !== EXIT_CODES.DAMAGED) throw error
  const { code, message, hint } = error
  return { code, level: "error", message, hint }
}

/** Looks at everything. @param request.values - whether values are opened too. */
export async function examineStore(
  store: Store,
  request: CheckRequest & { values: boolean },
): Promise<Examination> {
  const { tree } = store
  const result: FileCheck = { files: 0, findings: [] }
  const keyring = await checkKeyring(store, tree, result)
  const secrets: PathFile[] = []
  for await (const secret of checkFiles(tree, keyring, result)) secrets.push(secret)
  let opened = 0
  let losses: readonly Finding[] = []
  if (keyring !== undefined) {
    if (request.values) opened = await checkValues(store, keyring, secrets, result)
    const { pin } = choosePin(store, "look")
    result.findings.push(...findOldAnchors(keyring, pin), ...findCares(keyring, secrets, request.at))
    if (request.failOn?.includes("stale")) result.findings.push(...findOlderKeys(keyring, secrets))
    const isSound = !result.findings.some(finding => finding.level === "error")
    losses = await checkHistory(store, { tree, keyring, secrets, since: request.since, isSound })
  }
  // What was lost comes first: until it is back, every command that would put something else right refuses.
  const problems = uniqueFindings([...losses, ...result.findings, ...(await findOwnAttributes(store))])
  return { keyring, secrets, checked: { files: result.files, opened }, problems }
}

/** Whether a finding makes `check` and `status --fail-on` fail. */
export function counts({ level, code }: Finding, failOn: readonly FailOn[]): boolean {
  return level === "error" || failOn.some(kind => (FAIL_ON[kind] as readonly string[]).includes(code))
}

/** Steps 1–14. @returns undefined where nothing could be verified; the findings say why */
export async function checkKeyring(
  store: Store,
  tree: Tree,
  result: FileCheck,
): Promise<Keyring | undefined> {
  const { pin } = choosePin(store, "look")
  const state = store.state()
  // A bad record file is among the findings of checkFiles; what follows from it is found here.
  const files = await readRecords(tree, { skipBad: true })
  const behind = await groupsBehind(store, state, { tree, files })
  const { keyring, findings } = collectKeyring({ store: store.id, files, pin, known: state, behind })
  result.findings.push(...findings)
  return keyring
}

/** Steps 19–23, group by group, for the groups that an identity here opens. */
async function checkValues(
  store: Store,
  keyring: Keyring,
  secrets: readonly PathFile[],
  result: FileCheck,
): Promise<number> {
  let opened = 0
  for (const [group, members] of byGroup(secrets)) {
    const access = await openGroup(store, { keyring }, group).catch(error => {
      if (!(error instanceof CofferError)) throw error
      // A broken wrap is a finding. Not to be a member is none, and a setting of the user's is not the store's fault.
      if (error.exit === EXIT_CODES.DAMAGED) addFinding(result, `${KEYS_FOLDER}/${group}`, error)
      else if (error.exit !== EXIT_CODES.NOT_A_MEMBER) throw error
      return undefined
    })
    if (access !== undefined) opened += await openAll(access, members, result)
  }
  return opened
}

async function openAll(
  access: GroupAccess,
  members: readonly PathFile[],
  result: FileCheck,
): Promise<number> {
  let opened = 0
  for (const { path, file } of members) {
    try {
      await openSecret(access, file)
      opened++
    } catch (error) {
      if (!(error instanceof CofferError)) throw error
      addFinding(result, path, error)
    }
  }
  return opened
}

/** What is in order and should still be taken care of. */
export function findCares(keyring: Keyring, secrets: readonly PathFile[], at: Date): Finding[] {
  const findings: Finding[] = []
  const exposed = exposureOf(keyring)
  for (const { path, file } of secrets) {
    const warn = (code: Finding["code"], message: string, hint: string) =>
      findings.push({ code, level: "warning", path, message, hint })
    const members = exposed(file).map(({ member }) => member)
    if (members.length > 0) {
      warn(
        "EXPOSED",
        `"${file.name}" may be known to ${members.join(", ")}, who cannot read it any more`,
        `coffer set ${file.name}`,
      )
    }
    const due = findSecretDue(file, at)
    if (due !== undefined) warn("OVERDUE", `"${file.name}" ${due}`, `coffer set ${file.name}`)
    if (isStale(keyring.groups.get(file.group)!, file.key)) {
      warn(
        "STALE",
        `"${file.name}" is sealed under the data key ${file.key}, though its group was rotated since`,
        `coffer rotate ${file.group} --finish`,
      )
    }
  }
  for (const keyringOf of keyring.groups.values()) {
    const due = findKeyDue(keyringOf, at)
    const [node] = keyringOf.current
    if (due === undefined || node === undefined) continue
    const message = `the data key ${node.id} of "${keyringOf.group}" ${due}`
    findings.push({
      code: "OVERDUE",
      level: "warning",
      path: node.path,
      message,
      hint: `coffer rotate ${keyringOf.group}`,
    })
  }
  return findings
}

/**
 * Groups with files under an older data key than the newest. It is so after every addition, and nothing to take care
 * of: it is said to whoever asks for it.
 */
function findOlderKeys(keyring: Keyring, secrets: readonly PathFile[]): Finding[] {
  return [...keyring.groups.values()].flatMap(({ group, current }) => {
    const own = secrets.filter(({ file }) => file.group === group)
    const older = own.filter(({ file }) => current.every(({ id }) => id !== file.key))
    if (older.length === 0) return []
    return {
      code: "STALE",
      level: "warning",
      path: `${KEYS_FOLDER}/${group}`,
      message: `of ${own.length} secrets of "${group}", ${older.length} sealed under an older data key than the newest`,
      hint: `coffer rotate ${group}`,
    }
  })
}

interface HistoryView {
  readonly tree: Tree
  readonly keyring: Keyring
  readonly secrets: readonly PathFile[]
  readonly since: string | undefined
  /** Whether all else is in order: then what is found here decides whether the branch counts as seen. */
  readonly isSound: boolean
}

/** Without git, or where git refuses this repository, there is no history to look at. */
async function checkHistory(store: Store, view: HistoryView): Promise<Finding[]> {
  if (store.repository === undefined && view.since === undefined) return []
  try {
    return await compareHistory(store, await store.git(), view)
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
    if (error.exit === EXIT_CODES.DAMAGED) return [refusalOf(error)]
    if (view.since !== undefined || error.exit !== EXIT_CODES.GIT_FAILED) throw error
    const message = `history was not looked at: ${error.message}`
    return [{ code: "CHECK_INCOMPLETE", level: "note", path: store.folder, message }]
  }
}

/** Step 18, and a merge that dropped a value. */
async function compareHistory(
  store: Store,
  git: Git,
  { keyring, secrets, since, tree, isSound }: HistoryView,
): Promise<Finding[]> {
  const { commit: head } = await git.head()
  if (head === null) return []
  const findings: Finding[] = []
  if (since !== undefined) findings.push(...(await findSince(store, git, { keyring, since, head })))
  findings.push(...(await compareWorkTree(git, head, { tree, secrets, folder: store.folder })))
  const parents = await parentsOf(git, head)
  if (parents.length > 1) {
    findings.push(...(await findLostUpdates(git, store.folder, { parents, result: head })))
  }
  const { position, losses, unjudged } = await reportBranch(store, keyring)
  findings.push(...losses.map(loss => errorFinding(loss, loss.path)))
  const isClean = isSound && findings.every(({ level }) => level !== "error") && unjudged.length === 0
  if (isClean) await remember(store, { keyring, branch: position })
  return findings
}

/**
 * What was lost since a commit. A branch that HEAD lacks is only further on: HEAD is judged from where the two
 * parted. A commit given by its id has been in this history, or nobody would name it: if it is not, all that it
 * had has to be here all the same.
 */
async function findSince(
  store: Store,
  git: Git,
  { keyring, since, head }: { keyring: Keyring; since: string; head: Oid },
): Promise<Finding[]> {
  const commit = await requireCommit(git, since, "--since")
  const parted = await git.mergeBase(commit, head)
  const isId = /^[0-9a-f]{7,64}$/.test(since)
  const from = isId ? commit : (parted ?? commit)
  const { losses: lost } = await compareCommits(comparedIn(store, keyring, git), from, head)
  const losses = lost.map(loss => errorFinding(loss, loss.path))
  if (losses.length === 0 || from === parted) return losses
  const rewritten: Finding = {
    code: "HISTORY_REWRITTEN",
    level: "error",
    path: store.folder,
    message: `commit ${commit.slice(0, 7)} is not in the history of what is checked, and what it had is lost`,
    hint: "ask who force-pushed, and merge that commit to keep it",
  }
  return [rewritten, ...losses]
}

async function parentsOf(git: Git, commit: Oid): Promise<readonly Oid[]> {
  const parents: Oid[] = []
  for (;;) {
    const parent = await git.find(`${commit}^${parents.length + 1}`)
    if (parent === undefined) return parents
    parents.push(parent)
  }
}

/** The refusal of `--require-pin`. */
export function noPin(): CofferError {
  return new CofferError("CHECK_INCOMPLETE", "--require-pin: this store is not pinned here", {
    hint: 'set COFFER_PIN to what "coffer trust pin" prints on a machine that trusts the store',
  })
}
