/** What the roles of a key record allow: who may sign the next record, who may sign secrets. */
import type { KeyRecord, Member, Policy, Role } from "../format/key-record.js"

/** Whether the role signs secrets. */
export function canWrite(role: Role): boolean {
  return role === "writer" || role === "admin"
}

/** Whether the role signs key records. */
export function canSignRecords(role: Role): boolean {
  return role === "rotator" || role === "admin"
}

/** Who signed a record, judged by its parents: the one signing key and what it was allowed as. */
export interface RecordSigner {
  readonly key: string
  readonly as: "admin" | "rotator"
}

/**
 * Finds the right under which `author` signs a record: admin in every parent (in the record itself
 * if it has none) under one signing key; or rotator, if members, policy and groups equal every
 * parent's.
 *
 * @returns undefined if there is none.
 * @see DESIGN §1.3
 */
export function findRecordSigner(record: KeyRecord, parents: readonly KeyRecord[]): RecordSigner | undefined {
  const judges = parents.length === 0 ? [record] : parents
  const entries = judges.map(judge => findMember(judge, record.author))
  const key = entries[0]?.signingKey
  if (key === undefined || entries.some(entry => entry?.signingKey !== key)) return undefined
  if (entries.every(entry => entry?.role === "admin")) return { key, as: "admin" }
  const mayRotate = parents.length > 0 && entries.every(entry => canSignRecords(entry!.role))
  return mayRotate && parents.every(parent => changesNothing(record, parent))
    ? { key, as: "rotator" }
    : undefined
}

function changesNothing(record: KeyRecord, parent: KeyRecord): boolean {
  return (
    record.members.length === parent.members.length &&
    keepsMembers(parent, record.members) &&
    samePolicy(record.policy, parent.policy) &&
    sameGroups(record.groups, parent.groups)
  )
}

function samePolicy(a: Policy, b: Policy): boolean {
  return (
    a.rotation?.interval === b.rotation?.interval &&
    a.rotation?.maxOperations === b.rotation?.maxOperations &&
    a.rotation?.maxVersions === b.rotation?.maxVersions &&
    a.retention?.maxVersions === b.retention?.maxVersions &&
    a.retention?.maxAge === b.retention?.maxAge
  )
}

function sameGroups(
  a: ReadonlyMap<string, string> | undefined,
  b: ReadonlyMap<string, string> | undefined,
): boolean {
  if (a === undefined || b === undefined) return a === b
  return a.size === b.size && [...a].every(([group, sha256]) => b.get(group) === sha256)
}

/** Whether all members of `parent` are among `members`, every entry unchanged. */
export function keepsMembers(parent: KeyRecord, members: readonly Member[]): boolean {
  const byName = new Map(members.map(member => [member.name, member]))
  return parent.members.every(member => {
    const now = byName.get(member.name)
    return now !== undefined && sameMember(member, now)
  })
}

/** Whether two entries agree in name, role, recipient and signing key. */
export function sameMember(a: Member, b: Member): boolean {
  return (
    a.name === b.name && a.role === b.role && a.recipient === b.recipient && a.signingKey === b.signingKey
  )
}

export function findMember(record: KeyRecord, name: string): Member | undefined {
  return record.members.find(member => member.name === name)
}

/** Whether secrets that `name` signed with the key may stand under the record's data key. */
export function mayHaveSigned(record: KeyRecord, name: string, signingKey: string): boolean {
  const entry = findMember(record, name)
  return entry !== undefined && canWrite(entry.role) && entry.signingKey === signingKey
}
