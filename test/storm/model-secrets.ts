/** What a user may expect of one secret's file: whether it counts, its versions, who may know its value. */
import {
  canWrite,
  type GroupView,
  groupOf,
  type Person,
  type Rec,
  Refused,
  requireKey,
  roleIn,
  type View,
} from "./model-keyring.js"

/** One file of a secret. Identity is the object, as git's blob id is for the real one. */
export interface Blob {
  readonly name: string
  readonly group: string
  readonly version: number
  readonly state: "current" | "deleted"
  readonly value: string
  readonly meta: ReadonlyMap<string, string>
  /** Data keys at entry to each group that the value has lived in. */
  readonly valueKeys: readonly Rec[]
  readonly author: Person
  readonly signer: Person
  readonly created: number
  /** Direct predecessors, then older ones. */
  readonly previous: readonly Blob[]
  readonly key: Rec
  /** The same object in every file of one version, however often that is sealed again. */
  readonly digest: object
}

export const pathOf = (name: string) => `${name}.yaml`
export const sameVersion = (a: Blob, b: Blob) => a.version === b.version && a.digest === b.digest

/** What a file is refused with at its place; undefined for a sound one. */
export function findFault(seen: View, blob: Blob): string | undefined {
  const wanted = groupOf(blob.name, seen)
  if (blob.group !== wanted) return "SECRET_WRONG_GROUP"
  const group = seen.groups.get(wanted)
  return group === undefined ? "GROUP_MISSING" : findKeyFault(group, blob, false)
}

/** The same for an old version, which may have lived elsewhere under a key that is retired since. */
export function findOldFault(seen: View, blob: Blob): string | undefined {
  const group = seen.groups.get(blob.group)
  return group === undefined ? "SECRET_WRONG_GROUP" : findKeyFault(group, blob, true)
}

/** The same for one side of a merge, whose data key may be a refused fork's. */
export function findSideFault(seen: View, blob: Blob): string | undefined {
  const group = seen.groups.get(blob.group)
  if (group === undefined) return "SECRET_WRONG_GROUP"
  if (!group.records.includes(blob.key)) return "KEY_UNKNOWN"
  return canWrite(blob.key.members.get(blob.signer)) ? undefined : "WRITER_NOT_ALLOWED"
}

function findKeyFault({ current }: GroupView, { key, signer }: Blob, isOld: boolean): string | undefined {
  const holders = current.filter(tip => tip.ancestors.has(key))
  if (holders.length === 0) return "KEY_UNKNOWN"
  if (!isOld && holders.some(tip => key.number < tip.oldest)) return "KEY_RETIRED"
  return canWrite(key.members.get(signer)) ? undefined : "WRITER_NOT_ALLOWED"
}

/** Whether the data key is one of the group's: not a refused fork's. */
export function isAccepted(seen: View, { group, key }: Blob): boolean {
  return seen.groups.get(group)?.current.some(tip => tip.ancestors.has(key)) === true
}

/** @throws Refused unless `by` can open it */
export function requireOpen(seen: View, by: Person, blob: Blob): void {
  const group = seen.groups.get(blob.group)
  if (group === undefined) throw new Error(`there is no group "${blob.group}" to open`)
  roleIn(group, by)
  requireKey(group, by, blob.key)
}

/** The same for what may be sealed by a refused fork: then with the keys of that line. @throws Refused */
export function requireOpenLine(seen: View, by: Person, blob: Blob): void {
  const group = seen.groups.get(blob.group)!
  const line = isAccepted(seen, blob) ? group : { ...group, current: [blob.key] }
  roleIn(line, by)
  requireKey(line, by, blob.key)
}

/** Who may know a value and is no member now. */
export function exposedTo(seen: View, { state, group, valueKeys }: Blob): string[] {
  if (state === "deleted") return []
  const present = new Set(seen.groups.get(group)!.current.flatMap(tip => [...tip.members.keys()]))
  const readers = valueKeys.flatMap(key => {
    const records = seen.groups.get(key.group)?.records
    if (records?.includes(key) !== true) return [`(members of ${key.group})`]
    return records.filter(rec => rec.ancestors.has(key)).flatMap(rec => [...rec.members.keys()])
  })
  return [...new Set(readers.filter(reader => !present.has(reader)))].sort()
}

const SEALS_AGAIN = ["remove", "rotate", "merge"]

/** Whether the group has been sealed again since the file's key was its newest. */
export function isStale({ current }: GroupView, { key }: Blob): boolean {
  const since = current.flatMap(tip => [...tip.ancestors])
  return since.some(rec => rec.number > key.number && SEALS_AGAIN.includes(rec.reason))
}

/** A value is exposed to a group's readers from its first key there on. */
export function enter(valueKeys: readonly Rec[], key: Rec): readonly Rec[] {
  return valueKeys.some(({ group }) => group === key.group) ? valueKeys : [...valueKeys, key]
}

/** The next version after `before`, the most direct predecessor first. */
export function nextVersion(
  content: Pick<Blob, "name" | "state" | "value" | "meta" | "valueKeys" | "key">,
  before: readonly Blob[],
  written: { by: Person; at: number },
): Blob {
  const older = before.flatMap(blob => blob.previous).sort((a, b) => b.version - a.version)
  return {
    ...content,
    group: content.key.group,
    version: 1 + Math.max(0, ...before.map(({ version }) => version)),
    author: written.by,
    signer: written.by,
    created: Math.max(written.at, ...before.map(({ created }) => created)),
    previous: [...new Set([...before, ...older])].slice(0, 4),
    digest: {},
  }
}

/** All versions that can be reached, one file of each. */
export interface Versions {
  readonly distinct: readonly Blob[]
  readonly lost: readonly number[]
}

/** By the signed chain. */
function followChain(seen: View, current: Blob): Set<Blob> {
  const found = new Set([current])
  const asked = new Set<Blob>()
  for (let wanted: Blob[] = [...current.previous]; wanted.length > 0; ) {
    const next: Blob[] = []
    for (const blob of wanted) {
      asked.add(blob)
      if (findOldFault(seen, blob) !== undefined) continue
      found.add(blob)
      next.push(...blob.previous)
    }
    wanted = [...new Set(next)].filter(blob => !asked.has(blob))
  }
  return found
}

function distinct(blobs: Iterable<Blob>): Blob[] {
  const found: Blob[] = []
  for (const blob of blobs) if (!found.some(other => sameVersion(other, blob))) found.push(blob)
  return found.sort((a, b) => b.version - a.version)
}

/** @param logged - every file that stood at the secret's path in history. */
export function allVersions(seen: View, current: Blob, logged: Iterable<Blob>): Versions {
  const sound = [...logged].filter(blob => findOldFault(seen, blob) === undefined)
  const found = distinct([...followChain(seen, current), ...sound])
  const numbers = Array.from({ length: current.version - 1 }, (_, index) => index + 1)
  return { distinct: found, lost: numbers.filter(number => !found.some(({ version }) => version === number)) }
}

/** The version of that number. @throws Refused */
export function findVersion(seen: View, current: Blob, logged: Iterable<Blob>, number: number): Blob {
  const near = distinct(followChain(seen, current)).filter(({ version }) => version === number)
  const { distinct: all, lost } = allVersions(seen, current, logged)
  const [first, second] = near.length > 0 ? near : all.filter(({ version }) => version === number)
  if (first === undefined) throw new Refused(lost.includes(number) ? "HISTORY_MISSING" : "NOT_FOUND")
  if (second !== undefined) throw new Refused("VERSION_TWICE")
  if (first.state === "deleted") throw new Refused("NOT_FOUND")
  return first
}

/** The value that a tombstone took away. @throws Refused */
export function findLastLive(seen: View, tombstone: Blob, logged: Iterable<Blob>): Blob {
  const isLive = ({ state }: Blob) => state === "current"
  const chain = distinct(followChain(seen, tombstone)).filter(isLive)
  const { distinct: all, lost } = allVersions(seen, tombstone, logged)
  const [found] = chain.length > 0 ? chain : all.filter(isLive)
  if (found !== undefined) return found
  throw new Refused(lost.includes(tombstone.version - 1) ? "HISTORY_MISSING" : "NOT_FOUND")
}

/** What is out of order between what was seen of a secret and what is there now. */
export function findLoss(seen: Blob, present: Blob): string | undefined {
  if (seen.state === "deleted" && present.version === 1 && present.created > seen.created) return undefined
  if (present.version < seen.version) return "ROLLED_BACK"
  const isTwice = present.version === seen.version && present.digest !== seen.digest
  return isTwice && !present.previous.includes(seen) ? "VERSION_TWICE" : undefined
}
