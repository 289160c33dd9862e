/** Key records inside an operation: who may publish them, and publishing the next one of a group. */
import { CofferError, EXIT_CODES } from "../errors.js"
import type { Member, Policy, Reason } from "../format/key-record.js"
import { LIMITS } from "../format/limits.js"
import { ROOT_GROUP } from "../format/names.js"
import { type NewRecord, type NextRecord, nextRecord, openLinks } from "../keyring/extend.js"
import { buildGraph, type RecordNode } from "../keyring/graph.js"
import type { GroupKeyring } from "../keyring/group.js"
import { findMember } from "../keyring/roles.js"
import type { Keyring } from "../keyring/verify.js"
import { type MemberAccess, openMember } from "./access.js"
import type { SealKey } from "./seal.js"
import type { Draft } from "./transaction.js"

/** What the next record says where it differs from the one before it. */
export interface RecordChange {
  readonly reason: Reason
  /** Default: as they are. */
  readonly members?: readonly Member[]
  readonly policy?: Policy
  /** For the default group. Default: as they are. */
  readonly groups?: ReadonlyMap<string, string>
  /** Files at HEAD are refused under all older keys. */
  readonly retire?: boolean
}

/** A record put into the operation, and the data key it publishes. */
export interface Published {
  readonly node: RecordNode
  readonly sealKey: SealKey
}

/**
 * Opens groups whose next records I am going to publish.
 *
 * @param need - the role that the change takes: a rotator may only rotate.
 * @returns my access, by group.
 * @throws CofferError `NO_IDENTITY`, `NOT_A_MEMBER`, `REMOVED`, `ROLE_MISSING`, naming every group that
 * stands in the way: nothing is done by halves.
 */
export async function openPublishers(
  draft: Draft,
  groups: readonly string[],
  need: "admin" | "rotator",
): Promise<ReadonlyMap<string, MemberAccess>> {
  const opened = new Map<string, MemberAccess>()
  const refused: { group: string; error: CofferError }[] = []
  for (const group of groups) {
    try {
      const access = await openMember(draft.store, draft, group, { brokenWrap: "skip" })
      requirePublisher(access, need)
      opened.set(group, access)
    } catch (error) {
      if (!(error instanceof CofferError)) throw error
      refused.push({ group, error })
    }
  }
  const [first, ...others] = refused
  if (first === undefined) return opened
  if (others.length === 0) throw first.error
  const names = refused.map(({ group }) => `"${group}"`).join(", ")
  throw new CofferError(first.error.code, `nothing was changed: you cannot do this in ${names}`, {
    hint: "name the groups that you can (rotate GROUP…, -g GROUP), or ask an admin of the others",
    cause: first.error,
  })
}

function requirePublisher({ member, group }: MemberAccess, need: "admin" | "rotator"): void {
  if (member.role === "admin" || (need === "rotator" && member.role === "rotator")) return
  const able = need === "admin" ? "an admin" : "an admin or a rotator"
  throw new CofferError(
    "ROLE_MISSING",
    `"${member.name}" is ${member.role} of "${group}": this takes ${able}`,
    {
      hint: `coffer recipients list -g ${group} shows who can`,
    },
  )
}

/**
 * Publishes the record after all current ones of a group. Where those are more than a record can follow, some are
 * joined first, by records that say the same.
 *
 * @throws CofferError what readers would refuse
 */
export async function publishNext(
  draft: Draft,
  access: MemberAccess,
  change: RecordChange,
): Promise<Published> {
  const { group, signer, keys } = access
  const { graph, current } = getGroup(draft.keyring, group)
  const [newest] = current
  const groups = change.groups ?? newest!.record.groups
  const next: NextRecord = {
    store: draft.store.id,
    group,
    reason: change.reason,
    members: change.members ?? newest!.record.members,
    policy: change.policy ?? newest!.record.policy,
    ...(groups === undefined ? {} : { groups }),
    author: signer.name,
    signingKey: signer.signingKey,
    at: draft.at,
    retire: change.retire ?? false,
  }
  const open = [...current]
  let known = graph
  let joined: readonly NewRecord[] = []
  for (;;) {
    const tips = open.splice(0, LIMITS.parents - joined.length)
    const links = [...joined, ...(await openLinks(graph, tips, keys))]
    const nodes = [...joined.map(({ node }) => node), ...tips]
    const record = await nextRecord(next, { nodes, graph: known, links })
    const { node } = record
    draft.put(node.path, node.bytes)
    if (open.length === 0) return { node, sealKey: { id: node.id, seal: record.keys.seal } }
    joined = [record]
    known = buildGraph(group, [...known.nodes.values(), node])
  }
}

export function getGroup(keyring: Keyring, group: string): GroupKeyring {
  const found = keyring.groups.get(group)
  if (found === undefined) throw unknownGroup(keyring, group)
  return found
}

/** The one current record of a group that is not diverged. */
export function currentRecord(keyring: Keyring, group: string): RecordNode {
  return getGroup(keyring, group).current[0]!
}

/** @returns groups in the order in which records are published: the default one, which lists the others, last. */
export function inPublishingOrder(groups: Iterable<string>): string[] {
  const others = [...new Set(groups)].filter(group => group !== ROOT_GROUP).sort()
  return new Set(groups).has(ROOT_GROUP) ? [...others, ROOT_GROUP] : others
}

/** Whether I could publish a record of the default group that lists other hashes. */
export async function findListingAdmin(draft: Draft): Promise<MemberAccess | undefined> {
  try {
    return (await openPublishers(draft, [ROOT_GROUP], "admin")).get(ROOT_GROUP)
  } catch (error) {
    if (error instanceof CofferError && error.exit === EXIT_CODES.NOT_A_MEMBER) return undefined
    throw error
  }
}

export function unknownGroup(keyring: Keyring, group: string): CofferError {
  const names = [ROOT_GROUP, ...keyring.listed.keys()]
  return new CofferError("NOT_FOUND", `there is no group "${group}"`, {
    hint: `groups here: ${names.join(", ")}`,
  })
}

/** Whether `name` is a member of the group's current record. */
export function isMember(keyring: Keyring, group: string, name: string): boolean {
  return getGroup(keyring, group).current.some(node => findMember(node.record, name) !== undefined)
}
