/** The next key record of a group: a new data key, wrapped to each member, linked to the old ones, signed. */
import { wrapDataKey } from "../crypto/age.js"
import {
  type DataKey,
  type DerivedKeys,
  deriveKeys,
  newDataKey,
  sealPreviousKey,
} from "../crypto/data-key.js"
import { type SigningKey, signRecord } from "../crypto/signing.js"
import { CofferError, hasCode } from "../errors.js"
import {
  type KeyRecord,
  type Member,
  type ParentRef,
  type Policy,
  printKeyRecord,
  type Reason,
  recordContext,
  recordId,
  recordPath,
} from "../format/key-record.js"
import { LIMITS } from "../format/limits.js"
import { printTime } from "../format/times.js"
import { type Refusal, throwRefusal } from "./findings.js"
import { buildGraph, type Graph, makeNode, type RecordNode } from "./graph.js"
import type { GroupKeyring } from "./group.js"
import type { OpenedKey, OpenKeyring } from "./open.js"
import {
  findMemberFault,
  findOldestFault,
  findParentFault,
  findPreviousFault,
  findSignatureFault,
} from "./record-rules.js"
import { keepsMembers } from "./roles.js"
import type { Keyring } from "./verify.js"

/** Everything of a new record that is not derived from its parents or drawn at random. */
export interface NextRecord {
  readonly store: string
  readonly group: string
  readonly reason: Reason
  readonly members: readonly Member[]
  readonly policy: Policy
  /** For the default group, and only there. */
  readonly groups?: ReadonlyMap<string, string>
  /** The author's name in every parent (in `members` for a first record) and his key. */
  readonly author: string
  readonly signingKey: SigningKey
  readonly at: Date
  /** Refuse files at HEAD sealed under older keys, even where nobody is dropped. */
  readonly retire?: boolean
}

/** What the record follows: none for a first record. */
export interface Parents {
  readonly nodes: readonly RecordNode[]
  /** The group's records, for checking the new one. */
  readonly graph: Graph
  /** Data keys to hand on: {@link openLinks}. */
  readonly links: readonly OpenedKey[]
}

/** A record that is ready to be written, and its data key. */
export interface NewRecord extends OpenedKey {
  readonly node: RecordNode
  readonly dataKey: DataKey
  readonly keys: DerivedKeys
}

/**
 * Builds and signs a record, and checks it as every reader will.
 *
 * @throws CofferError the code by which readers would refuse it, such as `NO_ADMIN` or `SIGNER_NOT_ALLOWED`.
 * @see DESIGN §1.3
 */
export async function nextRecord(next: NextRecord, parents?: Parents): Promise<NewRecord> {
  if (next.members.length > LIMITS.members) {
    throw new CofferError("LIMIT_EXCEEDED", `a group has at most ${LIMITS.members} members`)
  }
  const before = parents?.nodes ?? []
  const number = 1 + Math.max(0, ...before.map(node => node.record.number))
  const dataKey = newDataKey()
  const keys = deriveKeys(dataKey, { store: next.store, group: next.group, number })
  const members = [...next.members].sort((a, b) => (a.name < b.name ? -1 : 1))
  const id = recordId({ number, commitment: keys.commitment })
  const unsigned: Omit<KeyRecord, "signature"> = {
    store: next.store,
    group: next.group,
    number,
    commitment: keys.commitment,
    parents: before.map(node => ({ id: node.id, sha256: node.sha256 })).sort(byId),
    reason: next.reason,
    members,
    policy: next.policy,
    ...(next.groups === undefined ? {} : { groups: next.groups }),
    oldest: chooseOldest(next, before, number),
    created: [printTime(next.at), ...before.map(node => node.record.created)].sort().at(-1)!,
    author: next.author,
    wrap: await Promise.all(members.map(member => wrapFor(member, dataKey))),
    previous: (parents?.links ?? []).map(link => ({
      id: link.node.id,
      ...sealPreviousKey(keys.previous, id, link.node.id, link.dataKey),
    })),
  }
  const record = { ...unsigned, signature: signRecord(next.signingKey, recordContext(unsigned)) }
  const node = makeNode(recordPath(next.group, id), printKeyRecord(record))
  refuseFaults(node, before, parents?.graph)
  return { node, dataKey, keys }
}

/** A record that another program wrote may have members with recipients that only that one can wrap to. */
async function wrapFor({ name, recipient }: Member, dataKey: DataKey): Promise<Uint8Array> {
  try {
    return await wrapDataKey(recipient, dataKey)
  } catch (error) {
    if (!hasCode(error, "CARD_INVALID")) throw error
    throw new CofferError("CARD_INVALID", `"${name}": ${error.message}`, {
      hint: `${name} sends the line that coffer identity show prints; coffer recipients remove ${name} takes out who has none`,
      cause: error,
    })
  }
}

function byId(a: ParentRef, b: ParentRef): number {
  return a.id === b.id ? (a.sha256 < b.sha256 ? -1 : 1) : a.id < b.id ? -1 : 1
}

/** Kept only where nobody loses anything; raised, it refuses what is sealed under older keys. */
function chooseOldest(next: NextRecord, parents: readonly RecordNode[], number: number): number {
  const [only, second] = parents
  if (next.retire || only === undefined || second !== undefined) return number
  return keepsMembers(only.record, next.members) ? only.record.oldest : number
}

/** What no reader would accept is never published. */
function refuseFaults(node: RecordNode, parents: readonly RecordNode[], before: Graph | undefined): void {
  const graph = buildGraph(node.record.group, [...(before?.nodes.values() ?? []), node])
  const checks: (() => Refusal | undefined)[] = [
    () => findMemberFault(node),
    () => findParentFault(node, graph.nodes),
    () => findPreviousFault(node, graph),
    () => findSignatureFault(node, parents),
    () => findOldestFault(node, parents),
  ]
  for (const check of checks) {
    const fault = check()
    if (fault !== undefined) throwRefusal(fault)
  }
}

/**
 * The data keys that a record after `parents` hands on: each parent's, or where that cannot be
 * opened, those of its nearest ancestors that can. So one record with junk wraps does not cut off history.
 *
 * @see DESIGN §1.3: keys that the author cannot open are left out
 */
export async function openLinks(
  graph: Graph,
  parents: readonly RecordNode[],
  open: OpenKeyring,
): Promise<readonly OpenedKey[]> {
  const links = new Map<string, OpenedKey>()
  const queue = new Set(parents)
  for (const node of queue) {
    const key = await tryKey(open, node.id)
    if (key !== undefined) links.set(node.id, key)
    else for (const parent of graph.parents(node)) queue.add(parent)
  }
  return [...links.values()]
}

async function tryKey(open: OpenKeyring, id: string): Promise<OpenedKey | undefined> {
  try {
    return await open.keyFor(id)
  } catch (error) {
    if (hasCode(error, "HISTORY_CUT", "PREVIOUS_BROKEN", "WRAP_BROKEN")) return undefined
    throw error
  }
}

/** The keyring as it is once `node`, which follows all current records of its group, has been written. */
export function withRecord(keyring: Keyring, node: RecordNode): Keyring {
  const { group, groups } = node.record
  const before = keyring.groups.get(group)
  const next: GroupKeyring = {
    group,
    graph: buildGraph(group, [...(before?.graph.nodes.values() ?? []), node]),
    current: [node],
    refused: before?.refused ?? [],
    anchors: before?.anchors ?? { required: [], listed: [node.sha256] },
    behind: false,
  }
  const listed =
    groups === undefined ? keyring.listed : new Map([...groups].map(([name, sha256]) => [name, [sha256]]))
  return { ...keyring, listed, groups: new Map(keyring.groups).set(group, next) }
}
