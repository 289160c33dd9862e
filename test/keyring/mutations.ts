/** Random changes to the files of a keyring such as somebody with write access, and no right to sign, can make. */
import { signRecord } from "../../src/crypto/signing.js"
import {
  type KeyRecord,
  type Member,
  printKeyRecord,
  recordContext,
  recordId,
  recordPath,
} from "../../src/format/key-record.js"
import { rightsOf } from "../../src/keyring/forks.js"
import type { RecordNode } from "../../src/keyring/graph.js"
import type { RecordFile } from "../../src/keyring/record-rules.js"
import { member, type Person } from "./graphs.js"
import { pick, type Random } from "./histories.js"

export interface Mutation {
  readonly files: readonly RecordFile[]
  /** For the message of a failing test. */
  readonly what: string
}

type Change = (record: KeyRecord, random: Random, people: readonly Person[]) => Partial<KeyRecord>

const CHANGES: Readonly<Record<string, Change>> = {
  addMember: (record, random, people) => withMember(record, pick(random, people)),
  dropMember: record => ({ members: record.members.slice(1), wrap: record.wrap.slice(1) }),
  promote: (record, random) => {
    const at = Math.floor(random() * record.members.length)
    const members = record.members.map((entry, index) =>
      index === at ? { ...entry, role: "admin" as const } : entry,
    )
    return { members }
  },
  oldest: record => ({ oldest: record.oldest === 1 ? record.number + 1 : record.oldest - 1 }),
  number: record => ({ number: record.number + 1 }),
  commitment: record => ({ commitment: [...record.commitment].reverse().join("") }),
  parents: record => ({ parents: record.parents.slice(1) }),
  author: (_, random, people) => ({ author: pick(random, people).name }),
  groups: record => ({ groups: new Map([["planted", record.commitment]]) }),
  policy: () => ({ policy: { rotation: { interval: 36500 } } }),
  created: () => ({ created: "2036-01-01T00:00:00Z" }),
  previous: record => ({ previous: record.previous.slice(1) }),
  signature: record => ({
    signature: record.signature.map((byte, index) => (index === 7 ? byte ^ 1 : byte)),
  }),
  wrap: record => ({ wrap: [...record.wrap.slice(1), record.wrap[0]!] }),
}

function withMember(record: KeyRecord, person: Person): Partial<KeyRecord> {
  const entries = record.members.map((entry, index): [Member, Uint8Array] => [entry, record.wrap[index]!])
  entries.push([member(person, "admin"), person.anyWrap])
  entries.sort(([a], [b]) => (a.name < b.name ? -1 : 1))
  return { members: entries.map(([entry]) => entry), wrap: entries.map(([, wrap]) => wrap) }
}

/** Changes one record of the line and signs it, if at all, with a key that has no right to sign anywhere in it. */
export function mutateRecords(
  random: Random,
  people: readonly Person[],
  nodes: readonly RecordNode[],
): Mutation {
  const node = pick(random, nodes)
  const kind = random()
  if (kind < 0.1) return swapFiles(random, nodes)
  if (kind < 0.2) return dropInner(random, nodes)
  const name = pick(random, Object.keys(CHANGES))
  const changed: KeyRecord = { ...node.record, ...CHANGES[name]!(node.record, random, people) }
  const signed = random() < 0.4 ? { ...changed, ...signAnew(random, people, nodes, changed) } : changed
  const bytes = printKeyRecord(signed)
  const path = random() < 0.7 ? recordPath("default", recordId(signed)) : node.path
  const added = random() < 0.4
  const others = nodes.filter(other => (added || other !== node) && other.path !== path)
  return {
    files: [...others.map(fileOf), { path, bytes }],
    what: `${name} of ${node.id}, ${added ? "added" : "replaced"}, by ${signed.author}`,
  }
}

/** By somebody who never had a right to sign: who had one is for the histories. */
function signAnew(
  random: Random,
  people: readonly Person[],
  nodes: readonly RecordNode[],
  record: KeyRecord,
): Partial<KeyRecord> {
  const rights = nodes.flatMap(node => rightsOf(node.record.members))
  const outsiders = people.filter(person => !rights.some(right => right.endsWith(person.signing.publicKey)))
  if (outsiders.length === 0) return {}
  const author = pick(random, outsiders)
  const claimed = random() < 0.5 ? record.author : author.name
  const unsigned = { ...record, author: claimed }
  return { author: claimed, signature: signRecord(author.signing, recordContext(unsigned)) }
}

function swapFiles(random: Random, nodes: readonly RecordNode[]): Mutation {
  const [a, b] = [pick(random, nodes), pick(random, nodes)]
  const files = nodes.map(node => {
    if (node === a) return { path: a.path, bytes: b.bytes }
    return node === b ? { path: b.path, bytes: a.bytes } : fileOf(node)
  })
  return { files, what: `${a.id} and ${b.id} swapped` }
}

function dropInner(random: Random, nodes: readonly RecordNode[]): Mutation {
  const inner = new Set(nodes.flatMap(node => node.record.parents.map(parent => parent.sha256)))
  const gone = pick(
    random,
    nodes.filter(node => inner.has(node.sha256)),
  )
  return { files: nodes.filter(node => node !== gone).map(fileOf), what: `${gone?.id} deleted` }
}

function fileOf({ path, bytes }: RecordNode): RecordFile {
  return { path, bytes }
}
