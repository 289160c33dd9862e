/** Joining two changed sides of one secret: value by value, meta by key, the result one version above both. */
import type { OpenedValue } from "../crypto/value.js"
import { equalBytes } from "../encoding.js"
import { LIMITS } from "../format/limits.js"
import type { SecretName } from "../format/names.js"
import type { SecretFile } from "../format/secret-file.js"
import type { Oid } from "../storage/git/git.js"
import type { GroupAccess } from "./access.js"
import { sealVersion } from "./seal.js"
import { enterGroup, type Predecessor, succeed } from "./succession.js"

/** One side, opened. */
export interface Side {
  readonly file: SecretFile
  readonly oid: Oid
  /** Undefined only of a side that is not chosen: it cannot be opened here. */
  readonly value: Uint8Array | undefined
  /** Its signer may not write now: nothing of it is joined with the chosen one. */
  readonly outside?: boolean
}

export function sideOf(input: { file: SecretFile; oid: Oid }, { value }: OpenedValue): Side {
  return { ...input, value }
}

interface Combination {
  readonly access: GroupAccess
  readonly store: string
  readonly name: SecretName
  readonly at: Date
  /** A person's choice; without one, only what has one answer is joined. */
  readonly take?: "ours" | "theirs"
}

/** @returns undefined where both sides changed the value, or one entry of meta, or have too many of them together, and nobody has chosen */
export async function combine(
  how: Combination,
  base: Side | undefined,
  ours: Side | undefined,
  theirs: Side | undefined,
): Promise<SecretFile | undefined> {
  const source = pick(how, base, ours, theirs)
  const meta = source && mergeMeta(how, source, [base, ours, theirs])
  if (source === undefined || meta === undefined) return undefined
  const { access, store, name, at } = how
  const predecessors = [ours, theirs].filter(side => side !== undefined)
  const { file, value } = source
  return sealVersion(
    {
      store,
      group: access.group,
      name,
      ...succeed(predecessors, at),
      state: file.state,
      type: file.type,
      valueKeys: joinExposure(how, source, [base, ours, theirs]),
      meta,
    },
    value!,
    access.sealKey,
    access.signer,
  )
}

/** A tombstone above both sides, so that no clone sees a number twice. */
export function sealTombstone(
  access: GroupAccess,
  moved: SecretFile,
  predecessors: readonly Predecessor[],
  at: Date,
): Promise<SecretFile> {
  const { store, name, meta } = moved
  const { group } = access
  const valueKeys = enterGroup(moved.valueKeys, group, access.sealKey.id)
  return sealVersion(
    { store, group, name, ...succeed(predecessors, at), state: "deleted", type: "text", valueKeys, meta },
    new Uint8Array(0),
    access.sealKey,
    access.signer,
  )
}

/** The side whose value stands: the one that changed it, or the chosen one. */
function pick(
  { take }: Combination,
  base: Side | undefined,
  ours: Side | undefined,
  theirs: Side | undefined,
): Side | undefined {
  if (take !== undefined) return take === "ours" ? ours : theirs
  if (ours === undefined || theirs === undefined || base === undefined) return undefined
  if (sameValue(ours, theirs) || sameValue(theirs, base)) return ours
  return sameValue(ours, base) ? theirs : undefined
}

/** The same value may have been written twice: whoever could read either writing knows it. */
function joinExposure(
  { access }: Combination,
  source: Side,
  sides: readonly (Side | undefined)[],
): readonly string[] {
  const same = sides.filter(side => side !== undefined && sameValue(side, source))
  const keys = [...new Set([source, ...same].flatMap(side => side?.file.valueKeys ?? []))]
  return enterGroup(keys, access.group, access.sealKey.id)
}

/**
 * Entry by entry against the base; an entry that both sides changed goes by the choice, and so do all
 * where they are too many together.
 */
function mergeMeta(
  { take }: Combination,
  source: Side,
  sides: readonly (Side | undefined)[],
): ReadonlyMap<string, string> | undefined {
  const [base] = sides
  // A side without a file has changed no note.
  const judged = (side: Side | undefined) =>
    side === undefined || (side.outside && side !== source) ? base : side
  // Where a secret went is told by tombstones alone: by both where nobody chose, else by the chosen one.
  const isJoined = take === undefined && source.file.state === "deleted"
  const [b, o, t] = sides.map(side => metaOf(judged(side), isJoined))
  const merged = new Map<string, string>()
  for (const key of [...new Set([...o!.keys(), ...t!.keys()])].sort()) {
    const [before, mine, yours] = [b!.get(key), o!.get(key), t!.get(key)]
    if (mine !== yours && mine !== before && yours !== before && take === undefined) return undefined
    const winner = mine === before || (yours !== before && take === "theirs") ? yours : mine
    if (winner !== undefined) merged.set(key, winner)
  }
  const movedTo = isJoined ? undefined : metaOf(source, true).get("movedTo")
  if (movedTo !== undefined) merged.set("movedTo", movedTo)
  if (merged.size <= LIMITS.metaEntries) return merged
  return take === undefined ? undefined : source.file.meta
}

/** What people noted on a secret, and of a tombstone where it went. */
function metaOf(side: Side | undefined, withMove: boolean): ReadonlyMap<string, string> {
  const meta = new Map(side?.file.meta)
  if (!withMove || side?.file.state !== "deleted") meta.delete("movedTo")
  return meta
}

function sameValue(a: Side, b: Side): boolean {
  if (a.value === undefined || b.value === undefined) return false
  return a.file.state === b.file.state && a.file.type === b.file.type && equalBytes(a.value, b.value)
}
