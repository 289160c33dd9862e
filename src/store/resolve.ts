/** Settling a merge: by rule what has one right answer, by a person's choice what has two. */
import { CofferError } from "../errors.js"
import { isSecretName, pathOf, type SecretName } from "../format/names.js"
import { parseSecretFile, printSecretFile, type SecretFile } from "../format/secret-file.js"
import { type MergeSide, settle } from "../keyring/resolve-rule.js"
import { verifySecret } from "../keyring/secret.js"
import type { Git, Oid } from "../storage/git/git.js"
import { withStoreLock } from "../storage/git/store-lock.js"
import { type GroupAccess, openGroup } from "./access.js"
import { notFound } from "./draft-secrets.js"
import { combine, type Side, sealFollowing, sealTombstone, sideOf } from "./merge-values.js"
import { openSecret, readSecret } from "./reading.js"
import { resealFile } from "./seal.js"
import type { Store } from "./store.js"
import { gitTree } from "./tree.js"
import { type View, verifyTree } from "./view.js"

/** What was settled, and what only a person can settle. */
export interface Resolution {
  readonly resolved: readonly SecretName[]
  readonly conflicts: readonly Conflict[]
}

/** A secret that both sides changed. */
export interface Conflict {
  readonly name: SecretName
  readonly why: string
  readonly ours: SecretFile | undefined
  readonly theirs: SecretFile | undefined
}

/** One secret's three sides, filed under the name in each header. */
interface Sides {
  base?: MergeInput
  ours?: MergeInput
  theirs?: MergeInput
}

interface MergeInput extends MergeSide {
  readonly file: SecretFile
}

/**
 * Settles by rule every conflicted secret that has one right answer, re-seals it under the newest data
 * key, and stages it. Where an identity is here, changes of value and meta are also joined entry by entry.
 *
 * @throws CofferError refusals of verification; `UNPINNED`. What is left is data, not an error.
 * @see docs/format.md, "Merging"
 */
export async function resolveMerge(store: Store, request: { at: Date }): Promise<Resolution> {
  return inMerge(store, async ({ view, git, secrets, paths }) => {
    const staged = new Map<string, Uint8Array | null>()
    const resolved: SecretName[] = []
    const conflicts: Conflict[] = []
    for (const [name, sides] of secrets) {
      const settled =
        (await settleByRule(store, view, name, sides, request.at)) ??
        (await followMove(store, view, name, sides, request.at))
      if (settled === undefined) conflicts.push(conflictOf(name, sides))
      else resolved.push(name)
      for (const [path, bytes] of settled ?? []) staged.set(path, bytes)
    }
    clearPaths(paths, secrets, conflicts, staged)
    if (staged.size > 0) await git.stage({ files: inRepository(store, staged) })
    return { resolved: resolved.sort(), conflicts }
  })
}

/**
 * Settles one true conflict by choice, without printing a value: the chosen value becomes the next version
 * and names both as predecessors; the other stays in history.
 *
 * @throws CofferError `NOT_FOUND` if it is not in conflict, `ROLE_MISSING`, `NO_IDENTITY`
 */
export async function resolveSecret(
  store: Store,
  request: { name: SecretName; take: "ours" | "theirs"; at: Date },
): Promise<Resolution> {
  const { name, take, at } = request
  return inMerge(store, async ({ view, git, secrets, paths }) => {
    const sides = secrets.get(name)
    if (sides === undefined) throw notFound(name, " in conflict here")
    const staged = new Map<string, Uint8Array | null>()
    staged.set(pathOf(name), await settleByChoice(store, view, name, sides, take, at))
    clearPaths(
      paths,
      secrets,
      [...secrets.keys()]
        .filter(other => other !== name)
        .map(other => conflictOf(other, secrets.get(other)!)),
      staged,
    )
    await git.stage({ files: inRepository(store, staged) })
    return { resolved: [name], conflicts: [] }
  })
}

interface Merge {
  readonly view: View
  readonly git: Git
  readonly secrets: ReadonlyMap<SecretName, Sides>
  /** Conflicted path to the names that its stages are about. */
  readonly paths: ReadonlyMap<string, ReadonlySet<SecretName>>
}

async function inMerge<T>(store: Store, work: (merge: Merge) => Promise<T>): Promise<T> {
  const git = await store.git()
  return withStoreLock(git, async () => {
    const view = await verifyTree(store, gitTree(git, "index", store.folder), { use: "open" })
    const { secrets, paths } = await readStages(store, git, view)
    return work({ view, git, secrets, paths })
  })
}

const STAGES = { 1: "base", 2: "ours", 3: "theirs" } as const

/**
 * Git may pair the stages of two secrets by similarity (its rename detection): each goes to the name
 * that its own, signed header bears, or one secret's value could land in another.
 */
async function readStages(store: Store, git: Git, view: View): Promise<Pick<Merge, "secrets" | "paths">> {
  const entries: { path: string; oid: Oid; side: keyof Sides }[] = []
  for await (const { path, oid, stage } of git.entries("index", store.folder)) {
    if (stage !== 0) entries.push({ path: path.slice(store.folder.length + 1), oid, side: STAGES[stage] })
  }
  const secrets = new Map<SecretName, Sides>()
  const paths = new Map<string, Set<SecretName>>()
  let index = 0
  for await (const { oid, bytes } of git.blobs(entries.map(entry => entry.oid))) {
    const { path, side } = entries[index++]!
    if (bytes === undefined)
      throw new CofferError("GIT_MISSING_OBJECT", `a side of "${path}" is not in this clone`)
    const file = parseSecretFile(bytes)
    verifySecret(view.keyring, file, { path: pathOf(file.name), old: true })
    const sides = secrets.get(file.name) ?? {}
    sides[side] ??= { file, oid }
    secrets.set(file.name, sides)
    paths.set(path, (paths.get(path) ?? new Set()).add(file.name))
  }
  for (const [name, sides] of secrets) await addSettledStage(git, store, name, sides)
  return { secrets, paths }
}

/** A name whose own path merged cleanly has its present side there, not among the stages. */
async function addSettledStage(git: Git, store: Store, name: SecretName, sides: Sides): Promise<void> {
  const found = await gitTree(git, "index", store.folder).find(pathOf(name)).catch(ignoreConflict)
  if (found === undefined) return
  const side = { file: parseSecretFile(found.bytes), oid: found.oid! }
  sides.ours ??= side
}

function ignoreConflict(error: unknown): undefined {
  if (error instanceof CofferError && error.code === "CONFLICTED") return undefined
  throw error
}

/** What a settled secret's files become, by path; null where one is gone on purpose. */
type Settled = ReadonlyMap<string, Uint8Array | null>

/** @returns undefined for a true conflict */
async function settleByRule(
  store: Store,
  view: View,
  name: SecretName,
  sides: Sides,
  at: Date,
): Promise<Settled | undefined> {
  const { take } = settle(sides.base, sides.ours, sides.theirs)
  if (take !== "conflict") {
    const taken = sides[take]
    return new Map([[pathOf(name), taken === undefined ? null : await reseal(store, view, taken.file)]])
  }
  const access = await findWriter(store, view, name, sides)
  if (access === undefined || sides.base === undefined) return undefined
  const [base, ours, theirs] = await openSides(access, [sides.base, sides.ours, sides.theirs])
  if (base === undefined || ours === undefined || theirs === undefined) return undefined
  const file = combine({ access, store: store.id, name, at }, base, ours, theirs)
  return file === undefined ? undefined : new Map([[pathOf(name), printSecretFile(file)]])
}

/** One side moved the secret, the other changed it: the changed value follows to the new name. */
async function followMove(
  store: Store,
  view: View,
  name: SecretName,
  sides: Sides,
  at: Date,
): Promise<Settled | undefined> {
  const [moved, changed] = [sides.ours, sides.theirs].sort((a, b) => Number(isMoved(b)) - Number(isMoved(a)))
  const to = moved?.file.meta.get("movedTo")
  if (to === undefined || changed?.file.state !== "current" || !isSecretName(to)) return undefined
  const access = await findWriter(store, view, name, sides)
  const found = await readSecret(view, to)
  if (access === undefined || found === undefined) return undefined
  const target = { file: found.file, oid: found.oid! }
  const targetAccess = await openGroup(store, view, target.file.group)
  const { value } = await openSecret(access, changed.file)
  const followed = sealFollowing(targetAccess, target, { ...changed, value }, at)
  const tombstone = sealTombstone(access, moved!.file, [moved!, changed], at)
  return new Map([
    [pathOf(to), printSecretFile(followed)],
    [pathOf(name), printSecretFile(tombstone)],
  ])
}

function isMoved(side: MergeInput | undefined): boolean {
  return side?.file.state === "deleted" && side.file.meta.has("movedTo")
}

async function settleByChoice(
  store: Store,
  view: View,
  name: SecretName,
  sides: Sides,
  take: "ours" | "theirs",
  at: Date,
): Promise<Uint8Array | null> {
  const access = await findWriter(store, view, name, sides)
  if (access === undefined) throw cannotWrite(name)
  // The chosen side has no file: it was purged there, and stays so.
  if (sides[take] === undefined) return null
  const [base, ours, theirs] = await openSides(access, [sides.base, sides.ours, sides.theirs])
  return printSecretFile(combine({ access, store: store.id, name, at, take }, base, ours, theirs)!)
}

async function openSides(
  access: GroupAccess,
  sides: readonly (MergeInput | undefined)[],
): Promise<(Side | undefined)[]> {
  return Promise.all(
    sides.map(async side =>
      side === undefined ? undefined : sideOf(side, await openSecret(access, side.file)),
    ),
  )
}

/** My access to the group, where I may sign in it; a reader or rotator cannot settle a true conflict. */
async function findWriter(
  store: Store,
  view: View,
  name: SecretName,
  sides: Sides,
): Promise<GroupAccess | undefined> {
  const group = (sides.ours ?? sides.theirs ?? sides.base)!.file.group
  if (view.keyring.groups.get(group)?.current.length !== 1) throw diverged(name, group)
  const { identities } = await store.identities()
  if (identities.length === 0) return undefined
  const access = await openGroup(store, view, group)
  return access.member.role === "writer" || access.member.role === "admin" ? access : undefined
}

/** Under the newest data key where that can be done here; else as it is: `rotate --finish` takes it in. */
async function reseal(store: Store, view: View, file: SecretFile): Promise<Uint8Array> {
  const group = view.keyring.groups.get(file.group)
  const [newest, second] = group?.current ?? []
  const { identities } = await store.identities()
  if (newest === undefined || second !== undefined || newest.id === file.key || identities.length === 0) {
    return printSecretFile(file)
  }
  const access = await openGroup(store, view, file.group)
  const signer = newest.record.members.find(member => member.name === file.signer)
  const stillWrites = signer?.role === "writer" || signer?.role === "admin"
  if (!stillWrites && access.member.role !== "writer" && access.member.role !== "admin")
    return printSecretFile(file)
  const opened = await openSecret(access, file)
  const change = stillWrites ? undefined : { signer: access.signer }
  return printSecretFile(resealFile(file, opened, access.sealKey, change))
}

/** Conflicted paths whose secrets are all settled elsewhere are cleared, so that nothing stays conflicted. */
function clearPaths(
  paths: Merge["paths"],
  secrets: Merge["secrets"],
  conflicts: readonly Conflict[],
  staged: Map<string, Uint8Array | null>,
): void {
  const open = new Set(conflicts.map(conflict => conflict.name))
  for (const [path, names] of paths) {
    if (staged.has(path) || [...names].some(name => open.has(name))) continue
    if (![...secrets.keys()].some(name => pathOf(name) === path)) staged.set(path, null)
  }
}

function inRepository(store: Store, staged: ReadonlyMap<string, Uint8Array | null>) {
  return new Map([...staged].map(([path, bytes]) => [`${store.folder}/${path}`, bytes]))
}

function conflictOf(name: SecretName, sides: Sides): Conflict {
  const { why } = settle(sides.base, sides.ours, sides.theirs)
  return { name, why, ours: sides.ours?.file, theirs: sides.theirs?.file }
}

function cannotWrite(name: SecretName): CofferError {
  return new CofferError(
    "ROLE_MISSING",
    `"${name}" was changed on both sides: only a writer can settle that`,
    {
      hint: "ask a writer or an admin of its group to make this merge",
    },
  )
}

function diverged(name: SecretName, group: string): CofferError {
  return new CofferError("DIVERGED", `"${name}": group "${group}" has several current key records`, {
    hint: "git commit this merge with one side (--ours or --theirs of git checkout), then coffer rotate --merge",
  })
}
