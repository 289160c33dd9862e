/** What a user may expect of a merge: what git and the rule settle, what a person has to, what it costs. */
import { type CloneModel, type Commit, inPathOrder, makeCommit, mergeBase } from "./model-clone.js"
import {
  canWrite,
  groupOf,
  type Person,
  type Rec,
  Refused,
  requireKey,
  requireSound,
  roleIn,
  type View,
  view,
} from "./model-keyring.js"
import {
  type Blob,
  enter,
  findFault,
  findOldFault,
  nextVersion,
  requireOpen,
  sameVersion,
} from "./model-secrets.js"

export type Side = "ours" | "theirs"

interface Sides {
  readonly base: Blob | undefined
  readonly ours: Blob | undefined
  readonly theirs: Blob | undefined
}

/** A merge under way: what git settled, and what it left in conflict. */
export interface MergeModel {
  readonly theirs: Commit
  readonly secrets: Map<string, Blob>
  readonly records: ReadonlySet<Rec>
  readonly conflicts: Map<string, Sides>
}

/** `git merge`, with or without the driver. @returns undefined where it only moves on, or not even that */
export function startMerge(clone: CloneModel, theirs: Commit, driver: boolean): MergeModel | undefined {
  const ours = clone.head
  if (ours.ancestors.has(theirs)) return undefined
  if (theirs.ancestors.has(ours)) {
    clone.move(theirs)
    return undefined
  }
  const base = mergeBase(ours, theirs)
  const secrets = new Map<string, Blob>()
  const conflicts = new Map<string, Sides>()
  for (const name of inPathOrder(new Set([...ours.secrets.keys(), ...theirs.secrets.keys()]))) {
    const sides = {
      base: base.secrets.get(name),
      ours: ours.secrets.get(name),
      theirs: theirs.secrets.get(name),
    }
    const settled = threeWay(sides) ?? (driver ? settle(sides) : undefined)
    if (settled === undefined) conflicts.set(name, sides)
    else secrets.set(name, sides[settled]!)
  }
  return { theirs, secrets, records: new Set([...ours.records, ...theirs.records]), conflicts }
}

/** What git sees by itself. */
function threeWay({ base, ours, theirs }: Sides): Side | undefined {
  if (ours === theirs || base === theirs) return "ours"
  return base === ours ? "theirs" : undefined
}

/** The rule that needs no key, for two files that both are there. */
function settle({ base, ours, theirs }: Sides): Side | undefined {
  const [a, b] = [ours!, theirs!]
  if (sameVersion(a, b)) {
    const isOurs =
      a.key.number > b.key.number || (a.key.number === b.key.number && a.key.label >= b.key.label)
    return isOurs ? "ours" : "theirs"
  }
  if (base !== undefined && sameVersion(base, a)) return "theirs"
  if (base !== undefined && sameVersion(base, b)) return "ours"
  if (a.previous.includes(b)) return "ours"
  return b.previous.includes(a) ? "theirs" : undefined
}

/** Who settles, when, and what counts in the merged tree. */
interface Settler {
  readonly view: View
  readonly by: Person
  readonly at: number
}

export function settler(clone: CloneModel, merge: MergeModel, who: { by: Person; at: number }): Settler {
  return { view: view(merge.records, clone.trust), ...who }
}

/** `coffer resolve`. @throws Refused */
export function resolveAll(merge: MergeModel, by: Settler): void {
  requireStages(merge, by)
  const settled = new Map<string, Blob>()
  const done: string[] = []
  for (const [name, sides] of merge.conflicts) {
    const files = resolveOne(name, sides, by) ?? follow(merge, sides, by)
    if (files === undefined) continue
    done.push(name)
    for (const blob of files) settled.set(blob.name, blob)
  }
  for (const [name, blob] of settled) merge.secrets.set(name, blob)
  for (const name of done) merge.conflicts.delete(name)
}

/** `coffer resolve NAME --ours|--theirs`. @throws Refused */
export function resolveByChoice(merge: MergeModel, name: string, take: Side, by: Settler): void {
  requireStages(merge, by)
  const sides = merge.conflicts.get(name)
  if (sides === undefined) throw new Refused("NOT_FOUND")
  const key = isDiverged(name, by) ? keyOfChoice(sides[take]!, by) : findKey(name, by)
  if (key === undefined) throw new Refused("ROLE_MISSING")
  merge.secrets.set(name, combine(sides, key, by, take)!)
  merge.conflicts.delete(name)
}

/** While there is no newest key the chosen value stays under its own. */
function keyOfChoice({ group, key }: Blob, { view: seen, by }: Settler): Rec | undefined {
  const keyring = seen.groups.get(group)!
  const isReader = roleIn(keyring, by) === "reader"
  if (isReader || !canWrite(key.members.get(by))) return undefined
  requireKey(keyring, by, key)
  return key
}

/** As git's own user: one side as it is. */
export function takeByHand(merge: MergeModel, name: string, take: Side): void {
  merge.secrets.set(name, merge.conflicts.get(name)![take]!)
  merge.conflicts.delete(name)
}

export function commitMerge(clone: CloneModel, merge: MergeModel): void {
  clone.move(makeCommit([clone.head, merge.theirs], merge.secrets, merge.records))
}

function requireStages({ conflicts }: MergeModel, { view: seen }: Settler): void {
  requireSound(seen)
  for (const { base, ours, theirs } of conflicts.values()) {
    for (const blob of [base, ours, theirs]) {
      const fault = blob && findOldFault(seen, blob)
      if (fault !== undefined) throw new Refused(fault)
    }
  }
}

function resolveOne(name: string, sides: Sides, by: Settler): Blob[] | undefined {
  const take = settle(sides)
  if (take !== undefined) return [resealTaken(sides[take]!, by)]
  const key = findKey(name, by)
  if (key === undefined || sides.base === undefined) return undefined
  if (![sides.base, sides.ours, sides.theirs].every(side => canOpen(side, by))) return undefined
  const combined = combine(sides, key, by)
  return combined && [combined]
}

/** In its group under the newest key, where that can be done here. */
function resealTaken(blob: Blob, by: Settler): Blob {
  const group = groupOf(blob.name, by.view)
  const newest = by.view.groups.get(group)?.current[0]
  const key = blob.group === group && newest === blob.key ? undefined : findKey(blob.name, by)
  if (key === undefined || !canOpen(blob, by)) return blob
  if (blob.group === group && canWrite(key.members.get(blob.signer))) return { ...blob, key }
  return { ...blob, key, group, signer: by.by, valueKeys: enter(blob.valueKeys, key) }
}

function canOpen(blob: Blob | undefined, { view: seen, by }: Settler): boolean {
  try {
    if (blob !== undefined) requireOpen(seen, by, blob)
    return true
  } catch (error) {
    if (error instanceof Refused) return false
    throw error
  }
}

function isDiverged(name: string, { view: seen }: Settler): boolean {
  return seen.groups.get(groupOf(name, seen))?.current.length !== 1
}

/** The newest key of a name's group where `by` may write in it. */
function findKey(name: string, settling: Settler): Rec | undefined {
  if (isDiverged(name, settling)) return undefined
  const group = settling.view.groups.get(groupOf(name, settling.view))!
  try {
    return canWrite(roleIn(group, settling.by)) ? group.current[0]! : undefined
  } catch (error) {
    if (error instanceof Refused) return undefined
    throw error
  }
}

/** One version above both: the value that one side changed, or the chosen one; meta entry by entry. */
function combine(sides: Sides, key: Rec, by: Settler, take?: Side): Blob | undefined {
  const { base, ours, theirs } = sides
  for (const side of [base, ours, theirs]) if (side !== undefined) requireOpen(by.view, by.by, side)
  const source = take === undefined ? changedValue(sides) : sides[take]
  const meta = joinMeta(sides, take)
  if (source === undefined || meta === undefined) return undefined
  const same = [base, ours, theirs].filter(side => side !== undefined && sameValue(side, source))
  const valueKeys = [...new Set([source, ...same].flatMap(side => side!.valueKeys))]
  const { name, state, value } = source
  const content = { name, state, value, meta, valueKeys: enter(valueKeys, key), key }
  return nextVersion(content, [ours!, theirs!], by)
}

function sameValue(a: Blob, b: Blob): boolean {
  return a.state === b.state && a.value === b.value
}

function changedValue({ base, ours, theirs }: Sides): Blob | undefined {
  if (base === undefined || ours === undefined || theirs === undefined) return undefined
  if (sameValue(ours, theirs) || sameValue(theirs, base)) return ours
  return sameValue(ours, base) ? theirs : undefined
}

function joinMeta({ base, ours, theirs }: Sides, take?: Side): ReadonlyMap<string, string> | undefined {
  const joined = new Map<string, string>()
  for (const key of [...new Set([...ours!.meta.keys(), ...theirs!.meta.keys()])].sort()) {
    const [before, mine, yours] = [base?.meta.get(key), ours!.meta.get(key), theirs!.meta.get(key)]
    const isContested = mine !== yours && mine !== before && yours !== before
    if (isContested && take === undefined) return undefined
    const winner = mine === before || (yours !== before && take === "theirs") ? yours : mine
    if (winner !== undefined) joined.set(key, winner)
  }
  return joined
}

/** One side moved the secret, the other changed it: the change follows to the new name. */
function follow(merge: MergeModel, sides: Sides, by: Settler): Blob[] | undefined {
  const isMoved = (blob: Blob | undefined) => blob?.state === "deleted" && blob.meta.has("movedTo")
  const [moved, changed] = isMoved(sides.ours) ? [sides.ours!, sides.theirs!] : [sides.theirs!, sides.ours!]
  if (!isMoved(moved) || changed.state !== "current") return undefined
  const to = moved.meta.get("movedTo")!
  const target = merge.secrets.get(to)
  const [key, newest] = [findKey(moved.name, by), findKey(to, by)]
  if (key === undefined || newest === undefined || target === undefined) return undefined
  if (findFault(by.view, target) !== undefined || !canOpen(changed, by)) return undefined
  const { value, meta, valueKeys } = changed
  const content = {
    name: to,
    state: "current" as const,
    value,
    meta,
    valueKeys: enter(valueKeys, newest),
    key: newest,
  }
  const tombstone = {
    name: moved.name,
    state: "deleted" as const,
    value: "",
    meta: moved.meta,
    valueKeys: enter(moved.valueKeys, key),
    key,
  }
  return [nextVersion(content, [target, changed], by), nextVersion(tombstone, [moved, changed], by)]
}

/** Values that a merge commit dropped, as `check` has to find. */
export function lostUpdates(head: Commit): string[] {
  const [first, second] = head.parents
  if (first === undefined || second === undefined) return []
  const base = mergeBase(first, second)
  const isLost = (name: string, side: Commit) => {
    const [before, wrote, kept] = [base, side, head].map(({ secrets }) => secrets.get(name))
    if (wrote === undefined || wrote === before || wrote === kept) return false
    if (before !== undefined && sameVersion(before, wrote)) return false
    return kept === undefined || !(sameVersion(kept, wrote) || kept.previous.includes(wrote))
  }
  return [...head.secrets.keys()].filter(name => isLost(name, first) || isLost(name, second))
}
