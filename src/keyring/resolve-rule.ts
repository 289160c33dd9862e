/** The merge rule for one secret's file, which needs no key (DESIGN §3.4); hooks/merge-secret is the same in sh. */
import type { SecretFile } from "../format/secret-file.js"

/** A stage of the merge: the file's fields that the rule looks at, and git's id of it. */
export interface MergeSide {
  readonly file: Pick<SecretFile, "store" | "name" | "version" | "state" | "digest" | "previous" | "key">
  readonly oid: string
}

export type Settlement =
  | { readonly take: "ours" | "theirs"; readonly why: string }
  | { readonly take: "conflict"; readonly why: string }

/**
 * Settles a merge of one path.
 *
 * @param base - undefined where both sides added the file.
 * @param ours - undefined where our side has none; likewise `theirs`.
 */
export function settle(
  base: MergeSide | undefined,
  ours: MergeSide | undefined,
  theirs: MergeSide | undefined,
): Settlement {
  if (ours === undefined || theirs === undefined) return settleMissing(base, ours, theirs)
  if (!sameSecret(ours, theirs)) return conflict("these are two different secrets")
  if (sameValue(ours, theirs)) {
    return { take: newerKey(ours, theirs), why: "both sides only sealed it again: the newer data key stays" }
  }
  if (base !== undefined && sameSecret(base, ours)) {
    if (sameValue(base, ours)) return { take: "theirs", why: "only theirs changed it" }
    if (sameValue(base, theirs)) return { take: "ours", why: "only ours changed it" }
  }
  if (names(ours, theirs)) return { take: "ours", why: "ours was written after theirs" }
  if (names(theirs, ours)) return { take: "theirs", why: "theirs was written after ours" }
  return conflict("both sides changed it")
}

/** A file goes away in order only as a purged tombstone. */
function settleMissing(
  base: MergeSide | undefined,
  ours: MergeSide | undefined,
  theirs: MergeSide | undefined,
): Settlement {
  const kept = ours ?? theirs
  const [keeper, purger] = ours === undefined ? (["theirs", "ours"] as const) : (["ours", "theirs"] as const)
  if (kept === undefined || base === undefined) return { take: keeper, why: "only one side has it" }
  if (base.file.state === "deleted" && sameSecret(base, kept) && sameValue(base, kept)) {
    return { take: purger, why: `${purger} purged its tombstone` }
  }
  return conflict(
    base.file.state === "deleted"
      ? `${keeper} changed what ${purger} purged`
      : `${purger} has no file and no tombstone`,
  )
}

function conflict(why: string): Settlement {
  return { take: "conflict", why }
}

function sameSecret(a: MergeSide, b: MergeSide): boolean {
  return a.file.store === b.file.store && a.file.name === b.file.name
}

/** Everything else in the file counts as sealing. */
export function sameValue(a: MergeSide, b: MergeSide): boolean {
  return a.file.version === b.file.version && a.file.digest === b.file.digest
}

/** By number, then by id, so that both directions of a merge agree. */
function newerKey(ours: MergeSide, theirs: MergeSide): "ours" | "theirs" {
  const [a, b] = [ours.file.key, theirs.file.key]
  const difference = numberOf(a) - numberOf(b)
  return difference > 0 || (difference === 0 && a >= b) ? "ours" : "theirs"
}

function numberOf(key: string): number {
  return Number(key.slice(0, key.indexOf("-")))
}

function names(later: MergeSide, earlier: MergeSide): boolean {
  return later.file.previous.includes(`${earlier.file.version}-${earlier.oid}`)
}
