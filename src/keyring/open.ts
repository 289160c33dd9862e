/** The data keys of a group, as far as one identity reaches (DESIGN §2.4, 19 and 20). */
import { asDataKey, type DataKey, type DerivedKeys, deriveKeys, openPreviousKey } from "../crypto/data-key.js"
import { CofferError, hasCode } from "../errors.js"
import type { Member } from "../format/key-record.js"
import type { RecordNode } from "./graph.js"
import { acceptedRecords, adminNames, type GroupKeyring, holdersOf } from "./group.js"

/** What opens an age message: one identity. */
export interface Unwrapper {
  readonly recipient: string
  /** Null where the message is for somebody else. */
  unwrap(message: Uint8Array): Promise<Uint8Array | null>
}

/** A data key, proven to be the one that its record publishes. */
export interface OpenedKey {
  readonly node: RecordNode
  readonly dataKey: DataKey
  readonly keys: DerivedKeys
}

export interface OpenKeyring {
  readonly group: string
  /** My entry in the current record that was opened. */
  readonly member: Member
  /** That record: the newest one that I am in. */
  readonly newest: RecordNode
  /**
   * Keys for one data key of the group, the newest or an older one.
   *
   * @throws CofferError `KEY_UNKNOWN`, `HISTORY_CUT`, `PREVIOUS_BROKEN`, `WRAP_BROKEN`
   */
  keyFor(id: string): Promise<OpenedKey>
}

/**
 * Opens a group with the first identity that is a member of a current record: one unwrap; older
 * keys are followed when they are asked for.
 *
 * @param options.brokenWrap - `skip` goes on with my wraps in older records: so an admin can publish
 * the next record after one that wrapped junk to him.
 * @throws CofferError `NOT_A_MEMBER`, `REMOVED`, `WRAP_BROKEN`
 */
export async function openKeys(
  group: GroupKeyring,
  identities: readonly Unwrapper[],
  options: { brokenWrap?: "refuse" | "skip" } = {},
): Promise<OpenKeyring> {
  const { node: newest, member } = findMe(group, identities)
  const opened = new Map<string, OpenedKey>()
  const chain: Chain = { group, identities, opened, brokenLinks: new Set(), brokenWraps: new Map() }
  for (const tip of group.current) {
    const mine = findMine(tip, identities)
    if (mine === undefined) continue
    const key = await unwrapMine(tip, mine)
    if (key !== undefined) opened.set(tip.id, key)
    else if (options.brokenWrap !== "skip") throw wrapBroken(tip, mine.member)
  }
  return { group: group.group, member, newest, keyFor: id => reachKey(chain, id) }
}

interface Mine {
  readonly member: Member
  readonly identity: Unwrapper
  readonly wrap: Uint8Array
}

function findMine({ record }: RecordNode, identities: readonly Unwrapper[]): Mine | undefined {
  for (const identity of identities) {
    const index = record.members.findIndex(member => member.recipient === identity.recipient)
    if (index >= 0) return { member: record.members[index]!, identity, wrap: record.wrap[index]! }
  }
  return undefined
}

/** Step 19, first half. */
function findMe(group: GroupKeyring, identities: readonly Unwrapper[]): { node: RecordNode; member: Member } {
  for (const node of group.current) {
    const mine = findMine(node, identities)
    if (mine !== undefined) return { node, member: mine.member }
  }
  throw notAMember(group, identities)
}

function notAMember(keyring: GroupKeyring, identities: readonly Unwrapper[]): CofferError {
  const { group, graph, current } = keyring
  const names = adminNames(keyring).join(", ")
  const ancestors = new Set(current.flatMap(node => [...graph.ancestors(node.sha256)]))
  const former = [...ancestors]
    .map(sha256 => findMine(graph.nodes.get(sha256)!, identities)?.member.name)
    .find(name => name !== undefined)
  if (former !== undefined) {
    return new CofferError("REMOVED", `"${former}" is no longer a member of "${group}"`, {
      hint: `an admin of ${group} can add you again: ${names}`,
    })
  }
  return new CofferError("NOT_A_MEMBER", `no identity here can read group "${group}"`, {
    hint: `coffer identity show, then send the line to an admin of ${group}: ${names}`,
  })
}

/** Step 19, second half: 32 bytes that give the commitment, so that all members have one and the same key. */
async function unwrapMine(node: RecordNode, { identity, wrap }: Mine): Promise<OpenedKey | undefined> {
  try {
    const bytes = await identity.unwrap(wrap)
    return bytes === null ? undefined : proveKey(node, bytes)
  } catch (error) {
    if (hasCode(error, "WRAP_BROKEN", "WRAP_SHAPE")) return undefined
    throw error
  }
}

function proveKey(node: RecordNode, bytes: Uint8Array | undefined): OpenedKey | undefined {
  const dataKey = bytes && asDataKey(bytes)
  if (dataKey === undefined) return undefined
  const { store, group, number, commitment } = node.record
  const keys = deriveKeys(dataKey, { store, group, number })
  return keys.commitment === commitment ? { node, dataKey, keys } : undefined
}

function wrapBroken(node: RecordNode, member: Member): CofferError {
  return new CofferError(
    "WRAP_BROKEN",
    `"${node.path}": what its author "${node.record.author}" wrapped for "${member.name}" is not the group's data key`,
    {
      hint: `ask "${node.record.author}"; an admin's next record (coffer rotate ${node.record.group}) puts it right`,
    },
  )
}

/** Keys opened so far, by id, and what was found not to give its key. */
interface Chain {
  readonly group: GroupKeyring
  readonly identities: readonly Unwrapper[]
  readonly opened: Map<string, OpenedKey>
  readonly brokenLinks: Set<RecordNode>
  readonly brokenWraps: Map<RecordNode, Member>
}

/** Step 20: along `previous`; where a link lacks or fails, my own wrap in an older record. */
async function reachKey(chain: Chain, id: string): Promise<OpenedKey> {
  const target = findTarget(chain.group, id)
  const found = chain.opened.get(id) ?? followLinks(chain, target)
  if (found !== undefined) return found
  for (const node of descentOf(chain.group, target)) {
    const mine = chain.opened.has(node.id) ? undefined : findMine(node, chain.identities)
    if (mine === undefined) continue
    const key = await unwrapMine(node, mine)
    if (key === undefined) chain.brokenWraps.set(node, mine.member)
    else chain.opened.set(node.id, key)
    const reached = key && followLinks(chain, target)
    if (reached !== undefined) return reached
  }
  throw unreachable(chain, target)
}

function findTarget(keyring: GroupKeyring, id: string): RecordNode {
  const target = keyring.graph.byId.get(id)
  if (target !== undefined && holdersOf(keyring, target.sha256).length > 0) return target
  throw new CofferError("KEY_UNKNOWN", `"${keyring.group}" has no data key "${id}"`)
}

/** Opens links from what is open towards the target; records of lower numbers cannot lead to it. */
function followLinks(chain: Chain, target: RecordNode): OpenedKey | undefined {
  const queue = [...chain.opened.values()].filter(key => key.node.record.number >= target.record.number)
  for (const key of queue) {
    if (key.node === target) return key
    for (const link of key.node.record.previous) {
      const node = chain.group.graph.byId.get(link.id)
      if (node === undefined || chain.opened.has(node.id) || node.record.number < target.record.number)
        continue
      const ancestor = proveKey(node, openPreviousKey(key.keys.previous, key.node.id, link.id, link))
      if (ancestor === undefined) {
        chain.brokenLinks.add(node)
        continue
      }
      chain.opened.set(node.id, ancestor)
      queue.push(ancestor)
    }
  }
  return undefined
}

/** The target and its descendants up to the current records, the target first. */
function descentOf(keyring: GroupKeyring, target: RecordNode): RecordNode[] {
  return acceptedRecords(keyring).filter(node => keyring.graph.ancestors(node.sha256).has(target.sha256))
}

function unreachable({ group, brokenLinks, brokenWraps }: Chain, target: RecordNode): CofferError {
  const what = `the data key ${target.id} of "${group.group}"`
  const [unlinked] = brokenLinks
  if (unlinked !== undefined) {
    return new CofferError(
      "PREVIOUS_BROKEN",
      `${what} cannot be reached: what a later record holds as the key of "${unlinked.path}" is another one`,
      { hint: "another member may still open it with a wrap of their own" },
    )
  }
  const [wrapped] = brokenWraps
  if (wrapped !== undefined) return wrapBroken(...wrapped)
  return new CofferError("HISTORY_CUT", `${what} is not handed on to its present members`, {
    hint: "an older identity of yours may still open it: coffer -i FILE",
  })
}
