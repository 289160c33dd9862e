/** `coffer group`: keyrings of their own for the names below a path. */

import { CofferError } from "../errors.js"
import { counted } from "../format/counted.js"
import { GROUP, listOf, MEMBER, objectOf, oneOf, optional } from "../format/given.js"
import { type Member, ROLES, type Role } from "../format/key-record.js"
import { LIMITS } from "../format/limits.js"
import { groupOf, nameClash, ROOT_GROUP, type SecretName } from "../format/names.js"
import { renewAnchors } from "../keyring/anchors.js"
import { exposureOf } from "../keyring/exposure.js"
import { nextRecord, withRecord } from "../keyring/extend.js"
import { findMember } from "../keyring/roles.js"
import type { Keyring } from "../keyring/verify.js"
import { type MemberAccess, openMember } from "./access.js"
import { checkCall, checkStoreGiven, WRITE } from "./call.js"
import type { ExposedValue } from "./members.js"
import { currentRecord, openPublishers, publishNext } from "./publish.js"
import { type Resealing, resealFiles } from "./reseal.js"
import type { Store } from "./store.js"
import { change, type Draft, type WriteOptions } from "./transaction.js"
import { remember, viewStore } from "./view.js"

/** A group with its members. */
export interface ListedGroup {
  readonly group: string
  readonly members: readonly { readonly name: string; readonly role: Role }[]
}

/** Every group with its members; of a diverged one those of each side. */
export async function listGroups(store: Store): Promise<readonly ListedGroup[]> {
  checkStoreGiven(store)
  const view = await viewStore(store, { use: "look" })
  const groups = [...view.keyring.groups.values()].map(({ group, current }) => {
    const members = new Map(
      current.flatMap(node => node.record.members.map(({ name, role }) => [name, role])),
    )
    return { group, members: [...members].sort().map(([name, role]) => ({ name, role })) }
  })
  await remember(store, view)
  return groups
}

/** A group to make, and who is in it. */
export interface CreateGroupRequest extends WriteOptions {
  readonly group: string
  /** Members by the name under which another group knows them; role: as there. Default: you alone. */
  readonly members?: readonly { readonly name: string; readonly role?: Role | undefined }[] | undefined
  /** Takes over the members and roles of this group. */
  readonly like?: string | undefined
}

/** A group that was made. */
export interface GroupCreated {
  readonly group: string
  /** Id of its data key. */
  readonly key: string
  /** Secrets that lay below its path and are now its own. */
  readonly moved: readonly SecretName[]
  /** Of those, what members left behind may know. */
  readonly exposed: readonly ExposedValue[]
  readonly commit: string | null
}

const CREATE = objectOf<CreateGroupRequest>({
  ...WRITE,
  group: GROUP,
  members: optional(
    listOf(objectOf<{ name: string; role?: Role }>({ name: MEMBER, role: optional(oneOf(ROLES)) })),
  ),
  like: optional(GROUP),
})

/**
 * Makes a group, with you as its admin, and moves the names below its path into it in the same commit.
 *
 * @throws CofferError `NAME_INVALID`, `EXISTS`, `USAGE` for another role of your own or two roles of one member,
 * `ROLE_MISSING` unless you are admin of the default group, `NOT_A_MEMBER` where the secrets to move are not yours to open, `NOT_FOUND` for a member nobody knows
 */
export async function createGroup(store: Store, request: CreateGroupRequest): Promise<GroupCreated> {
  checkCall(store, request, CREATE)
  const { group } = request
  const { result, commit } = await change(
    store,
    request,
    draft => createIn(draft, request),
    ({ moved }) =>
      `Create the group ${group}${moved.length === 0 ? "" : ` (${counted(moved.length, "secret")} moved)`}`,
  )
  return { group, ...result, commit }
}

async function createIn(
  draft: Draft,
  request: CreateGroupRequest,
): Promise<Pick<GroupCreated, "key" | "moved" | "exposed">> {
  const { group } = request
  await refuseTaken(draft, group)
  const me = (await openPublishers(draft, [ROOT_GROUP], "admin")).get(ROOT_GROUP)!
  const first = await nextRecord({
    store: draft.store.id,
    group,
    reason: "init",
    members: chooseMembers(draft.keyring, me, request),
    policy: {},
    author: me.signer.name,
    signingKey: me.signer.signingKey,
    at: draft.at,
  })
  draft.put(first.node.path, first.node.bytes)
  const founded = withRecord(draft.keyring, first.node)
  const groups = new Map([...renewAnchors(draft.keyring), [group, first.node.sha256]])
  const listing = await publishNext(draft, me, { reason: "group", groups })
  const { record } = first.node
  const to = { group, record, sealKey: { id: first.node.id, seal: first.keys.seal }, signer: me.signer }
  const after = withRecord(founded, listing.node)
  return { key: first.node.id, ...(await moveNames(draft, after, to)) }
}

/** Names below the path leave the group that they were in, which is the nearest one above. */
async function moveNames(
  draft: Draft,
  after: Keyring,
  to: Omit<Resealing, "keys">,
): Promise<Pick<GroupCreated, "moved" | "exposed">> {
  const names = [...(await draft.names())].filter(name => groupOf(name, after.listed.keys()) === to.group)
  const [first] = names
  if (first === undefined) return { moved: [], exposed: [] }
  const parent = draft.groupOf(first)
  const { keys } = await openMember(draft.store, draft, parent)
  const moved: SecretName[] = []
  const exposed: ExposedValue[] = []
  const exposedTo = exposureOf(after)
  await resealFiles(draft, {
    prefix: to.group,
    choose: name => (groupOf(name, after.listed.keys()) === to.group ? { ...to, keys } : undefined),
    done(file) {
      const { name, group, version } = file
      moved.push(name)
      if (exposedTo(file).length > 0) exposed.push({ name, group, version })
    },
  })
  return { moved, exposed }
}

/** You as admin, and whom you name or another group has, each with the keys that are known of him. */
function chooseMembers(keyring: Keyring, me: MemberAccess, request: CreateGroupRequest): readonly Member[] {
  const members = new Map<string, Member>()
  if (request.like !== undefined) {
    for (const member of currentRecord(keyring, request.like).record.members) members.set(member.name, member)
  }
  const roles = new Map<string, Role | undefined>()
  for (const { name, role } of request.members ?? []) {
    if (roles.has(name) && roles.get(name) !== role) {
      throw new CofferError("USAGE", `"${name}" is named twice, with different roles`, {
        hint: "name each member once",
      })
    }
    roles.set(name, role)
    if (name === me.member.name && role !== undefined && role !== "admin") {
      throw new CofferError("USAGE", `you are "${name}": who makes a group is its admin`, {
        hint: `leave ${name} out; another admin of ${request.group} may change that later`,
      })
    }
    const known = findKnown(keyring, name)
    members.set(name, role === undefined ? known : withRole(known, role, keyring))
  }
  return [...members.set(me.member.name, { ...me.member, role: "admin" }).values()]
}

/** The entry of `name`: in the default group, else in the first group that has one. */
function findKnown(keyring: Keyring, name: string): Member {
  for (const { current } of keyring.groups.values()) {
    const member = findMember(current[0]!.record, name)
    if (member !== undefined) return member
  }
  throw new CofferError("NOT_FOUND", `"${name}" is a member of no group, so no card of theirs is known`, {
    hint: `coffer group create first, then coffer recipients add ${name} CARD -g GROUP`,
  })
}

/** A reader's entry holds no signing key: one may be known from another group. */
function withRole(member: Member, role: Role, keyring: Keyring): Member {
  const { name, recipient } = member
  if (role === "reader") return { name, role, recipient }
  const entries = [...keyring.groups.values()].flatMap(({ current }) => current[0]!.record.members)
  const signingKey = entries.find(
    entry => entry.recipient === recipient && entry.signingKey !== undefined,
  )?.signingKey
  if (signingKey !== undefined) return { name, role, recipient, signingKey }
  throw new CofferError(
    "CARD_INVALID",
    `who is ${role} signs, and no signing key of "${name}" is known here`,
    {
      hint: `coffer recipients add ${name} CARD --role ${role} -g GROUP, with the whole card`,
    },
  )
}

async function refuseTaken(draft: Draft, group: string): Promise<void> {
  const { listed } = draft.keyring
  if (group === ROOT_GROUP || listed.has(group)) {
    throw new CofferError("EXISTS", `there is a group "${group}" already`, {
      hint: `coffer recipients add NAME CARD -g ${group} adds to it`,
    })
  }
  if (listed.size >= LIMITS.groups) {
    throw new CofferError("LIMIT_EXCEEDED", `a store has at most ${LIMITS.groups} groups`)
  }
  const clash = findFolderClash(group, [
    ...(await draft.names()),
    ...[...listed.keys()].map(name => `${name}/`),
  ])
  if (clash === undefined) return
  throw nameClash(group, clash, "write the group's name as the names below it are written")
}

/** A folder among `paths` that is one of the group's folders but for the case of letters. */
function findFolderClash(group: string, paths: readonly string[]): string | undefined {
  const segments = group.split("/")
  const folders = segments.map((_, index) => `${segments.slice(0, index + 1).join("/")}/`)
  return paths.find(path =>
    folders.some(folder => path.toLowerCase().startsWith(folder.toLowerCase()) && !path.startsWith(folder)),
  )
}
