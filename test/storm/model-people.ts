/** What a user may expect of people and groups: add, remove, create a group, rotate, join keyrings, finish. */
import type { Draft } from "./model-clone.js"
import {
  canWrite,
  type GroupView,
  groupOf,
  makeRec,
  type NextRec,
  type Person,
  type Rec,
  Refused,
  ROOT,
  type Role,
  renewedListing,
  roleIn,
  type View,
  withRec,
} from "./model-keyring.js"
import {
  type Blob,
  enter,
  findFault,
  isAccepted,
  isStale,
  requireOpen,
  requireOpenLine,
} from "./model-secrets.js"

/** The root group, which lists the others, comes last. */
function inOrder(groups: readonly string[]): string[] {
  const others = [...new Set(groups)].filter(group => group !== ROOT).sort()
  return groups.includes(ROOT) ? [...others, ROOT] : others
}

/** @throws Refused the first group's refusal, after all have been asked */
function requirePublisher(draft: Draft, groups: readonly string[], need: "admin" | "rotator"): void {
  for (const group of groups) {
    const role = roleIn(draft.group(group), draft.by)
    if (role !== "admin" && role !== need) throw new Refused("ROLE_MISSING")
  }
}

type Change = Omit<NextRec, "author" | "group" | "members"> & Partial<Pick<NextRec, "members">>

/** The record after all current ones of a group; an admin of the root group keeps its listing up to date. */
function publish(draft: Draft, now: View, group: string, change: Change): View {
  const { current } = draft.group(group)
  const isListing = group === ROOT && roleIn(draft.group(ROOT), draft.by) === "admin"
  const listed = change.listed ?? (isListing ? renewedListing(now) : undefined)
  const rec = makeRec({ members: current[0]!.members, ...change, listed, group, author: draft.by }, current)
  draft.records.push(rec)
  return withRec(now, rec)
}

/** Seals a checked file again under `key`; signs it anew where its signature cannot stay. */
function reseal(draft: Draft, blob: Blob, key: Rec): void {
  const stays = blob.group === key.group && canWrite(key.members.get(blob.signer))
  if (!stays && !canWrite(key.members.get(draft.by))) throw new Refused("ROLE_MISSING")
  const signed = stays ? {} : { group: key.group, signer: draft.by, valueKeys: enter(blob.valueKeys, key) }
  draft.secrets.set(blob.name, { ...blob, ...signed, key })
}

function resealAll(
  draft: Draft,
  names: readonly string[],
  keyFor: (name: string) => Rec | undefined,
  leave: readonly string[] = [],
): void {
  const wanted = names.flatMap(name => {
    const key = keyFor(name)
    return key === undefined ? [] : [{ blob: draft.clone.head.secrets.get(name)!, key }]
  })
  const sound = wanted.filter(({ blob }) => {
    const fault = findFault(draft.view, blob)
    if (fault !== undefined && !leave.includes(fault)) throw new Refused(fault)
    return fault === undefined
  })
  for (const { blob, key } of sound) {
    requireOpen(draft.view, draft.by, blob)
    reseal(draft, blob, key)
  }
}

/** All files of groups under their new keys. */
function resealGroups(draft: Draft, now: View, groups: readonly string[], leave?: readonly string[]): void {
  const [only] = groups
  const names = draft.names(groups.length === 1 && only !== ROOT ? only : "")
  const keyFor = (name: string) => {
    const group = groupOf(name, draft.view)
    return groups.includes(group) ? now.groups.get(group)!.current[0]! : undefined
  }
  resealAll(draft, names, keyFor, leave)
}

export function rotate(
  draft: Draft,
  { groups, retire }: { groups: readonly string[]; retire: boolean },
): void {
  for (const group of groups) draft.group(group)
  const wanted = inOrder(groups.length === 0 ? [...draft.view.groups.keys()] : groups)
  requirePublisher(draft, wanted, "rotator")
  let now = draft.view
  for (const group of wanted) now = publish(draft, now, group, { reason: "rotate", retire })
  resealGroups(draft, now, wanted)
}

export function add(
  draft: Draft,
  { name, role, groups }: { name: Person; role: Role; groups: readonly string[] },
): void {
  const wanted = inOrder(groups).filter(group => {
    const has = draft.group(group).current[0]!.members.get(name)
    if (has !== undefined && has !== role) throw new Refused("EXISTS")
    return has === undefined
  })
  requirePublisher(draft, wanted, "admin")
  let now = draft.view
  for (const group of wanted) {
    const members = new Map(draft.group(group).current[0]!.members).set(name, role)
    now = publish(draft, now, group, { reason: "add", members })
  }
}

/** @param groups - none: every group. */
export function dismiss(draft: Draft, { name, groups }: { name: Person; groups: readonly string[] }): void {
  const all = groups.length === 0 ? [...draft.view.groups.keys()] : groups
  const isIn = (group: string) => draft.group(group).current.some(tip => tip.members.has(name))
  const from = inOrder(all.filter(isIn))
  if (from.length === 0) {
    const was = all.some(group => draft.group(group).records.some(rec => rec.members.has(name)))
    if (!was) throw new Refused("NOT_FOUND")
    return
  }
  requirePublisher(draft, from, "admin")
  if (name === draft.by)
    throw new Refused(adminsOf(draft.group(from[0]!)).length === 1 ? "NO_ADMIN" : "USAGE")
  let now = draft.view
  for (const group of from) {
    const members = new Map(draft.group(group).current[0]!.members)
    members.delete(name)
    now = publish(draft, now, group, { reason: "remove", members })
  }
  renewListing(draft, now, from)
  resealGroups(draft, now, from)
}

/** Where somebody could sign a group's records, an admin of the root group lists what came after. */
function renewListing(draft: Draft, now: View, from: readonly string[]): void {
  if (from.includes(ROOT) || draft.group(ROOT).current[0]!.members.get(draft.by) !== "admin") return
  const listed = draft.group(ROOT).current[0]!.listed
  const renewed = renewedListing(now)
  if ([...renewed].every(([group, rec]) => listed.get(group) === rec)) return
  publish(draft, now, ROOT, { reason: "group", listed: renewed })
}

const adminsOf = ({ current }: GroupView) => [...current[0]!.members].filter(([, role]) => role === "admin")

export function createGroup(
  draft: Draft,
  { group, members }: { group: string; members: readonly { name: Person; role: Role }[] },
): void {
  if (draft.view.listed.has(group)) throw new Refused("EXISTS")
  requirePublisher(draft, [ROOT], "admin")
  const chosen = new Map<Person, Role>()
  for (const { name, role } of members) {
    if (name === draft.by && role !== "admin") throw new Refused("USAGE")
    const known = [...draft.view.groups.values()].flatMap(
      ({ current }) => current[0]!.members.get(name) ?? [],
    )
    if (known.length === 0) throw new Refused("NOT_FOUND")
    if (role !== "reader" && known.every(entry => entry === "reader")) throw new Refused("CARD_INVALID")
    chosen.set(name, role)
  }
  const first = makeRec(
    { group, reason: "init", author: draft.by, members: chosen.set(draft.by, "admin") },
    [],
  )
  draft.records.push(first)
  const founded = withRec(draft.view, first)
  const listed = renewedListing(draft.view).set(group, first)
  const now = publish(draft, founded, ROOT, { reason: "group", listed })
  const moved = draft.names(group).filter(name => groupOf(name, now) === group)
  if (moved[0] === undefined) return
  roleIn(draft.group(groupOf(moved[0], draft.view)), draft.by)
  resealAll(draft, moved, () => first)
}

/** What may wait for {@link finish}. */
const STRAY = ["KEY_RETIRED", "KEY_UNKNOWN", "SECRET_WRONG_GROUP"]

/** `rotate --merge`: whoever a side dropped is out, whom one side added is in by name only. */
export function join(draft: Draft, { accept }: { accept: readonly Person[] }): void {
  const wanted = inOrder(
    [...draft.view.groups.values()].filter(({ current }) => current.length > 1).map(({ group }) => group),
  )
  requirePublisher(draft, wanted, "admin")
  for (const group of wanted) {
    const isAdmin = (tip: Rec) => tip.members.get(draft.by) === "admin"
    if (!draft.group(group).current.every(isAdmin)) throw new Refused("ROLE_MISSING")
  }
  let now = draft.view
  for (const group of wanted) {
    const members = joinMembers(draft.group(group), accept)
    if (![...members.values()].includes("admin")) throw new Refused("NO_ADMIN")
    const listed = group === ROOT ? joinListings(draft.group(ROOT), now) : new Map<string, Rec>()
    now = publish(draft, now, group, { reason: "merge", members, listed })
  }
  if (wanted.length > 0) resealGroups(draft, now, wanted, STRAY)
}

/** The newest records that all lines share. */
function basesOf(tips: readonly Rec[]): Rec[] {
  const common = [...tips[0]!.ancestors].filter(rec => tips.every(tip => tip.ancestors.has(rec)))
  return common.filter(rec => !common.some(other => other !== rec && other.ancestors.has(rec)))
}

function joinMembers({ current }: GroupView, accept: readonly Person[]): Map<Person, Role> {
  const bases = basesOf(current)
  const joined = new Map<Person, Role>()
  for (const name of new Set([...bases, ...current].flatMap(rec => [...rec.members.keys()]))) {
    const before = bases.map(base => base.members.get(name)).find(role => role !== undefined)
    const roles = current.map(tip => tip.members.get(name))
    const present = roles.filter(role => role !== undefined)
    if (before !== undefined && present.length < roles.length) continue
    const changed = [...new Set(present.filter(role => role !== before))]
    if (changed.length > 1) continue
    const role = changed[0] ?? before!
    const isAddition = before === undefined && present.length < roles.length
    if (!isAddition || accept.includes(name)) joined.set(name, role)
  }
  return joined
}

/** The union without what a side dropped; of two listings of one group the later, or what joins both. */
function joinListings({ current }: GroupView, now: View): Map<string, Rec> {
  const bases = basesOf(current)
  const joined = new Map<string, Rec>()
  for (const group of new Set(current.flatMap(tip => [...tip.listed.keys()]))) {
    const before = new Set(bases.map(base => base.listed.get(group)).filter(rec => rec !== undefined))
    const entries = current.map(tip => tip.listed.get(group))
    if (before.size > 0 && entries.includes(undefined)) continue
    const listed = [...new Set(entries.filter(rec => rec !== undefined))]
    const changed = listed.filter(rec => !before.has(rec))
    const candidates = changed.length > 0 ? changed : listed
    const latest = candidates.find(rec => candidates.every(other => rec.ancestors.has(other)))
    joined.set(group, latest ?? now.groups.get(group)!.current[0]!)
  }
  return joined
}

/** `rotate --finish`: files under retired, refused or merely older keys are sealed under the present one. */
export function finish(draft: Draft, { accept }: { accept: readonly Person[] }): void {
  const strays: Blob[] = []
  const stale: Blob[] = []
  for (const name of draft.names()) {
    const blob = draft.clone.head.secrets.get(name)!
    const fault = findFault(draft.view, blob)
    if (fault !== undefined && !STRAY.includes(fault)) throw new Refused(fault)
    if (fault === undefined) {
      if (isStale(draft.view.groups.get(blob.group)!, blob)) stale.push(blob)
      continue
    }
    if (draft.view.groups.get(blob.group)?.records.includes(blob.key) !== true) throw new Refused(fault)
    if (!canWrite(blob.key.members.get(blob.signer))) throw new Refused("WRITER_NOT_ALLOWED")
    strays.push(blob)
  }
  const isDoubtful = ({ name, signer }: Blob) =>
    !canWrite(draft.group(groupOf(name, draft.view)).current[0]!.members.get(signer))
  for (const { name } of strays.filter(isDoubtful)) {
    if (roleIn(draft.group(groupOf(name, draft.view)), draft.by) !== "admin")
      throw new Refused("ROLE_MISSING")
  }
  for (const blob of stale) takeIn(draft, blob)
  const taken = strays.filter(blob => !isDoubtful(blob) || accept.includes(blob.signer))
  for (const blob of taken) if (canReach(draft, blob)) takeIn(draft, blob)
}

/** What a refused fork has sealed for others alone is left as it is. @throws Refused where another file cannot be opened */
function canReach(draft: Draft, blob: Blob): boolean {
  try {
    requireOpenLine(draft.view, draft.by, blob)
    return true
  } catch (error) {
    if (!(error instanceof Refused) || isAccepted(draft.view, blob)) throw error
    return false
  }
}

function takeIn(draft: Draft, blob: Blob): void {
  const key = draft.keyForWriting(blob.name)
  requireOpenLine(draft.view, draft.by, blob)
  reseal(draft, blob, key)
}
