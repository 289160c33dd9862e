/** Which tips of a group's key records count: anchors, the yield rule, forks (DESIGN §2.4, 10–13). */
import type { Member } from "../format/key-record.js"
import type { Graph, RecordNode } from "./graph.js"
import { findMember, findRecordSigner, type RecordSigner } from "./roles.js"

/** What every line of records has to hold. */
export interface Anchors {
  /** Hashes that a tip has to hold all of: the pin, the newest record that local state knows. */
  readonly required: readonly string[]
  /** Hashes listed in the default group's current records; a tip has to hold one, if there are any. */
  readonly listed: readonly string[]
}

/** A tip that another one displaces. */
export interface RefusedTip {
  readonly tip: RecordNode
  readonly by: RecordNode
}

export interface Judgement {
  /** One, or several that have to be merged. */
  readonly current: readonly RecordNode[]
  readonly refused: readonly RefusedTip[]
  /** Set where no line can be preferred: nothing is current then. */
  readonly forked?: Fork
}

/** Lines that cannot both count. */
export interface Fork {
  readonly why: string
  readonly tips: readonly RecordNode[]
  /** Each holds what is trusted: naming one of them as trusted decides. */
  readonly anchored: boolean
}

/** Steps 10–13. */
export function judgeTips(graph: Graph, anchors: Anchors): Judgement {
  const anchored = graph.tips.filter(tip => isAnchored(graph, tip, anchors))
  if (anchored.length === 0) {
    return forked({ why: "no line of records holds what is trusted here", tips: graph.tips, anchored: false })
  }
  const refused: RefusedTip[] = []
  for (const tip of graph.tips) {
    // Only an anchored tip displaces: whoever is removed could otherwise remove all others in a fork.
    const by = anchored.filter(other => other !== tip && yieldsTo(graph, tip, other))
    const mutual = anchored.includes(tip) ? by.find(other => yieldsTo(graph, other, tip)) : undefined
    if (mutual !== undefined)
      return forked({ why: "two lines of records exclude each other", tips: [tip, mutual], anchored: true })
    if (by.length > 0) refused.push({ tip, by: by[0]! })
  }
  const current = graph.tips.filter(tip => !refused.some(entry => entry.tip === tip))
  if (!current.some(tip => anchored.includes(tip)))
    return forked({ why: "lines of records exclude each other", tips: anchored, anchored: true })
  return { current, refused }
}

function forked(fork: Fork): Judgement {
  return { current: [], refused: [], forked: fork }
}

/** Step 11. */
function isAnchored(graph: Graph, tip: RecordNode, { required, listed }: Anchors): boolean {
  const ancestors = graph.ancestors(tip.sha256)
  const holds = (sha256: string) => ancestors.has(sha256)
  return required.every(holds) && (listed.length === 0 || listed.some(holds))
}

/**
 * Step 12: b yields to a if, among the records that only b has, one is signed under a right that its
 * key had in an ancestor of a and has no longer in a; or if none is by an admin while a has its own
 * that is.
 *
 * "Right" is admin or rotator: an admin who was made a rotator has lost the right that his
 * fork from before that is signed under, though his key still signs rotations. Who had lost a right before the lines
 * parted, and was given it again on b, did not lose it in a: a has not heard of that yet.
 */
export function yieldsTo(graph: Graph, b: RecordNode, a: RecordNode): boolean {
  const [onlyA, onlyB] = [ownOf(graph, a, b), ownOf(graph, b, a)]
  const lost = lostRights(graph, a)
  const isDisplaced = (node: RecordNode) => {
    const signer = signerOf(graph, node)
    if (signer === undefined || !lost.has(rightOf(signer))) return false
    return !isGivenAnew(graph, rightOf(signer), { node, onlyA, onlyB })
  }
  if (onlyB.some(isDisplaced)) return true
  const isByAdmin = (node: RecordNode) => signerOf(graph, node)?.as === "admin"
  return !onlyB.some(isByAdmin) && onlyA.some(isByAdmin)
}

/** The records that `tip` has and `other` has not. */
function ownOf(graph: Graph, tip: RecordNode, other: RecordNode): RecordNode[] {
  const shared = graph.ancestors(other.sha256)
  const own = [...graph.ancestors(tip.sha256)].filter(sha256 => !shared.has(sha256))
  return own.map(sha256 => graph.nodes.get(sha256)!)
}

/**
 * Whether the right that one of b's own records is signed under was given by b's own records, and not taken by a's:
 * followed up from the record, it ends before anything that both lines have, and a's line never had it.
 */
function isGivenAnew(
  graph: Graph,
  right: string,
  line: { node: RecordNode; onlyA: readonly RecordNode[]; onlyB: readonly RecordNode[] },
): boolean {
  const has = ({ record }: RecordNode) => rightsOf(record.members).includes(right)
  if (line.onlyA.some(node => has(node) || graph.parents(node).some(has))) return false
  const own = new Set(line.onlyB)
  const holders = new Set([line.node])
  // A set visits what is added while it is walked.
  for (const holder of holders) {
    for (const parent of graph.parents(holder).filter(has)) {
      if (!own.has(parent)) return false
      holders.add(parent)
    }
  }
  return true
}

/**
 * The key a record was signed with. A record trusted by hash alone may have an author whom its
 * parents do not name: then the record itself is asked.
 */
function signerOf(graph: Graph, node: RecordNode): RecordSigner | undefined {
  const parents = graph.parents(node).map(parent => parent.record)
  const signer = findRecordSigner(node.record, parents)
  if (signer !== undefined) return signer
  const key = findMember(node.record, node.record.author)?.signingKey
  return key === undefined ? undefined : { key, as: "admin" }
}

function rightOf({ key, as }: RecordSigner): string {
  return `${as} ${key}`
}

/** Rights to sign records that keys had in an ancestor of the tip and have not in the tip. */
function lostRights(graph: Graph, tip: RecordNode): ReadonlySet<string> {
  const had = [...graph.ancestors(tip.sha256)].flatMap(sha256 =>
    rightsOf(graph.nodes.get(sha256)!.record.members),
  )
  const has = new Set(rightsOf(tip.record.members))
  return new Set(had.filter(right => !has.has(right)))
}

/** The rights of members to sign key records, by key. An admin may do what a rotator may. */
export function rightsOf(members: readonly Member[]): string[] {
  return members.flatMap(({ role, signingKey: key }) => {
    if (key === undefined) return []
    if (role === "admin") return [rightOf({ key, as: "admin" }), rightOf({ key, as: "rotator" })]
    return role === "rotator" ? [rightOf({ key, as: "rotator" })] : []
  })
}
