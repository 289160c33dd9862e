/** The exposure list: who could read a value and is no member of its group now (DESIGN §1.2, §2.2). */
import type { SecretHeader } from "../format/secret-file.js"
import { descendants, type RecordNode } from "./graph.js"
import { acceptedRecords, type GroupKeyring } from "./group.js"
import type { Keyring } from "./verify.js"

/** Somebody who may know a value. */
export interface Exposure {
  readonly member: string
  /** When the record that dropped him was made; null if none did, as for those a new group left behind. */
  readonly removed: string | null
}

/**
 * Makes the function that tells who is exposed to a secret's value: every recipient of a record that
 * `valueKeys` names or of its descendants who is not in the present group's current record. Answers
 * are kept, since most secrets of a group share theirs.
 */
export function exposureOf(keyring: Keyring): (header: SecretHeader) => readonly Exposure[] {
  const answers = new Map<string, readonly Exposure[]>()
  return header => {
    if (header.state === "deleted") return []
    const question = [header.group, ...header.valueKeys].join(" ")
    const answer = answers.get(question) ?? findExposed(keyring, header)
    answers.set(question, answer)
    return answer
  }
}

function findExposed(keyring: Keyring, { group, valueKeys }: SecretHeader): readonly Exposure[] {
  const present = new Set(recipientsNow(keyring.groups.get(group)))
  const exposed = new Map<string, Exposure>()
  for (const valueKey of valueKeys) {
    const slash = valueKey.lastIndexOf("/")
    const [name, id] = [valueKey.slice(0, slash), valueKey.slice(slash + 1)]
    for (const exposure of findReaders(name, keyring.groups.get(name), id, present)) {
      exposed.set(exposure.member, exposure)
    }
  }
  return [...exposed.values()].sort((a, b) => (a.member < b.member ? -1 : 1))
}

function recipientsNow(group: GroupKeyring | undefined): string[] {
  return group?.current.flatMap(node => node.record.members.map(member => member.recipient)) ?? []
}

/** Members of one record and its descendants, those of refused forks too, who are not among `present`. */
function findReaders(
  name: string,
  group: GroupKeyring | undefined,
  id: string,
  present: ReadonlySet<string>,
): readonly Exposure[] {
  const start = group?.graph.byId.get(id)
  // The records are gone with the group: nobody can be named, and the value is exposed all the same.
  if (group === undefined || start === undefined) return [{ member: `(members of ${name})`, removed: null }]
  const exposed = new Map<string, Exposure>()
  for (const sha256 of descendants(group.graph, [start.sha256])) {
    for (const { name: member, recipient } of group.graph.nodes.get(sha256)!.record.members) {
      if (present.has(recipient) || exposed.has(member)) continue
      exposed.set(member, { member, removed: findRemoval(group, recipient) })
    }
  }
  return [...exposed.values()]
}

/** When the recipient was dropped from the group for the last time. */
function findRemoval(group: GroupKeyring, recipient: string): string | null {
  const { graph, current } = group
  const has = (node: RecordNode) => node.record.members.some(member => member.recipient === recipient)
  if (current.some(has)) return null
  const removals = acceptedRecords(group).filter(node => !has(node) && graph.parents(node).some(has))
  return (
    removals
      .map(node => node.record.created)
      .sort()
      .at(-1) ?? null
  )
}
