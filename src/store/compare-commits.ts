/**
 * What a store lost between two commits: secrets that went back or vanished, key records that changed.
 * Needs no key, and no state but the two commits.
 *
 * @see DESIGN §2.1 and §2.4, 18
 */
import { CofferError } from "../errors.js"
import { nameOfPath, type SecretName } from "../format/names.js"
import { findSecretFile, type SecretFile } from "../format/secret-file.js"
import { gitPath, shellWord } from "../format/shell.js"
import { findRollback } from "../keyring/compare.js"
import type { Refusal } from "../keyring/findings.js"
import { hashRecord } from "../keyring/graph.js"
import { holdersOf } from "../keyring/group.js"
import type { Pin } from "../keyring/pin.js"
import { verifySecret } from "../keyring/secret.js"
import { groupOfRecord, KEYS_FOLDER } from "../keyring/trust.js"
import { collectKeyring, type Keyring } from "../keyring/verify.js"
import type { Change, Git, Oid } from "../storage/git/git.js"
import type { LocalState } from "../storage/local-state.js"
import { inBatches } from "./batches.js"
import { findFoldersAt, type StorePlace, storeChanges } from "./moved-store.js"
import { readRecords } from "./records.js"
import { gitTree } from "./tree.js"

/** Something that is out of order; `name` is absent where it concerns more than one secret. */
export interface Loss extends Refusal {
  readonly name?: SecretName
  /** State of the secret that `trust accept NAME` would accept. */
  readonly state?: string
}

export interface Comparison {
  readonly losses: readonly Loss[]
  /** Paths whose content cannot be read here or is no store file: nothing is known of them. */
  readonly unjudged: readonly string[]
}

/** What is being compared: the store's folder and, to judge what lies in between, its verified keyring. */
export interface Compared {
  readonly git: Git
  /** Relative to the work tree. */
  readonly folder: string
  readonly keyring: Keyring
  /** What the keyring was verified with: older states are judged with the same. */
  readonly pin: Pin | undefined
  readonly known: LocalState | undefined
}

/** Where the compared store is, for {@link findFoldersAt}. */
function placeOf({ folder, keyring, known }: Pick<Compared, "folder" | "keyring" | "known">): StorePlace {
  return { folder, id: keyring.store, known: known?.folders ?? new Set() }
}

/** How a secret stands at one commit, in the form that `seen` keeps of what was accepted. */
function describeState(file: SecretFile | undefined): string {
  return file === undefined ? "missing" : `${file.version}-${file.digest}`
}

/**
 * Compares the store of two commits, or of a commit and the index. Only files that differ are read.
 *
 * @param history - where a tombstone that has been purged is looked for: the parents of what `to` is to be.
 */
export async function compareCommits(
  compared: Compared,
  from: Oid,
  to: Oid | "index",
  history: readonly Oid[] = to === "index" ? [from] : [to],
): Promise<Comparison> {
  const losses = new Map<string, Loss>()
  const unjudged = new Set<string>()
  for (const was of await findFoldersAt(compared.git, from, placeOf(compared))) {
    const found = await compareFolders(compared, { from, was, to, history })
    for (const loss of found.losses) losses.set(loss.path ?? "", loss)
    for (const path of found.unjudged) unjudged.add(path)
  }
  return { losses: [...losses.values()], unjudged: [...unjudged] }
}

/** Two states of the store; `was` is the folder that it lay in at `from`. */
interface Span {
  readonly from: Oid
  readonly was: string
  readonly to: Oid | "index"
  readonly history: readonly Oid[]
}

async function compareFolders(compared: Compared, span: Span): Promise<Comparison> {
  const { git, folder } = compared
  const losses: Loss[] = []
  const unjudged: string[] = []
  const goneRecords: string[] = []
  for await (const [change, before, after] of readChanges(
    git,
    await storeChanges(git, { ...span, folder }),
  )) {
    const { path } = change
    const name = nameOfPath(path)
    if (path.startsWith(`${KEYS_FOLDER}/`)) {
      if (change.from !== undefined && change.to === undefined) goneRecords.push(path)
      else if (change.from !== undefined) losses.push(recordLoss(path, "was changed"))
    } else if (name !== undefined && change.from !== undefined) {
      const verdict = await judgeSecret(compared, { ...span, name, path, change, before, after })
      if (verdict === "unjudged") unjudged.push(path)
      else if (verdict !== undefined) losses.push(verdict)
    }
  }
  if (goneRecords.length > 0) losses.push(...(await judgeGoneRecords(compared, span, goneRecords)))
  return { losses, unjudged }
}

/** The command that puts back a file as it was, wherever it lay then. */
function restoring(commit: string, was: string, path: string): string {
  return was === path
    ? `git checkout ${commit} -- ${gitPath(path)}`
    : `git show ${shellWord(`${commit}:${was}`)} > ${shellWord(path)}`
}

interface SecretChange extends Span {
  readonly name: SecretName
  readonly path: string
  readonly change: Change
  readonly before: Uint8Array | undefined
  readonly after: Uint8Array | undefined
}

async function judgeSecret(
  compared: Compared,
  { from, was, name, path, change, before, after, history }: SecretChange,
): Promise<Loss | "unjudged" | undefined> {
  const seen = before === undefined ? "unreadable" : findSecretFile(before)
  const isThis = (file: SecretFile) => file.name === name && file.store === compared.keyring.store
  // What was not this secret of this store then says nothing about now; what is not now is refused where it is read.
  if (seen === undefined || (seen !== "unreadable" && !isThis(seen))) return undefined
  const found = change.to === undefined || after === undefined ? undefined : findSecretFile(after)
  const present = found && isThis(found) ? found : undefined
  if (seen === "unreadable" || (change.to !== undefined && present === undefined)) return "unjudged"
  const side = present && { header: present, oid: change.to!.oid }
  const { oid } = change.from!
  const restore = restoring(from.slice(0, 7), `${was}/${path}`, `${compared.folder}/${path}`)
  const loss = findRollback({ header: seen, oid }, side, restore)
  if (loss === undefined) return undefined
  const tombstone = await findTombstone(compared, {
    name,
    path,
    was,
    seen: { version: seen.version, oid },
    history,
  })
  if (tombstone !== undefined && findRollback(tombstone, side) === undefined) return undefined
  return { ...loss, path, name, state: describeState(present) }
}

/**
 * A secret that was deleted and then purged between the two commits leaves no tombstone at the end: history
 * shows whether a tombstone was the last of it. Only what a writer signed counts, or anybody could invent one.
 */
async function findTombstone(
  { git, folder, keyring }: Compared,
  wanted: {
    name: SecretName
    path: string
    was: string
    seen: { version: number; oid: Oid }
    history: readonly Oid[]
  },
): Promise<{ header: SecretFile; oid: Oid } | undefined> {
  let last: { header: SecretFile; oid: Oid } | undefined
  const places = [...new Set([folder, wanted.was])].map(place => `${place}/${wanted.path}`)
  const searches = wanted.history.flatMap(tip => places.map(place => ({ tip, place })))
  for (const { tip, place } of searches) {
    for await (const { oid } of git.log(place, tip)) {
      if (oid === wanted.seen.oid) break
      const file = oid === undefined ? undefined : findSecretFile(await readBlob(git, oid))
      if (file === undefined || file.name !== wanted.name) continue
      if (file.version <= (last?.header.version ?? wanted.seen.version)) continue
      if (isSigned(keyring, file, wanted.path)) last = { header: file, oid: oid! }
    }
  }
  return last?.header.state === "deleted" ? last : undefined
}

function isSigned(keyring: Keyring, file: SecretFile, path: string): boolean {
  try {
    verifySecret(keyring, file, { path, old: true })
    return true
  } catch (error) {
    if (error instanceof CofferError) return false
    throw error
  }
}

/** Records of a refused fork may be removed; those that the current records of the seen side descend from may not. */
async function judgeGoneRecords(
  { git, keyring, pin, known }: Compared,
  { from, was }: Span,
  paths: readonly string[],
): Promise<Loss[]> {
  const files = await readRecords(gitTree(git, from, was), { skipBad: true })
  const groups = new Set(files.map(({ path }) => groupOfRecord(path)))
  const seen = collectKeyring({ store: keyring.store, files, pin, known, behind: groups })
  return paths.filter(path => !isRefused(seen.keyring, files, path)).map(path => recordLoss(path, "is gone"))
}

function isRefused(
  seen: Keyring | undefined,
  files: readonly { path: string; bytes: Uint8Array }[],
  path: string,
): boolean {
  const group = seen?.groups.get(groupOfRecord(path))
  const file = files.find(candidate => candidate.path === path)
  if (group === undefined || file === undefined) return false
  return holdersOf(group, hashRecord(file.bytes)).length === 0
}

function recordLoss(path: string, what: string): Loss {
  return {
    code: "ROLLED_BACK",
    path,
    message: `the key record "${path}" ${what}, though records only ever get added`,
    hint: "git log shows who did it, git checkout brings it back; if it was on purpose: coffer trust accept --all",
  }
}

const BATCH = 256

/** The changes with the content of both sides, read in batches: a rotation changes every file. */
async function* readChanges(
  git: Git,
  changes: readonly Change[],
): AsyncGenerator<[Change, Uint8Array | undefined, Uint8Array | undefined]> {
  for await (const batch of inBatches(changes, BATCH)) yield* readBatch(git, batch)
}

async function* readBatch(
  git: Git,
  batch: readonly Change[],
): AsyncGenerator<[Change, Uint8Array | undefined, Uint8Array | undefined]> {
  const oids = new Set(batch.flatMap(({ from, to }) => [from, to].flatMap(side => (side ? [side.oid] : []))))
  const contents = new Map<Oid, Uint8Array | undefined>()
  if (oids.size > 0) for await (const { oid, bytes } of git.blobs(oids)) contents.set(oid, bytes)
  for (const change of batch) {
    const contentOf = (side: Change["from"]) => (side === undefined ? undefined : contents.get(side.oid))
    yield [change, contentOf(change.from), contentOf(change.to)]
  }
}

async function readBlob(git: Git, oid: Oid): Promise<Uint8Array | undefined> {
  for await (const { bytes } of git.blobs([oid])) return bytes
  return undefined
}
