/** Whether one secret moved on in order between two states of a store (DESIGN §2.1; step 18 of §2.4). */
import { pathOf } from "../format/names.js"
import { type SecretHeader, writerOf } from "../format/secret-file.js"
import type { Refusal } from "./findings.js"

/** One side of the comparison: a secret's header and git's id of its file. */
export interface SecretSide {
  readonly header: SecretHeader
  readonly oid: string
}

/**
 * Compares what was last seen of a secret with what is there now.
 *
 * @param present - undefined where there is no file.
 * @param restore - the git command that puts back what was seen: nothing is written while something is lost.
 * @returns what is out of order, if anything.
 */
export function findRollback(
  seen: SecretSide,
  present: SecretSide | undefined,
  restore = "git checkout",
): Refusal | undefined {
  const { name, version, state } = seen.header
  const was = `version ${version}${state === "deleted" ? ` (deleted by ${writerOf(seen.header)})` : ""}`
  if (present === undefined) {
    // Only a tombstone is ever purged: any other file that is gone was taken away.
    if (state === "deleted") return undefined
    return refusal(
      "SECRET_MISSING",
      name,
      `is gone, with no tombstone; ${was} was here`,
      `${restore} brings it back; coffer delete is the way to delete`,
    )
  }
  if (startsAnew(seen, present)) return undefined
  if (present.header.version < version) {
    return refusal(
      "ROLLED_BACK",
      name,
      `is version ${present.header.version} here, but ${was} is already in this history`,
      state === "deleted"
        ? `git revert cannot bring a secret back: ${restore}, commit it, then coffer undelete ${name} writes the old value as a new version`
        : `${restore}, commit it, then coffer rollback ${name}@${present.header.version} writes the old value as a new version`,
    )
  }
  if (replacesSilently(seen, present)) {
    return refusal(
      "VERSION_TWICE",
      name,
      `has two values that are version ${version}: by ${writerOf(seen.header)}, seen before, and by ${writerOf(present.header)}, here now`,
      `the other one is in git log; coffer trust accept ${name} keeps the one that is here`,
    )
  }
  return undefined
}

/** After a tombstone that has been purged, numbering begins again; an old first version put back is older. */
function startsAnew(seen: SecretSide, present: SecretSide): boolean {
  return (
    seen.header.state === "deleted" &&
    present.header.version === 1 &&
    present.header.created > seen.header.created
  )
}

/** Another value under the same number that does not know of ours: a lost update. */
function replacesSilently(seen: SecretSide, present: SecretSide): boolean {
  return (
    present.header.version === seen.header.version &&
    present.header.digest !== seen.header.digest &&
    !present.header.previous.includes(`${seen.header.version}-${seen.oid}`)
  )
}

function refusal(code: Refusal["code"], name: string, what: string, hint: string): Refusal {
  return { code, path: pathOf(name), message: `"${name}" ${what}`, hint }
}
