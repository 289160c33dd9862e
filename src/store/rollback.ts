/**
 * Rollback judged per branch: what has changed since this clone last verified it, and whether published
 * commits are still there.
 *
 * @see DESIGN §2.1
 */
import { CofferError, hasCode } from "../errors.js"
import { ROOT_GROUP, type SecretName } from "../format/names.js"
import { hashRecord } from "../keyring/graph.js"
import { groupOfRecord } from "../keyring/trust.js"
import type { Keyring } from "../keyring/verify.js"
import type { Git, Oid } from "../storage/git/git.js"
import { type LocalState, READ_PATIENCE_MS, WRITE_PATIENCE_MS } from "../storage/local-state.js"
import { readHead } from "../storage/repository.js"
import { readSeen, type SeenBranch, writeSeen } from "../storage/seen.js"
import type { Compared, Comparison, Loss } from "./compare-commits.js"
import { readRecords } from "./records.js"
import type { Store } from "./store.js"
import { gitTree, type Tree } from "./tree.js"
import { choosePin, type Use } from "./trust.js"

/** Where the current branch stands and what is known of it. */
export interface BranchPosition {
  readonly ref: string
  readonly commit: Oid | null
  /** What was seen before; undefined at first sight. */
  readonly seen: SeenBranch | undefined
  /** Nothing is out of order: this is what may be remembered as seen. */
  readonly settled: boolean
}

/** What was found of a branch. */
export interface BranchReport extends Comparison {
  readonly position: BranchPosition | undefined
}

/**
 * Compares the current branch with what was last seen of it. A branch seen for the first time, a detached
 * HEAD and a tree without git have nothing to be compared with.
 */
export async function reportBranch(store: Store, keyring: Keyring): Promise<BranchReport> {
  const head = await findBranch(store)
  if (head === undefined) return { position: undefined, losses: [], unjudged: [] }
  const seen = readSeen(store.repository!.commonDir, store.id, head.ref)
  const unchanged = seen === undefined || head.commit === null || seen.commit === head.commit
  if (unchanged) return { position: { ...head, seen, settled: true }, losses: [], unjudged: [] }
  const compared = comparedIn(store, keyring, await store.git())
  const { compareWithSeen } = await import("./compare-seen.js")
  const { losses, unjudged } = await compareWithSeen(compared, seen, head.commit!)
  const open = losses.filter(({ name, state }) => name === undefined || seen.accepted.get(name) !== state)
  const settled = open.length === 0 && unjudged.length === 0
  return { position: { ...head, seen, settled }, losses: open, unjudged }
}

/** What a comparison of two commits needs to know of an open store. */
export function comparedIn(store: Store, keyring: Keyring, git: Git): Compared {
  const { pin } = choosePin(store, "look")
  return { git, folder: store.folder, keyring, pin, known: store.state() }
}

/**
 * Judges the current branch before something is read or written.
 *
 * @param request.names - the secrets that are wanted; what is out of order about others is only a note.
 * @param request.selects - the same as a rule, for what selects secrets that may be gone. Default: `names`.
 * @returns where the branch stands, for {@link markSeen}.
 * @throws CofferError `ROLLED_BACK`, `VERSION_TWICE`, `SECRET_MISSING`, `HISTORY_REWRITTEN`; for a write also
 * where what was seen cannot be written down.
 */
export async function judgeBranch(
  store: Store,
  keyring: Keyring,
  request: {
    use: Use
    names?: readonly SecretName[] | undefined
    selects?: ((name: SecretName) => boolean) | undefined
  },
): Promise<BranchPosition | undefined> {
  const { use, names, selects = name => names?.includes(name) ?? true } = request
  const report = await reportBranch(store, keyring).catch((error: unknown) => {
    // A reader may lack git, or the right to use it here: then there is nothing to compare with.
    if (use === "write" || !isGitFailure(error)) throw error
    store.note(`warning: whether this branch was rolled back is not known: ${error.message}`)
    return { position: undefined, losses: [], unjudged: [] }
  })
  const concerns = (loss: Loss) =>
    use === "write" || loss.name === undefined || (use === "open" && selects(loss.name))
  const refused = report.losses.find(concerns)
  if (refused !== undefined) throw new CofferError(refused.code, refused.message, { hint: refused.hint })
  for (const { code, message } of report.losses) store.note(`warning: ${message} (${code})`)
  const { position } = report
  if (use === "write" && position !== undefined) await writePosition(store, position, WRITE_PATIENCE_MS)
  return position
}

/**
 * Remembers that the branch was verified where it stands, or at `commit`, which was made from there.
 * What cannot be written is judged again next time.
 */
export async function markSeen(
  store: Store,
  position: BranchPosition | undefined,
  commit?: Oid,
): Promise<void> {
  if (position === undefined) return
  try {
    const moved = commit === undefined ? position : { ...position, commit }
    await writePosition(store, moved, READ_PATIENCE_MS)
  } catch (error) {
    if (!hasCode(error, "IO_FAILED", "STORE_LOCKED") && !isGitFailure(error)) throw error
  }
}

/**
 * The groups whose newest record, as this machine knows it, is missing from a tree without that being a
 * rollback: an older branch, an older commit. On the current branch it is one if the record was there when
 * the branch was last seen.
 */
export async function groupsBehind(
  store: Store,
  state: LocalState,
  { tree, files }: { tree: Tree; files: readonly { path: string; bytes: Uint8Array }[] },
): Promise<ReadonlySet<string>> {
  const behind = new Set<string>()
  const present = new Set(files.map(file => hashRecord(file.bytes)))
  const groups = new Set([ROOT_GROUP, ...files.map(file => groupOfRecord(file.path))])
  for (const [group, newest] of state.newest) {
    const absent = newest.filter(sha256 => !present.has(sha256))
    if (absent.length === 0 || !groups.has(group)) continue
    const seen = await readSeenRecords(store, { state, tree, group })
    if (!absent.some(sha256 => seen.has(sha256))) behind.add(group)
  }
  return behind
}

/** The current branch and its commit, from the files where they tell; undefined without git and while HEAD is detached. */
export async function findBranch(store: Store): Promise<{ ref: string; commit: Oid | null } | undefined> {
  if (store.repository === undefined) return undefined
  const { ref, commit } = readHead(store.repository) ?? (await (await store.git()).head())
  return ref === null ? undefined : { ref, commit }
}

async function writePosition(store: Store, position: BranchPosition, patienceMs: number): Promise<void> {
  const { ref, commit, seen, settled } = position
  if (commit === null || !settled || commit === seen?.commit) return
  const upstream = (await (await store.git()).branchUpstream())?.commit
  const branch = { commit, upstream: upstream ?? seen?.upstream, accepted: seen?.accepted ?? new Map() }
  writeSeen(store.repository!.commonDir, { store: store.id, ref }, branch, { patienceMs })
}

/** Hashes of a group's records in the tree that this branch is compared with; none for any other tree. */
async function readSeenRecords(
  store: Store,
  { state, tree, group }: { state: LocalState; tree: Tree; group: string },
): Promise<ReadonlySet<string>> {
  const head = await findBranch(store)
  const isBranch = tree.at === "worktree" || tree.at === "index" || tree.at === head?.commit
  if (head === undefined || head.commit === null || !isBranch) return new Set()
  const seen = readSeen(store.repository!.commonDir, store.id, head.ref)
  if (seen === undefined) return new Set()
  const git = await store.git()
  const { findCompareBase, findFoldersAt } = await import("./compare-seen.js")
  const base = await findCompareBase(git, seen.commit, head.commit)
  if (base === undefined) return new Set()
  const place = { folder: store.folder, id: store.id, known: state.folders }
  const hashes = new Set<string>()
  for (const was of await findFoldersAt(git, base, place)) {
    const records = await readRecords(gitTree(git, base, was), { groups: [group], skipBad: true })
    for (const record of records) hashes.add(hashRecord(record.bytes))
  }
  return hashes
}

function isGitFailure(error: unknown): error is CofferError {
  return error instanceof CofferError && error.code.startsWith("GIT_")
}
