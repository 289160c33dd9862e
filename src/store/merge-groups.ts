/** `coffer rotate --merge`: keyrings that were changed on two branches become one again. */

import { CofferError, hasCode } from "../errors.js"
import { counted } from "../format/counted.js"
import { GROUP, listOf, MEMBER, objectOf, optional, TEXT } from "../format/given.js"
import { ROOT_GROUP } from "../format/names.js"
import { withRecord } from "../keyring/extend.js"
import type { RecordNode } from "../keyring/graph.js"
import type { GroupKeyring } from "../keyring/group.js"
import { mergeGroups, mergeMembers, mergePolicies } from "../keyring/merge.js"
import { findMember } from "../keyring/roles.js"
import type { Keyring } from "../keyring/verify.js"
import { type MemberAccess, openMember } from "./access.js"
import { checkCall, WRITE } from "./call.js"
import { askByName } from "./consent.js"
import { getGroup, inPublishingOrder, openPublishers, publishNext, type RecordChange } from "./publish.js"
import type { Resealing } from "./reseal.js"
import { type Rotated, type RotatedGroup, refuseUnfinished, resealGroups, withReason } from "./rotate.js"
import type { Store } from "./store.js"
import { change, type Draft, type WriteOptions } from "./transaction.js"

/** Which diverged keyrings to join, and how. */
export interface MergeRequest extends WriteOptions {
  /** Default, and for an empty list: every diverged group. */
  readonly groups?: readonly string[] | undefined
  /** Members whom one side added and who are taken in; default: asked for one by one. */
  readonly accept?: readonly string[] | undefined
  /** Id of a record of the keyring that stays, where one group has two. */
  readonly keep?: string | undefined
  /** Goes into the commit message; needed where a whole keyring is dropped. */
  readonly reason?: string | undefined
}

/** Refused files that wait for `rotate --finish`: a merge of keyrings must not wait for them. */
const LEFT_FOR_FINISH = ["KEY_RETIRED", "KEY_UNKNOWN", "SECRET_WRONG_GROUP"]

const MERGE = objectOf<MergeRequest>({
  ...WRITE,
  groups: optional(listOf(GROUP)),
  accept: optional(listOf(MEMBER)),
  keep: optional(TEXT),
  reason: optional(TEXT),
})

/**
 * Joins diverged keyrings: whoever either side dropped is out, additions are taken in by name, and every
 * file is sealed again under the joint data key. Where two branches made the same group, or its admins
 * removed each other, an admin of the default group chooses the keyring that stays.
 *
 * @throws CofferError `ROLE_MISSING` unless you are admin on every side, `USAGE` for an open choice, `HISTORY_CUT` where two keyrings were made
 * and you can open one of them only, `GIT_IN_PROGRESS` where a merge that is not committed may bring what to join
 */
export async function mergeKeyrings(store: Store, request: MergeRequest): Promise<Rotated> {
  checkCall(store, request, MERGE)
  const { result, changed, commit } = await change(
    store,
    { ...request, merging: true },
    draft => mergeIn(draft, request),
    groups =>
      withReason(`Merge the keyrings of ${groups.map(({ group }) => group).join(", ")}`, request.reason),
  )
  return { groups: result, changed, commit }
}

async function mergeIn(draft: Draft, request: MergeRequest): Promise<readonly RotatedGroup[]> {
  const wanted = chooseDiverged(draft.keyring, request.groups ?? [])
  if (wanted.length === 0) {
    await refuseUnfinished(draft, "join")
    return []
  }
  const undecided = wanted.filter(group => getGroup(draft.keyring, group).undecided)
  try {
    return await join(draft, wanted, undecided, request)
  } catch (error) {
    throw undecided.length > 0 && hasCode(error, "HISTORY_CUT") ? closedToYou(undecided, error) : error
  }
}

/** @param undecided - those of `wanted` that have two keyrings to choose from. */
async function join(
  draft: Draft,
  wanted: readonly string[],
  undecided: readonly string[],
  request: MergeRequest,
): Promise<readonly RotatedGroup[]> {
  const joined = wanted.filter(group => !undecided.includes(group))
  const needed = undecided.length === 0 ? joined : [...joined, ROOT_GROUP]
  const publishers = await openPublishers(draft, inPublishingOrder(needed), "admin")
  for (const group of joined) requireEverySide(getGroup(draft.keyring, group), publishers.get(group)!)
  const changes = await mergedChanges(
    draft,
    inPublishingOrder(needed).map(group => getGroup(draft.keyring, group)),
    request,
  )
  const resealing = new Map<string, Resealing>()
  const kept = new Map<string, RecordNode>()
  for (const group of undecided) {
    const decision = await decide(draft, getGroup(draft.keyring, group), request)
    kept.set(group, decision.node)
    resealing.set(group, decision.resealing)
  }
  let { keyring } = draft
  for (const group of inPublishingOrder(needed)) {
    const access = publishers.get(group)!
    const listing = group === ROOT_GROUP ? { groups: mergeListing(draft.keyring, keyring, kept) } : {}
    const { node, sealKey } = await publishNext(draft, access, {
      ...changes.get(group)!,
      ...listing,
    })
    keyring = withRecord(keyring, node)
    if (joined.includes(group)) resealing.set(group, { ...access, record: node.record, sealKey })
  }
  return resealMerged(draft, resealing, kept)
}

/** Diverged groups; a choice between two keyrings of a group is written down in the default group's record. */
function chooseDiverged(keyring: Keyring, named: readonly string[]): readonly string[] {
  for (const group of named) getGroup(keyring, group)
  const diverged = [...keyring.groups.values()].filter(({ current }) => current.length > 1)
  const wanted = diverged.filter(({ group }) => named.length === 0 || named.includes(group))
  const needsRoot = wanted.some(({ undecided }) => undecided)
  const root = diverged.filter(({ group }) => group === ROOT_GROUP && needsRoot)
  return [...new Set([...wanted, ...root].map(({ group }) => group))]
}

/** Nobody but an admin of every side can sign what follows all of them. */
function requireEverySide({ group, current }: GroupKeyring, { member }: MemberAccess): void {
  const side = current.find(({ record }) => {
    const entry = findMember(record, member.name)
    return entry?.role !== "admin" || entry.signingKey !== member.signingKey
  })
  if (side === undefined) return
  const admins = current
    .map(({ record }) => record.members.filter(({ role }) => role === "admin").map(({ name }) => name))
    .reduce((all, names) => all.filter(name => names.includes(name)))
  throw new CofferError(
    "ROLE_MISSING",
    `"${member.name}" is not admin of "${group}" on both sides: "${side.path}" says otherwise`,
    {
      hint:
        admins.length === 0 ? "nobody is: one side has to be undone" : `this takes ${admins.join(" or ")}`,
    },
  )
}

/** What the next record of each group says. Additions to all of them are asked for at once: an answer goes by name. */
async function mergedChanges(
  draft: Draft,
  groups: readonly GroupKeyring[],
  request: MergeRequest,
): Promise<ReadonlyMap<string, RecordChange>> {
  const diverged = groups
    .filter(({ current }) => current.length > 1)
    .map(({ group, graph, current }) => ({ group, current, ...mergeMembers(graph, current) }))
  const candidates = diverged.flatMap(({ group, additions }) =>
    additions.map(member => {
      const { name, role } = member
      return { name, group, member, question: `take "${name}" into "${group}" as ${role}` }
    }),
  )
  const taken = [...(await askByName(draft.store, candidates, request.accept))]
  const changes = new Map<string, RecordChange>(groups.map(({ group }) => [group, { reason: "group" }]))
  for (const { group, current, members, contested } of diverged) {
    for (const name of contested) {
      draft.store.note(`left out of "${group}": "${name}", whose entry both sides changed: add them anew`)
    }
    const added = taken.filter(candidate => candidate.group === group).map(({ member }) => member)
    const policy = mergePolicies(current.map(({ record }) => record.policy))
    changes.set(group, { reason: "merge", members: [...members, ...added], policy })
  }
  return changes
}

/** What the default group lists from now on. */
function mergeListing(
  before: Keyring,
  after: Keyring,
  kept: ReadonlyMap<string, RecordNode>,
): ReadonlyMap<string, string> {
  const { graph, current } = getGroup(before, ROOT_GROUP)
  const { groups, contested } = mergeGroups(graph, current, group => after.groups.get(group)?.graph)
  const joint = new Map<string, string>()
  for (const group of contested) {
    const node = findJoint(after.groups.get(group))
    if (node !== undefined) joint.set(group, node.sha256)
  }
  const open = contested.filter(group => !kept.has(group) && !joint.has(group))
  if (open.length > 0) {
    throw new CofferError(
      "USAGE",
      `two keyrings are listed for ${open.map(group => `"${group}"`).join(", ")}`,
      {
        hint: "coffer rotate --merge --reason TEXT, without naming groups, decides about all of them",
      },
    )
  }
  return new Map([...groups, ...joint, ...[...kept].map(([group, node]) => [group, node.sha256] as const)])
}

/**
 * The record of a group that is listed in place of two: where one alone is current, it follows both, since they are
 * joined now, or the line of the other one is refused.
 */
function findJoint(group: GroupKeyring | undefined): RecordNode | undefined {
  const [node, second] = group?.current ?? []
  return second === undefined ? node : undefined
}

/** Whoever joins two keyrings opens the files of the one that is dropped, and seals them with the one that stays. */
function closedToYou(undecided: readonly string[], cause: CofferError): CofferError {
  const group = undecided.join(", ")
  return new CofferError(
    cause.code,
    `${cause.message}: who joins two keyrings of ${group} has to open both`,
    {
      hint: `whoever made the other one adds you where it is alone (coffer recipients add --group ${undecided[0]}); merge that, then again`,
      cause,
    },
  )
}

interface Decision {
  readonly node: RecordNode
  readonly resealing: Resealing
}

/** Chooses the keyring of a group that stays; records of an unrelated one would be a planted group's. */
async function decide(draft: Draft, group: GroupKeyring, request: MergeRequest): Promise<Decision> {
  if ((request.reason ?? "").trim() === "") {
    throw new CofferError("USAGE", `a whole keyring of "${group.group}" is going to be dropped: say why`, {
      hint: `coffer rotate ${group.group} --merge ${request.keep === undefined ? "" : `--keep ${request.keep} `}--reason TEXT`,
    })
  }
  const node = await chooseKept(draft.store, group, request.keep)
  const access = await openMember(draft.store, draft, group.group)
  const { keys } = await access.keys.keyFor(node.id)
  const accepted = group.graph.ancestors(node.sha256)
  for (const other of unrelatedTo(group, accepted)) draft.put(other.path, null)
  const sealKey = { id: node.id, seal: keys.seal }
  return { node, resealing: { ...access, record: node.record, sealKey } }
}

function unrelatedTo({ graph }: GroupKeyring, accepted: ReadonlySet<string>): RecordNode[] {
  return [...graph.nodes.values()].filter(
    node => ![...graph.ancestors(node.sha256)].some(sha256 => accepted.has(sha256)),
  )
}

/** By `--keep`, else the one that this machine has worked with, else a person's choice. */
async function chooseKept(
  store: Store,
  { group, graph, current }: GroupKeyring,
  keep: string | undefined,
): Promise<RecordNode> {
  const known = store.state().newest.get(group) ?? []
  const holds = (tip: RecordNode, sha256: string) => graph.ancestors(tip.sha256).has(sha256)
  const mine = current.find(tip => known.length > 0 && known.every(sha256 => holds(tip, sha256)))
  const named = current.find(
    tip =>
      keep !== undefined &&
      [...graph.ancestors(tip.sha256)].some(sha256 => graph.nodes.get(sha256)!.id === keep),
  )
  if (keep !== undefined && named === undefined) throw noSuchKeyring(group, current, keep)
  if (named !== undefined && mine !== undefined && named !== mine) {
    throw new CofferError(
      "ROLLED_BACK",
      `this machine knows the other keyring of "${group}", ${mine.id}, as the newest`,
      {
        hint: "decide in a clone of somebody who worked with the one that stays, or coffer trust reset here first",
      },
    )
  }
  const chosen = named ?? mine
  if (chosen !== undefined) return chosen
  for (const tip of current) {
    if (
      store.confirm !== undefined &&
      (await store.confirm(`keep the keyring ${tip.id} of "${group}", ${describe(tip)}?`))
    )
      return tip
  }
  throw noSuchKeyring(group, current, undefined)
}

function describe({ record }: RecordNode): string {
  return `by ${record.author}, members ${record.members.map(({ name }) => name).join(", ")}`
}

function noSuchKeyring(group: string, current: readonly RecordNode[], keep: string | undefined): CofferError {
  const what =
    keep === undefined ? "which keyring stays is not said" : `"${group}" has no keyring of that key`
  return new CofferError(
    "USAGE",
    `${what}: ${current.map(tip => `${tip.id} (${describe(tip)})`).join(" or ")}`,
    {
      hint: `coffer rotate ${group} --merge --keep ${current[0]!.id} --reason TEXT`,
    },
  )
}

async function resealMerged(
  draft: Draft,
  resealing: ReadonlyMap<string, Resealing>,
  kept: ReadonlyMap<string, RecordNode>,
): Promise<readonly RotatedGroup[]> {
  let left = 0
  const groups = await resealGroups(draft, resealing, {
    choose(name, file) {
      const group = draft.groupOf(name)
      const node = kept.get(group)
      // What is sealed under a key of the keyring that stays is in order as it is.
      const stays = node !== undefined && isOf(getGroup(draft.keyring, group), node, file.key)
      return stays ? undefined : resealing.get(group)
    },
    leave(error) {
      if (!LEFT_FOR_FINISH.includes(error.code)) return false
      left++
      return true
    },
  })
  if (left > 0)
    draft.store.note(`${counted(left, "secret")} left as before: coffer rotate --finish takes them in`)
  return groups
}

function isOf({ graph }: GroupKeyring, tip: RecordNode, id: string): boolean {
  const node = graph.byId.get(id)
  return node !== undefined && graph.ancestors(tip.sha256).has(node.sha256)
}
