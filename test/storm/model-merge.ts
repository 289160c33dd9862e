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
  findSideFault,
  isAccepted,
  nextVersion,
  requireOpenLine,
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
    const files = resolveOne(merge, { name, sides }, by)
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
  const key = isDiverged(name, by) ? keyOfChoice(sides, by, take) : findKey(name, by)
  if (key === undefined) throw new Refused("ROLE_MISSING")
  merge.secrets.set(name, combine(sides, key, by, take)!)
  merge.conflicts.delete(name)
}

/** While there is no newest key the chosen value stays under its own, if that is none of a refused fork's. */
function keyOfChoice({ ours, theirs }: Sides, { view: seen, by }: Settler, take: Side): Rec | undefined {
  const chosenFirst = take === "ours" ? [ours!, theirs!] : [theirs!, ours!]
  const { group, key } = chosenFirst.find(side => isAccepted(seen, side)) ?? chosenFirst[0]!
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
      const fault = blob && findSideFault(seen, blob)
      if (fault !== undefined) throw new Refused(fault)
    }
  }
}

function resolveOne(
  merge: MergeModel,
  { name, sides }: { name: string; sides: Sides },
  by: Settler,
): Blob[] | undefined {
  const take = settle(sides)
  if (take !== undefined) return [resealTaken(sides, by, take)]
  if (!isByWriter(sides.ours!, by) || !isByWriter(sides.theirs!, by)) return undefined
  if (findMove(sides) !== undefined) return follow(merge, sides, by)
  const key = findKey(name, by)
  if (key === undefined || sides.base === undefined) return undefined
  if (![sides.base, sides.ours, sides.theirs].every(side => canOpen(side, by))) return undefined
  const combined = combine(sides, key, by)
  return combined && [combined]
}

/**
 * In its group under the newest key, where that can be done here. What somebody wrote who may not write there now stays
 * as it is, unless the other side has it too; what a refused fork sealed gives way to the same under a key that counts.
 */
function resealTaken({ ours, theirs }: Sides, by: Settler, take: Side): Blob {
  const [taken, other] = take === "ours" ? [ours!, theirs!] : [theirs!, ours!]
  const isKnown = sameVersion(taken, other) && isByWriter(other, by)
  if (!isKnown && !isByWriter(taken, by)) return taken
  const blob = isAccepted(by.view, taken) ? taken : other
  const group = groupOf(blob.name, by.view)
  const newest = by.view.groups.get(group)?.current[0]
  const key = blob.group === group && newest === blob.key ? undefined : findKey(blob.name, by)
  if (key === undefined || !canOpen(blob, by)) return blob
  if (blob.group === group && canWrite(key.members.get(blob.signer))) return { ...blob, key }
  return { ...blob, key, group, signer: by.by, valueKeys: enter(blob.valueKeys, key) }
}

/** Whether its signer may write now in the group that the name belongs to. */
function isByWriter(blob: Blob, { view: seen }: Settler): boolean {
  const current = seen.groups.get(groupOf(blob.name, seen))?.current ?? []
  return isAccepted(seen, blob) && current.every(tip => canWrite(tip.members.get(blob.signer)))
}

function canOpen(blob: Blob | undefined, { view: seen, by }: Settler): boolean {
  try {
    if (blob !== undefined) requireOpenLine(seen, by, blob)
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

/**
 * One version above both: the value that one side changed, or the chosen one; meta entry by entry. What cannot be
 * opened of the others does not stand in the way of a choice.
 */
function combine(sides: Sides, key: Rec, by: Settler, take?: Side): Blob | undefined {
  const { base, ours, theirs } = sides
  const source = take === undefined ? changedValue(sides) : sides[take]
  if (source !== undefined) requireOpenLine(by.view, by.by, source)
  const isOutside = (side: Blob | undefined) =>
    take !== undefined && side !== undefined && side !== source && !isByWriter(side, by)
  const judged = { base, ours: isOutside(ours) ? base : ours, theirs: isOutside(theirs) ? base : theirs }
  const meta = source && joinMeta(judged, source, take)
  if (source === undefined || meta === undefined) return undefined
  const isSame = (side: Blob | undefined) =>
    side !== undefined && canOpen(side, by) && sameValue(side, source)
  const valueKeys = [
    ...new Set([source, ...[base, ours, theirs].filter(isSame)].flatMap(side => side!.valueKeys)),
  ]
  const { state, value } = source
  const { name } = ours!
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

/** Entry by entry; where a secret went is told by tombstones alone, of a choice by the chosen one. */
function joinMeta(sides: Sides, source: Blob, take?: Side): ReadonlyMap<string, string> | undefined {
  const isJoined = take === undefined && source.state === "deleted"
  const metaOf = (side: Blob | undefined, withMove: boolean) =>
    new Map(
      [...(side?.meta ?? [])].filter(([key]) => key !== "movedTo" || (withMove && side?.state === "deleted")),
    )
  const joined = new Map<string, string>()
  const [base, ours, theirs] = [sides.base, sides.ours, sides.theirs].map(side => metaOf(side, isJoined))
  for (const key of [...new Set([...ours!.keys(), ...theirs!.keys()])].sort()) {
    const [before, mine, yours] = [base!.get(key), ours!.get(key), theirs!.get(key)]
    const isContested = mine !== yours && mine !== before && yours !== before
    if (isContested && take === undefined) return undefined
    const winner = mine === before || (yours !== before && take === "theirs") ? yours : mine
    if (winner !== undefined) joined.set(key, winner)
  }
  const movedTo = isJoined ? undefined : metaOf(source, true).get("movedTo")
  if (movedTo !== undefined) joined.set("movedTo", movedTo)
  return joined
}

function isMoved(blob: Blob | undefined): boolean {
  return blob?.state === "deleted" && blob.meta.has("movedTo")
}

/** One side moved the secret, the other changed it. */
function findMove({ ours, theirs }: Sides): { moved: Blob; changed: Blob } | undefined {
  const [moved, changed] = isMoved(ours) ? [ours, theirs] : [theirs, ours]
  return isMoved(moved) && changed?.state === "current" ? { moved: moved!, changed } : undefined
}

/** Where a moved secret is by now. */
function findTarget(merge: MergeModel, moved: Blob, by: Settler): Blob | undefined {
  const passed = new Set([moved.name])
  let found: Blob | undefined = moved
  while (found !== undefined && isMoved(found)) {
    const to: string = found.meta.get("movedTo")!
    if (passed.has(to)) return undefined
    passed.add(to)
    found = merge.secrets.get(to)
    if (found !== undefined && findFault(by.view, found) !== undefined) return undefined
  }
  return found
}

/** The change follows to the new name, and is joined with what happened to the secret there. */
function follow(merge: MergeModel, sides: Sides, by: Settler): Blob[] | undefined {
  const { moved, changed } = findMove(sides)!
  const target = findTarget(merge, moved, by)
  const [key, newest] = [findKey(moved.name, by), target && findKey(target.name, by)]
  if (key === undefined || newest === undefined || target === undefined || sides.base === undefined)
    return undefined
  if (![sides.base, target, changed].every(side => canOpen(side, by))) return undefined
  const followed = combine({ base: sides.base, ours: target, theirs: changed }, newest, by)
  if (followed === undefined) return undefined
  const tombstone = {
    name: moved.name,
    state: "deleted" as const,
    value: "",
    meta: moved.meta,
    valueKeys: enter(moved.valueKeys, key),
    key,
  }
  return [followed, nextVersion(tombstone, [moved, changed], by)]
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
