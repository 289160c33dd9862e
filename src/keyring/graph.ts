/** The key records of one group as a graph: who follows whom, by the hash of the file. */
import { sha256Of } from "../encoding/sha256.js"
import { type KeyRecord, parseKeyRecord, recordId } from "../format/key-record.js"

/** A key record with the bytes it was read from. Its identity is `sha256`; `id` is only a label. */
export interface RecordNode {
  /** Relative to the store. */
  readonly path: string
  readonly id: string
  /** SHA-256 of the file in hex: what parents, pins, `groups` and local state compare. */
  readonly sha256: string
  readonly record: KeyRecord
  readonly bytes: Uint8Array
}

/** All records of one group whose parents are there too. */
export interface Graph {
  readonly group: string
  /** By `sha256`, lower numbers first, so parents stand before their children. */
  readonly nodes: ReadonlyMap<string, RecordNode>
  /** Ids are unique in one tree: the path of a record is its group and id. */
  readonly byId: ReadonlyMap<string, RecordNode>
  /** Records that are nobody's parent. */
  readonly tips: readonly RecordNode[]
  parents(node: RecordNode): readonly RecordNode[]
  /** anc(r) of DESIGN §2.4, 5: the record and all its ancestors, as hashes. */
  ancestors(sha256: string): ReadonlySet<string>
}

/**
 * Parses a key record.
 *
 * @param parsedBefore - whether the file with this hash is known to be canonical.
 * @throws CofferError `NOT_CANONICAL`, `NEWER_FORMAT`
 */
export function makeNode(
  path: string,
  bytes: Uint8Array,
  parsedBefore: (sha256: string) => boolean = () => false,
): RecordNode {
  const sha256 = hashRecord(bytes)
  const record = parseKeyRecord(bytes, path, { parsedBefore: parsedBefore(sha256) })
  return { path, id: recordId(record), sha256, record, bytes }
}

/** SHA-256 of a record's file, in hex. */
export function hashRecord(bytes: Uint8Array): string {
  return sha256Of(bytes).toString("hex")
}

/** Builds the graph. Every parent of a record has to be among the records. */
export function buildGraph(group: string, records: Iterable<RecordNode>): Graph {
  const sorted = [...records].sort((a, b) => a.record.number - b.record.number || (a.id < b.id ? -1 : 1))
  const nodes = new Map(sorted.map(node => [node.sha256, node]))
  const byId = new Map(sorted.map(node => [node.id, node]))
  const inner = new Set(sorted.flatMap(node => node.record.parents.map(parent => parent.sha256)))
  const known = new Map<string, ReadonlySet<string>>()
  return {
    group,
    nodes,
    byId,
    tips: sorted.filter(node => !inner.has(node.sha256)),
    parents: node => node.record.parents.map(parent => nodes.get(parent.sha256)!),
    ancestors(sha256) {
      const found = known.get(sha256) ?? walkUp(nodes, sha256)
      known.set(sha256, found)
      return found
    },
  }
}

function walkUp(nodes: ReadonlyMap<string, RecordNode>, from: string): ReadonlySet<string> {
  const found = new Set([from])
  // A set visits what is added while it is walked.
  for (const sha256 of found) {
    for (const parent of nodes.get(sha256)!.record.parents) found.add(parent.sha256)
  }
  return found
}

/** The records of `from` and all that descend from one of them. */
export function descendants(graph: Graph, from: Iterable<string>): ReadonlySet<string> {
  const found = new Set(from)
  for (const node of graph.nodes.values()) {
    if (node.record.parents.some(parent => found.has(parent.sha256))) found.add(node.sha256)
  }
  return found
}
