/** The stores of one state, the index or a pushed commit: found, verified, and compared with what they come from. */
import { resolve } from "node:path"
import { CofferError } from "../errors.js"
import { parseSecretFile } from "../format/secret-file.js"
import { parseStoreFile, STORE_FILE_PATH } from "../format/store-file.js"
import { findOldAnchors } from "../keyring/anchors.js"
import { errorFinding, type Finding, uniqueFindings } from "../keyring/findings.js"
import { KEYS_FOLDER } from "../keyring/trust.js"
import type { Keyring } from "../keyring/verify.js"
import type { Change, Git, Oid } from "../storage/git/git.js"
import { findRepository } from "../storage/repository.js"
import { checkKeyring, findCares, noPin } from "./check.js"
import { checkFiles, type FileCheck } from "./check-files.js"
import { compareCommits } from "./compare-commits.js"
import { type Collector, type GuardDemands, type GuardFinding, newCollector } from "./guard-report.js"
import { findLostUpdates } from "./merge-audit.js"
import { findStores } from "./moved-store.js"
import type { PathFile } from "./reading.js"
import { comparedIn } from "./rollback.js"
import { assembleStore, type OpenOptions, type Store } from "./store.js"
import { gitTree, type Tree } from "./tree.js"
import { choosePin } from "./trust.js"

/** A state that is about to be committed or pushed. */
export interface GuardedState {
  readonly git: Git
  readonly at: Oid | "index"
  /** What it comes from: HEAD and what is merged, or what the remote has. */
  readonly before: readonly Oid[]
  /** It joins branches: then a few states are in order for now that no single change may make. */
  readonly isMerge: boolean
  readonly demands: GuardDemands
}

/** A store of that state. */
export interface GuardedStore {
  readonly store: Store
  readonly tree: Tree
  readonly keyring: Keyring | undefined
}

/** @throws CofferError `CHECK_INCOMPLETE` where a store has to be pinned here and is not */
export async function requirePins(options: OpenOptions, state: GuardedState): Promise<void> {
  if (state.demands.requirePin !== true) return
  for (const folder of await findStores(state.git, state.at)) {
    // What cannot be opened is found again where the stores are verified.
    const found = await openStoreAt(options, state, folder, newCollector())
    if (found !== undefined && choosePin(found.store, "look").pin === undefined) throw noPin()
  }
}

/**
 * Verifies a store and adds what is wrong.
 *
 * @param changed - paths below the store to look at; undefined: all. What changes a keyring or the store's
 *   own files is a reason to look at all, since it decides about files that did not change; so are warnings that count.
 */
export async function checkStoreAt(
  options: OpenOptions,
  state: GuardedState,
  { folder, changed }: { folder: string; changed: ReadonlySet<string> | undefined },
  collector: Collector,
): Promise<GuardedStore | undefined> {
  const found = await openStoreAt(options, state, folder, collector)
  const { failOn } = state.demands
  if (found === undefined || (changed?.size === 0 && failOn === undefined))
    return found && { ...found, keyring: undefined }
  const { store, tree } = found
  const isLimited = failOn === undefined && changed !== undefined && [...changed].every(isSecretPath)
  const only = isLimited ? changed : undefined
  const result: FileCheck = { files: 0, findings: [] }
  const keyring = await checkKeyring(store, tree, result)
  const limited = only && new Set([...only, STORE_FILE_PATH, ".gitattributes"])
  const secrets: PathFile[] = []
  for await (const secret of checkFiles(gitTree(state.git, state.at, folder, limited), keyring, result))
    secrets.push(secret)
  const findings = [...result.findings, ...(await compare(store, state, keyring))]
  if (failOn !== undefined && keyring !== undefined) {
    const { pin } = choosePin(store, "look")
    findings.push(...findOldAnchors(keyring, pin), ...findCares(keyring, secrets, failOn.at))
  }
  for (const finding of uniqueFindings(findings)) {
    collector.findings.push(await judge({ store, tree, keyring }, state, finding))
  }
  return { store, tree, keyring }
}

/** The store's id comes from the state itself: the work tree may have another store there, or none. */
async function openStoreAt(
  options: OpenOptions,
  { git, at }: GuardedState,
  folder: string,
  collector: Collector,
): Promise<{ store: Store; tree: Tree } | undefined> {
  const tree = gitTree(git, at, folder)
  try {
    const { bytes } = (await tree.find(STORE_FILE_PATH))!
    const note = (line: string) => collector.notes.add(line)
    const store = assembleStore(
      { ...options, note, confirm: undefined },
      {
        root: resolve(git.workTree, folder),
        folder,
        id: parseStoreFile(bytes).store,
        repository: findRepository(git.workTree),
        git: async () => git,
      },
    )
    store.state()
    return { store, tree }
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
    collector.findings.push(errorFinding(error, `${folder}/${STORE_FILE_PATH}`))
    return undefined
  }
}

/** Secrets and key records that went back or vanished, and values that a merge dropped. */
async function compare(
  store: Store,
  { git, at, before }: GuardedState,
  keyring: Keyring | undefined,
): Promise<Finding[]> {
  const findings: Finding[] = []
  if (keyring !== undefined) {
    const compared = comparedIn(store, keyring, git)
    for (const commit of before) {
      const { losses } = await compareCommits(compared, commit, at, at === "index" ? before : [at])
      findings.push(...losses.map(loss => errorFinding(loss, loss.path)))
    }
  }
  // Between two pushed states values are sealed again and written anew: merges are looked at one by one there.
  if (at === "index" && before.length > 1) {
    findings.push(...(await findLostUpdates(git, store.folder, { parents: before, result: at })))
  }
  return findings
}

/** In order in a merge until the command that the hint names has run; reading such a file stays refused. */
const NOTES_IN_MERGE: readonly string[] = ["DIVERGED", "FORK_REFUSED", "KEY_RETIRED", "SECRET_WRONG_GROUP"]

async function judge(
  { tree, keyring, store }: GuardedStore,
  { isMerge, at }: GuardedState,
  finding: Finding,
): Promise<GuardFinding> {
  const { path: inStore = "" } = finding
  const path = inStore === store.folder ? inStore : `${store.folder}/${inStore}`
  // People see this beside git's own output: paths are git's.
  const message = finding.message
    .replaceAll(`"${inStore}"`, `"${path}"`)
    .replaceAll(`"${KEYS_FOLDER}/`, `"${store.folder}/${KEYS_FOLDER}/`)
  const isNote =
    isMerge &&
    (NOTES_IN_MERGE.includes(finding.code) ||
      (finding.code === "KEY_UNKNOWN" && (await isOfRefusedFork(tree, keyring, inStore))))
  if (isNote) return { ...finding, path, message, level: "note" }
  // It may come out of a stash, which leaves no trace: the command works on what is committed.
  if (at === "index" && NOTES_IN_MERGE.includes(finding.code) && finding.hint !== undefined)
    return { ...finding, path, message, hint: `git commit --no-verify, then ${finding.hint}` }
  // Readers ignore what a later coffer may keep there; this one cannot tell it from plaintext.
  if (finding.code === "CHECK_INCOMPLETE") return { ...finding, path, message, level: "error" }
  return { ...finding, path, message }
}

/** A key that is nowhere is no outcome of a merge. */
async function isOfRefusedFork(tree: Tree, keyring: Keyring | undefined, path: string): Promise<boolean> {
  const found = await tree.find(path)
  if (found === undefined || keyring === undefined) return false
  const file = parseSecretFile(found.bytes)
  return keyring.groups.get(file.group)?.graph.byId.has(file.key) === true
}

function isSecretPath(path: string): boolean {
  return !path.startsWith(".coffer/") && path !== ".gitattributes"
}

/** Stores that go away; one whose folder is renamed has the same `store.yaml` elsewhere. */
export function removedStores(changes: readonly Change[]): string[] {
  const added = new Set(changes.flatMap(({ to }) => (to === undefined ? [] : [to.oid])))
  const removed = changes
    .filter(({ from, to }) => to === undefined && from !== undefined && !added.has(from.oid))
    .filter(({ path }) => path.endsWith(`/${STORE_FILE_PATH}`))
    .map(({ path }) => path.slice(0, -STORE_FILE_PATH.length - 1))
  return [...new Set(removed)]
}

export function storeGone(folder: string, hint: string): GuardFinding {
  return {
    code: "SECRET_MISSING",
    level: "error",
    path: `${folder}/${STORE_FILE_PATH}`,
    message: `the store "${folder}" is removed, with every secret in it`,
    hint,
  }
}

/** Whether a path belongs to a store's key records or other public files. */
export function isPublicIn(folders: readonly string[], path: string): boolean {
  return folders.some(
    folder => path.startsWith(`${folder}/${KEYS_FOLDER}/`) || path === `${folder}/${STORE_FILE_PATH}`,
  )
}
