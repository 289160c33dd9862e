/** What a new version of a secret takes over from the files it follows: numbers, links, times, exposure. */
import { CofferError } from "../errors.js"
import { LIMITS } from "../format/limits.js"
import { parsePrevious, type SecretFile } from "../format/secret-file.js"
import { printTime } from "../format/times.js"
import type { Oid } from "../storage/git/git.js"

/** A file that a new version follows, with git's id of it. */
export interface Predecessor {
  readonly file: SecretFile
  readonly oid: Oid
}

/**
 * The fields of a new version that follow from its predecessors, the most direct one first.
 *
 * @throws CofferError `LIMIT_EXCEEDED` after the last number that a version can have.
 */
export function succeed(
  predecessors: readonly Predecessor[],
  at: Date,
): { version: number; created: string; previous: readonly string[] } {
  const versions = predecessors.map(({ file }) => file.version)
  const times = predecessors.map(({ file }) => file.created)
  const version = Math.max(0, ...versions) + 1
  if (version > LIMITS.integer) throw lastVersion(predecessors)
  return {
    version,
    // Not before its predecessor, whatever this machine's clock says: times are text that sorts.
    created: [printTime(at), ...times].sort().at(-1)!,
    previous: linkBack(predecessors),
  }
}

/** Numbers are counted up one by one: only a file made for that purpose has the last one. */
function lastVersion(predecessors: readonly Predecessor[]): CofferError {
  const { name, author } = predecessors.find(({ file }) => file.version === LIMITS.integer)!.file
  return new CofferError("LIMIT_EXCEEDED", `"${name}" is at the last version that there can be`, {
    hint: `ask "${author}", who numbered it; coffer copy ${name} OTHER_NAME starts anew`,
  })
}

/** Direct predecessors first, then what those name, newest first: a gap in history can be hopped over. */
function linkBack(predecessors: readonly Predecessor[]): readonly string[] {
  const direct = predecessors.map(({ file, oid }) => `${file.version}-${oid}`)
  const older = predecessors
    .flatMap(({ file }) => file.previous)
    .sort((a, b) => parsePrevious(b).version - parsePrevious(a).version)
  return [...new Set([...direct, ...older])].slice(0, LIMITS.previous)
}

/**
 * `valueKeys` of a value that now lives in `group`: the data key at entry to each group it has
 * lived in. Never shortened: it is what the exposure list is derived from.
 *
 * @throws CofferError `LIMIT_EXCEEDED` after 16 groups.
 */
export function enterGroup(valueKeys: readonly string[], group: string, keyId: string): readonly string[] {
  const isThere = valueKeys.some(entry => entry.slice(0, entry.lastIndexOf("/")) === group)
  const entered = isThere ? valueKeys : [...valueKeys, `${group}/${keyId}`]
  if (entered.length > LIMITS.valueKeys) {
    throw new CofferError("LIMIT_EXCEEDED", `this value has been moved through ${LIMITS.valueKeys} groups`, {
      hint: "set a new value: then its exposure starts anew",
    })
  }
  return entered
}
