/** What the record that joins several current ones says: members, groups and policy (DESIGN §1.3, `rotate --merge`). */
import type { Member, Policy } from "../format/key-record.js"
import type { Graph, RecordNode } from "./graph.js"
import { findMember, sameMember } from "./roles.js"

export interface MergedMembers {
  /** Members of the common ancestor whom nobody dropped, and those whom every side added. */
  readonly members: readonly Member[]
  /** Members that one side added: an admin of the merge takes each in by name, or leaves them out. */
  readonly additions: readonly Member[]
  /** Names that a side dropped: a removal always wins. */
  readonly dropped: readonly string[]
  /** Names whose entry was changed or added differently on two sides: left out, to be added anew. */
  readonly contested: readonly string[]
}

/** Merges the members of records that are to be joined. */
export function mergeMembers(graph: Graph, tips: readonly RecordNode[]): MergedMembers {
  const bases = mergeBases(graph, tips)
  const names = new Set([...bases, ...tips].flatMap(node => node.record.members.map(member => member.name)))
  const merged = {
    members: [] as Member[],
    additions: [] as Member[],
    dropped: [] as string[],
    contested: [] as string[],
  }
  for (const name of [...names].sort()) {
    const before = bases.map(node => findMember(node.record, name)).find(entry => entry !== undefined)
    const entries = tips.map(node => findMember(node.record, name))
    const present = entries.filter(entry => entry !== undefined)
    if (present.length === 0 || isDropped(graph, tips, name)) {
      merged.dropped.push(name)
      continue
    }
    const [entry, second] = distinct(
      present.filter(member => before === undefined || !sameMember(member, before)),
    )
    if (second !== undefined) merged.contested.push(name)
    else if (before !== undefined) merged.members.push(entry ?? before)
    else if (present.length === entries.length) merged.members.push(entry!)
    else merged.additions.push(entry!)
  }
  return merged
}

/** Whether a tip lacks a member whom another one has kept since the two parted: of several, some may have parted later. */
function isDropped(graph: Graph, tips: readonly RecordNode[], name: string): boolean {
  const has = ({ record }: RecordNode) => findMember(record, name) !== undefined
  const keepers = tips.filter(has)
  return tips.some(tip => !has(tip) && keepers.some(keeper => mergeBases(graph, [tip, keeper]).some(has)))
}

function distinct(members: readonly Member[]): Member[] {
  return members.filter((member, index) => members.findIndex(other => sameMember(member, other)) === index)
}

/** The newest records that all tips descend from; none for unrelated first records. */
export function mergeBases(graph: Graph, tips: readonly RecordNode[]): readonly RecordNode[] {
  const sets = tips.map(tip => graph.ancestors(tip.sha256))
  const common = [...graph.nodes.values()].filter(node => sets.every(set => set.has(node.sha256)))
  const inner = new Set(common.flatMap(node => node.record.parents.map(parent => parent.sha256)))
  return common.filter(node => !inner.has(node.sha256))
}

export interface MergedGroups {
  readonly groups: ReadonlyMap<string, string>
  /** Groups whose listed records are unrelated: an admin has to choose. */
  readonly contested: readonly string[]
}

/**
 * Merges the `groups` of default records: the union without those that a side dropped; of two
 * listed records of one group the one that descends from the other.
 *
 * @param graphOf - the records of a listed group.
 */
export function mergeGroups(
  graph: Graph,
  tips: readonly RecordNode[],
  graphOf: (group: string) => Graph | undefined,
): MergedGroups {
  const bases = mergeBases(graph, tips)
  const groups = new Map<string, string>()
  const contested: string[] = []
  const names = new Set(tips.flatMap(tip => [...(tip.record.groups?.keys() ?? [])]))
  for (const name of [...names].sort()) {
    const before = new Set(
      bases.map(base => base.record.groups?.get(name)).filter(hash => hash !== undefined),
    )
    const entries = tips.map(tip => tip.record.groups?.get(name))
    if (before.size > 0 && entries.includes(undefined)) continue
    const hashes = [...new Set(entries.filter(hash => hash !== undefined))]
    const changed = hashes.filter(hash => !before.has(hash))
    const candidates = changed.length > 0 ? changed : hashes
    const newest = candidates.find(hash => holdsAll(graphOf(name), hash, candidates))
    if (newest === undefined) contested.push(name)
    else groups.set(name, newest)
  }
  return { groups, contested }
}

function holdsAll(graph: Graph | undefined, tip: string, others: readonly string[]): boolean {
  if (others.length === 1) return true
  if (graph === undefined || !graph.nodes.has(tip)) return false
  const ancestors = graph.ancestors(tip)
  return others.every(sha256 => ancestors.has(sha256))
}

/** The stricter of each limit. */
export function mergePolicies(policies: readonly Policy[]): Policy {
  const least = (pick: (policy: Policy) => number | undefined) => {
    const limits = policies.map(pick).filter(limit => limit !== undefined)
    return limits.length === 0 ? undefined : Math.min(...limits)
  }
  const rotation = withoutUnset({
    interval: least(policy => policy.rotation?.interval),
    maxOperations: least(policy => policy.rotation?.maxOperations),
    maxVersions: least(policy => policy.rotation?.maxVersions),
  })
  const retention = withoutUnset({
    maxVersions: least(policy => policy.retention?.maxVersions),
    maxAge: least(policy => policy.retention?.maxAge),
  })
  return { ...(rotation && { rotation }), ...(retention && { retention }) }
}

function withoutUnset<T extends string>(
  limits: Record<T, number | undefined>,
): Partial<Record<T, number>> | undefined {
  const set = Object.entries<number | undefined>(limits).filter(([, limit]) => limit !== undefined)
  return set.length === 0 ? undefined : (Object.fromEntries(set) as Partial<Record<T, number>>)
}
