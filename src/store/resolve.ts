/** Settling a merge: by rule what has one right answer, by a person's choice what has two. */

import type { OpenedValue } from "../crypto/value.js"
import { CofferError, EXIT_CODES, hasCode } from "../errors.js"
import { counted } from "../format/counted.js"
import { objectOf, oneOf, SECRET, TIME } from "../format/given.js"
import { groupOf, isSecretName, pathOf, type SecretName } from "../format/names.js"
import { printSecretFile, type SecretFile } from "../format/secret-file.js"
import { holdersOf } from "../keyring/group.js"
import { sameValue, settle } from "../keyring/resolve-rule.js"
import { canWrite, findMember, mayHaveSigned } from "../keyring/roles.js"
import { placeSecret } from "../keyring/secret.js"
import type { Git } from "../storage/git/git.js"
import { type GroupAccess, groupOpener, openLine } from "./access.js"
import { checkCall } from "./call.js"
import { notFound } from "./draft-secrets.js"
import { readStages, type Sides, type StagedSide, type Stages } from "./merge-stages.js"
import { combine, type Side, sealTombstone, sideOf } from "./merge-values.js"
import { readSecret } from "./reading.js"
import { signAnew } from "./reseal.js"
import { openFile, resealFile } from "./seal.js"
import type { Store } from "./store.js"
import { gitTree } from "./tree.js"
import { choosePin } from "./trust.js"
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

/** What settling one secret needs to know. */
interface Merge extends Stages {
  readonly store: Store
  readonly git: Git
  readonly view: View
  readonly at: Date
  /** Without an identity only the rule that needs no key applies. */
  readonly hasIdentity: boolean
  /** Names that are settled and yet not taken in: whose change it is may not write there now. */
  readonly left: Set<SecretName>
  open(group: string): Promise<GroupAccess>
}

/** What a settled secret's files become, by path in the store; null where one is gone on purpose. */
type Settled = ReadonlyMap<string, Uint8Array | null>

const RESOLVE = objectOf<{ at: Date }>({ at: TIME })

/**
 * Settles by rule every conflicted secret that has one right answer, re-seals it under the newest data
 * key, and stages it. Where an identity is here, changes of value and meta are also joined entry by entry. What
 * somebody changed who may not write there now stays as it is, for `rotate --finish`.
 *
 * @throws CofferError refusals of verification; `UNPINNED`. What is left is data, not an error.
 * @see docs/format.md, "Merging"
 */
export async function resolveMerge(store: Store, request: { at: Date }): Promise<Resolution> {
  checkCall(store, request, RESOLVE)
  return inMerge(store, request.at, async merge => {
    const staged = new Map<string, Uint8Array | null>()
    const resolved: SecretName[] = []
    const conflicts: Conflict[] = []
    for (const [name, sides] of merge.secrets) {
      const settled = await settleUnasked(merge, name, sides).catch(exceedsLimit)
      if (settled === undefined) conflicts.push(conflictOf(name, sides))
      else resolved.push(name)
      for (const [path, bytes] of settled ?? []) staged.set(path, bytes)
    }
    await stage(merge, staged, new Set(conflicts.map(({ name }) => name)))
    if (merge.left.size > 0) {
      store.note(
        `${counted(merge.left.size, "secret")} left as before, changed by who may not write there now: once this is committed, coffer rotate --finish takes them in`,
      )
    }
    return { resolved: resolved.sort(), conflicts }
  })
}

const RESOLVE_ONE = objectOf<{ name: SecretName; take: unknown; at: Date }>({
  name: SECRET,
  take: oneOf(["ours", "theirs"]),
  at: TIME,
})

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
  checkCall(store, request, RESOLVE_ONE)
  const { name, take, at } = request
  return inMerge(store, at, async merge => {
    const sides = merge.secrets.get(name)
    if (sides === undefined) throw notFound(name, " in conflict here")
    const staged = new Map([[pathOf(name), await settleByChoice(merge, name, sides, take)]])
    await stage(merge, staged, new Set([...merge.secrets.keys()].filter(other => other !== name)))
    return { resolved: [name], conflicts: [] }
  })
}

async function inMerge<T>(store: Store, at: Date, work: (merge: Merge) => Promise<T>): Promise<T> {
  return (await store.git()).exclusively(async git => {
    // Both sides' keyrings may be there, diverged or undecided, so this is no other write; but what is not pinned is not
    // sealed to.
    choosePin(store, "write")
    const view = await verifyTree(store, gitTree(git, "index", store.folder), { use: "open", merging: true })
    const { identities } = await store.identities()
    const stages = await readStages(store, git, view)
    const open = groupOpener(store, view)
    return work({
      ...stages,
      store,
      git,
      view,
      at,
      hasIdentity: identities.length > 0,
      left: new Set(),
      open,
    })
  })
}

/** Without a person's choice. @returns undefined for a true conflict */
async function settleUnasked(merge: Merge, name: SecretName, sides: Sides): Promise<Settled | undefined> {
  const { take } = settle(sides.base, sides.ours, sides.theirs)
  if (take !== "conflict") {
    const [taken, other] = take === "ours" ? [sides.ours, sides.theirs] : [sides.theirs, sides.ours]
    return new Map([[pathOf(name), taken === undefined ? null : await reseal(merge, taken, other)]])
  }
  if ([sides.ours, sides.theirs].some(side => side !== undefined && !isByWriter(merge, side)))
    return undefined
  return findMove(sides) === undefined ? joinSides(merge, name, sides) : followMove(merge, name, sides)
}

/** What both sides come to together would be no file: a person chooses one of them. */
function exceedsLimit(error: unknown): undefined {
  if (!hasCode(error, "LIMIT_EXCEEDED")) throw error
}

/** Value by value, notes by key. @returns undefined for a true conflict */
async function joinSides(merge: Merge, name: SecretName, sides: Sides): Promise<Settled | undefined> {
  const access = await findWriter(merge, name)
  if (access === undefined || sides.base === undefined) return undefined
  const opened = await openSides(merge, sides).catch(lacksKeys)
  const [base, ours, theirs] = opened ?? []
  if (base === undefined || ours === undefined || theirs === undefined) return undefined
  const file = await combine({ access, store: merge.store.id, name, at: merge.at }, base, ours, theirs)
  return file === undefined ? undefined : new Map([[pathOf(name), printSecretFile(file)]])
}

/** One side moved the secret, the other changed it. */
function findMove({ ours, theirs }: Sides): { moved: StagedSide; changed: StagedSide } | undefined {
  const [moved, changed] = isMoved(ours) ? [ours, theirs] : [theirs, ours]
  if (moved === undefined || !isMoved(moved) || changed?.file.state !== "current") return undefined
  return { moved, changed }
}

/** What was changed follows to the new name, and is joined with what happened to the secret there. */
async function followMove(merge: Merge, name: SecretName, sides: Sides): Promise<Settled | undefined> {
  const { moved, changed } = findMove(sides)!
  const access = await findWriter(merge, name)
  const target = await findTarget(merge, moved)
  const entered = target && (await findWriter(merge, target.file.name))
  if (access === undefined || target === undefined || entered === undefined) return undefined
  const opened = await openSides(merge, { ...sides, ours: target, theirs: changed }).catch(lacksKeys)
  const [base, there, side] = opened ?? []
  if (base === undefined || there === undefined || side === undefined) return undefined
  const { name: to } = target.file
  const how = { access: entered, store: merge.store.id, name: to, at: merge.at }
  const followed = await combine(how, base, there, side)
  if (followed === undefined) return undefined
  const tombstone = await sealTombstone(access, moved.file, [moved, changed], merge.at)
  return new Map([
    [pathOf(to), printSecretFile(followed)],
    [pathOf(name), printSecretFile(tombstone)],
  ])
}

/**
 * Where a moved secret is by now. A target that is in conflict itself, or refused for its data key, is a person's to
 * decide about.
 */
async function findTarget(merge: Merge, moved: StagedSide): Promise<StagedSide | undefined> {
  const passed = new Set<string>([moved.file.name])
  let found: StagedSide | undefined = moved
  while (found !== undefined && isMoved(found)) {
    const to: string = found.file.meta.get("movedTo")!
    if (!isSecretName(to) || passed.has(to)) return undefined
    passed.add(to)
    found = await readTarget(merge, to)
  }
  return found
}

async function readTarget(merge: Merge, to: SecretName): Promise<StagedSide | undefined> {
  try {
    const found = await readSecret(merge.view, to)
    if (found === undefined) return undefined
    const placed = placeSecret(merge.view.keyring, found.file, { path: pathOf(to) })
    return { file: found.file, oid: found.oid!, placed }
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
    if (error.exit === EXIT_CODES.DAMAGED || error.exit === EXIT_CODES.CONFLICTED) return undefined
    throw error
  }
}

function isMoved(side: StagedSide | undefined): boolean {
  return side?.file.state === "deleted" && side.file.meta.has("movedTo")
}

async function settleByChoice(
  merge: Merge,
  name: SecretName,
  sides: Sides,
  take: "ours" | "theirs",
): Promise<Uint8Array | null> {
  const access = await findChooser(merge, name, sides, take)
  if (access === undefined) throw notWriter(merge, name)
  if (sides[take] === undefined) return settleGone(merge, access, (sides.ours ?? sides.theirs)!)
  const open = (side: StagedSide | undefined) =>
    side === undefined || side === sides[take] ? side && openSide(merge, side) : openOther(merge, side)
  const [base, ours, theirs] = await Promise.all([sides.base, sides.ours, sides.theirs].map(open))
  const how = { access, store: merge.store.id, name, at: merge.at, take }
  return printSecretFile((await combine(how, base, ours, theirs))!)
}

/**
 * The chosen side has no file, for it was purged there. What the other side wrote since never had a tombstone:
 * it gets one, or whoever has seen that value would miss it.
 */
async function settleGone(merge: Merge, access: GroupAccess, kept: StagedSide): Promise<Uint8Array | null> {
  if (kept.file.state === "deleted") return null
  return printSecretFile(await sealTombstone(access, kept.file, [kept], merge.at))
}

/**
 * My access for a choice. While the keyring is diverged there is no newest data key: the chosen value stays
 * under the one it has, which nobody new can read, until the keyrings are joined; if that is a refused fork's, it goes
 * under the other side's.
 */
async function findChooser(
  merge: Merge,
  name: SecretName,
  { ours, theirs }: Sides,
  take: "ours" | "theirs",
): Promise<GroupAccess | undefined> {
  if (!isDiverged(merge, groupOfName(merge, name))) return findWriter(merge, name)
  const present = (take === "ours" ? [ours, theirs] : [theirs, ours]).filter(side => side !== undefined)
  const { file } = present.find(isAccepted) ?? present[0]!
  const access = await merge.open(file.group)
  const record = merge.view.keyring.groups.get(file.group)?.graph.byId.get(file.key)?.record
  const entry = record === undefined ? undefined : findMember(record, access.signer.name)
  if (entry === undefined || entry.signingKey !== access.member.signingKey || !canWrite(entry.role))
    return undefined
  return { ...access, sealKey: { id: file.key, seal: (await access.keys.keyFor(file.key)).keys.seal } }
}

/** Each with the keys of the group it is sealed for: one side may have made a group meanwhile. */
async function openSides(merge: Merge, { base, ours, theirs }: Sides): Promise<(Side | undefined)[]> {
  return Promise.all(
    [base, ours, theirs].map(async side => (side === undefined ? undefined : openSide(merge, side))),
  )
}

async function openSide(merge: Merge, side: StagedSide): Promise<Side> {
  return sideOf(side, await openFrom(merge, side))
}

/** A side that is not chosen, as far as it can be opened: what is wrong with it must not stand in the way. */
async function openOther(merge: Merge, side: StagedSide): Promise<Side> {
  const opened = await openFrom(merge, side).catch(cannotOpen)
  return { ...side, value: opened?.value, outside: !isByWriter(merge, side) }
}

async function openFrom(merge: Merge, side: StagedSide): Promise<OpenedValue> {
  const { file, placed } = side
  const line = isAccepted(side) ? await merge.open(file.group) : undefined
  const keys = line?.keys ?? (await openLine(merge.store, merge.view, placed))
  return openFile(file, (await keys.keyFor(file.key)).keys.seal)
}

/** Whether the data key is one of the group's: not a refused fork's. */
function isAccepted({ placed: { group, record } }: StagedSide): boolean {
  return holdersOf(group, record.sha256).length > 0
}

/** Whether the signer of a side may write now in the group that the name belongs to. */
function isByWriter(merge: Merge, side: StagedSide): boolean {
  const { file, placed } = side
  const current = merge.view.keyring.groups.get(groupOfName(merge, file.name))?.current ?? []
  return (
    isAccepted(side) &&
    current.every(({ record }) => mayHaveSigned(record, file.signer, placed.write.publicKey))
  )
}

/** What cannot be opened here is not settled by rule. */
function lacksKeys(error: unknown): undefined {
  if (error instanceof CofferError && error.exit === EXIT_CODES.NOT_A_MEMBER) return undefined
  throw error
}

function cannotOpen(error: unknown): undefined {
  if (error instanceof CofferError && error.exit === EXIT_CODES.TAMPERED) return undefined
  return lacksKeys(error)
}

/** My access to a name's group, where I may sign in it; a reader or rotator cannot settle a true conflict. */
async function findWriter(merge: Merge, name: SecretName): Promise<GroupAccess | undefined> {
  const group = groupOfName(merge, name)
  if (!merge.hasIdentity || isDiverged(merge, group)) return undefined
  try {
    const access = await merge.open(group)
    return canWrite(access.member.role) ? access : undefined
  } catch (error) {
    if (hasCode(error, "NOT_A_MEMBER", "REMOVED")) return undefined
    throw error
  }
}

function groupOfName({ view }: Merge, name: SecretName): string {
  return groupOf(name, view.keyring.listed.keys())
}

function isDiverged(merge: Merge, group: string): boolean {
  return merge.view.keyring.groups.get(group)?.current.length !== 1
}

/**
 * In its group, under the newest data key, where that can be done here; else as it is: `rotate --finish` takes it in.
 * So is a change by somebody who may not write there now: only an admin takes that in, by name.
 */
async function reseal(merge: Merge, taken: StagedSide, other: StagedSide | undefined): Promise<Uint8Array> {
  const known = other !== undefined && sameValue(taken, other) && isByWriter(merge, other)
  if (!known && !isByWriter(merge, taken)) {
    merge.left.add(taken.file.name)
    return printSecretFile(taken.file)
  }
  const kept = isAccepted(taken) ? taken : other!
  const { file } = kept
  const group = groupOfName(merge, file.name)
  const newest = merge.view.keyring.groups.get(group)?.current[0]
  const isThere = newest === undefined || (file.group === group && file.key === newest.id)
  const access = isThere ? undefined : await findWriter(merge, file.name)
  const opened = access && (await openFrom(merge, kept).catch(lacksKeys))
  if (newest === undefined || access === undefined || opened === undefined) return printSecretFile(file)
  const change = signAnew(file, kept.placed.write.publicKey, { ...access, record: newest.record })
  return printSecretFile(resealFile(file, opened, access.sealKey, change))
}

/** Stages what was settled, and clears conflicted paths that no name of this merge has. */
async function stage(
  merge: Merge,
  settled: ReadonlyMap<string, Uint8Array | null>,
  open: ReadonlySet<SecretName>,
): Promise<void> {
  const own = new Set<string>([...merge.secrets.keys()].map(pathOf))
  const cleared = [...merge.paths].filter(
    ([path, names]) => !own.has(path) && ![...names].some(name => open.has(name)),
  )
  const files = new Map([...cleared.map(([path]) => [path, null] as const), ...settled])
  if (files.size === 0) return
  const inRepository = [...files].map(([path, bytes]) => [`${merge.store.folder}/${path}`, bytes] as const)
  await merge.git.stage({ files: new Map(inRepository) })
}

function conflictOf(name: SecretName, sides: Sides): Conflict {
  const { why } = settle(sides.base, sides.ours, sides.theirs)
  return { name, why, ours: sides.ours?.file, theirs: sides.theirs?.file }
}

function notWriter(merge: Merge, name: SecretName): CofferError {
  return new CofferError(
    "ROLE_MISSING",
    `"${name}" was changed on both sides: only a writer can settle that`,
    {
      hint: `ask a writer or an admin of ${groupOfName(merge, name)} to make this merge`,
    },
  )
}
