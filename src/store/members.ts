/** `coffer recipients`: who is a member of which group, adding and removing them. */

import { ageIdentity, newIdentityLine } from "../crypto/age.js"
import { CofferError } from "../errors.js"
import { type Card, checkCard } from "../format/card.js"
import { counted } from "../format/counted.js"
import { GROUP, listOf, MEMBER, objectOf, oneOf, optional } from "../format/given.js"
import { type Member, ROLES, type Role } from "../format/key-record.js"
import { parseMemberName, ROOT_GROUP, type SecretName } from "../format/names.js"
import type { SecretHeader } from "../format/secret-file.js"
import { exposureOf } from "../keyring/exposure.js"
import { withRecord } from "../keyring/extend.js"
import { acceptedRecords, type GroupKeyring } from "../keyring/group.js"
import { findMember, sameMember } from "../keyring/roles.js"
import type { Keyring } from "../keyring/verify.js"
import type { MemberAccess } from "./access.js"
import { checkCall, WRITE } from "./call.js"
import {
  currentRecord,
  findListingAdmin,
  getGroup,
  inPublishingOrder,
  isMember,
  openPublishers,
  publishNext,
} from "./publish.js"
import type { Resealing } from "./reseal.js"
import { type Rotated, type RotatedGroup, renewedGroups, resealGroups } from "./rotate.js"
import { listFiles } from "./secrets.js"
import type { Store } from "./store.js"
import { change, type Draft, type WriteOptions } from "./transaction.js"
import { remember, viewStore } from "./view.js"

/** A member as lists show him. */
export interface ListedMember {
  readonly name: string
  readonly role: Role
  readonly recipient: string
  /** Time of the record that took him in, as he is a recipient now. */
  readonly added: string
}

/** The members of a group, sorted by name. */
export interface GroupMembers {
  readonly group: string
  readonly members: readonly ListedMember[]
}

const LIST = objectOf<{ groups?: readonly string[] }>({ groups: optional(listOf(GROUP)) })

/** Members of each group. @throws CofferError `NOT_FOUND` for a group that is not there */
export async function listRecipients(
  store: Store,
  request: { groups?: readonly string[] | undefined } = {},
): Promise<readonly GroupMembers[]> {
  checkCall(store, request, LIST)
  const view = await viewStore(store, { use: "look" })
  const wanted = chosenGroups(view.keyring, request.groups)
  const listed = wanted.map(group => ({ group, members: membersOf(getGroup(view.keyring, group)) }))
  await remember(store, view)
  return listed
}

/** In a diverged keyring: whoever is a member on either side. */
function membersOf(group: GroupKeyring): readonly ListedMember[] {
  const members = new Map<string, Member>()
  for (const { record } of group.current)
    for (const member of record.members) members.set(member.recipient, member)
  return [...members.values()]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, role, recipient }) => ({ name, role, recipient, added: whenAdded(group, recipient) }))
}

function whenAdded(group: GroupKeyring, recipient: string): string {
  let added: string | undefined
  for (const { record } of acceptedRecords(group)) {
    const isIn = record.members.some(member => member.recipient === recipient)
    added = isIn ? (added ?? record.created) : undefined
  }
  return added ?? group.current[0]!.record.created
}

function chosenGroups(keyring: Keyring, groups: readonly string[] | undefined): readonly string[] {
  const wanted = new Set(groups)
  for (const group of wanted) getGroup(keyring, group)
  return wanted.size === 0 ? [ROOT_GROUP, ...keyring.listed.keys()] : [...wanted]
}

/** A member to add. */
export interface AddRequest extends WriteOptions {
  readonly name: string
  /** What the new member sent; left out, a machine identity is made. */
  readonly card?: Card | undefined
  /** Default: writer for a card with a signing key, else reader. */
  readonly role?: Role | undefined
  /** Default, and for an empty list: the default group. */
  readonly groups?: readonly string[] | undefined
}

/** A member that was added; groups that had him already are not among `groups`. */
export interface Added extends Rotated {
  readonly member: Omit<Member, "signingKey">
  /** The private line of a machine identity made here: it is kept nowhere. */
  readonly identity?: string
}

const ADD = objectOf<AddRequest>({
  ...WRITE,
  name: MEMBER,
  card: optional(card => void checkCard(card as Card)),
  role: optional(oneOf(ROLES)),
  groups: optional(listOf(GROUP)),
})

/**
 * Adds a member to groups: one small file each, whatever their size. The member then opens everything
 * there, back to the first version.
 *
 * @throws CofferError `NAME_INVALID`, `CARD_INVALID`, `EXISTS` if the name or the key is taken by another
 * entry, `ROLE_MISSING`, `NOT_A_MEMBER`
 */
export async function addRecipient(store: Store, request: AddRequest): Promise<Added> {
  checkCall(store, request, ADD)
  const made = request.card === undefined ? await makeMachine() : undefined
  const member = memberOf(request, request.card ?? made!.card)
  const { result, changed, commit } = await change(
    store,
    request,
    draft => addIn(draft, member, request.groups ?? []),
    groups => `Add ${member.name} as ${member.role} of ${groups.map(({ group }) => group).join(", ")}`,
  )
  const { signingKey: _, ...shown } = member
  return {
    groups: result,
    changed,
    commit,
    member: shown,
    ...(made === undefined ? {} : { identity: made.line }),
  }
}

async function addIn(
  draft: Draft,
  member: Member,
  groups: readonly string[],
): Promise<readonly RotatedGroup[]> {
  const named = groups.length === 0 ? [ROOT_GROUP] : groups
  const wanted = inPublishingOrder(named).filter(group => !hasEntry(draft.keyring, group, member))
  const publishers = await openPublishers(draft, wanted, "admin")
  const added: RotatedGroup[] = []
  let { keyring } = draft
  for (const group of wanted) {
    const access = publishers.get(group)!
    const members = [...currentRecord(draft.keyring, group).record.members, member]
    const { node } = await publishNext(draft, access, {
      reason: "add",
      members,
      ...renewedGroups(keyring, access),
    })
    keyring = withRecord(keyring, node)
    added.push({ group, key: node.id, resealed: 0 })
  }
  return added
}

/** Whether exactly this entry is there. @throws CofferError `EXISTS` if its name or a key of it is another's */
function hasEntry(keyring: Keyring, group: string, member: Member): boolean {
  const { record } = getGroup(keyring, group).current[0]!
  const taken = record.members.find(
    entry =>
      entry.name === member.name ||
      entry.recipient === member.recipient ||
      (member.signingKey !== undefined && entry.signingKey === member.signingKey),
  )
  if (taken === undefined) return false
  if (sameMember(taken, member)) return true
  const what = taken.name === member.name ? "" : `, with the card of "${member.name}"`
  throw new CofferError("EXISTS", `"${taken.name}" is ${taken.role} of "${group}" already${what}`, {
    hint: `to change role or keys: coffer recipients remove ${taken.name} -g ${group}, then add again`,
  })
}

function memberOf({ name, role }: AddRequest, card: Card): Member {
  const { recipient, signingKey } = card
  const chosen = role ?? (signingKey === undefined ? "reader" : "writer")
  if (chosen === "reader") return { name, role: chosen, recipient }
  if (signingKey !== undefined) return { name, role: chosen, recipient, signingKey }
  throw new CofferError("CARD_INVALID", `who is ${chosen} signs, and this card has no signing key`, {
    hint: "ask for the whole line that coffer identity show prints: age1… coffer-sign1…",
  })
}

/** Machines read: what a build signs, whoever can change the build's script signs. */
async function makeMachine(): Promise<{ line: string; card: Card }> {
  const line = newIdentityLine()
  const { recipient } = await ageIdentity(line)
  return { line, card: { recipient } }
}

/** A member to remove. */
export interface RemoveRequest extends WriteOptions {
  readonly name: string
  /** Default, and for an empty list: every group that the member is in. */
  readonly groups?: readonly string[] | undefined
}

/** A value that somebody who was removed may know. */
export interface ExposedValue {
  readonly name: SecretName
  readonly group: string
  readonly version: number
}

/** A member that was removed. */
export interface Removed extends Rotated {
  /** All that the member may know now and cannot read any more, in every group: it stays known until it is changed. */
  readonly exposed: readonly ExposedValue[]
}

const REMOVE = objectOf<RemoveRequest>({ ...WRITE, name: MEMBER, groups: optional(listOf(GROUP)) })

/**
 * Removes a member from groups: new data keys, every file sealed again, older keys retired, in one
 * commit, all or nothing. Files that the member signed are checked and signed by who runs this.
 *
 * @throws CofferError `NAME_INVALID`, `NOT_FOUND` if nobody of that name ever was a member, `NO_ADMIN` for the
 * last admin, `USAGE` for oneself, `NOT_A_MEMBER` and `ROLE_MISSING` naming the groups in the way
 */
export async function removeRecipient(store: Store, request: RemoveRequest): Promise<Removed> {
  checkCall(store, request, REMOVE)
  parseMemberName(request.name)
  const { result, changed, commit } = await change(
    store,
    request,
    draft => removeIn(draft, request),
    ({ groups }) => {
      const count = groups.reduce((sum, { resealed }) => sum + resealed, 0)
      return `Remove ${request.name} from ${groups.map(({ group }) => group).join(", ")} (${counted(count, "secret")} sealed again)`
    },
  )
  return { ...result, changed, commit }
}

async function removeIn(
  draft: Draft,
  { name, groups }: RemoveRequest,
): Promise<Pick<Removed, "groups" | "exposed">> {
  const { keyring } = draft
  const all = chosenGroups(keyring, groups)
  const from = inPublishingOrder(all.filter(group => isMember(keyring, group, name)))
  if (from.length === 0) {
    if (!all.some(group => wasMember(getGroup(keyring, group), name))) throw neverMember(name)
    return { groups: [], exposed: await listKnown(draft, name, { keyring, resealed: new Map() }) }
  }
  const publishers = await openPublishers(draft, from, "admin")
  refuseLeaving(keyring, name, publishers)
  const resealing = new Map<string, Resealing>()
  let after = keyring
  for (const group of from) {
    const access = publishers.get(group)!
    const members = currentRecord(keyring, group).record.members.filter(member => member.name !== name)
    const published = await publishNext(draft, access, {
      reason: "remove",
      members,
      ...renewedGroups(after, access),
    })
    after = withRecord(after, published.node)
    resealing.set(group, { ...access, record: published.node.record, sealKey: published.sealKey })
  }
  const listing = await renewListing(draft, after, from)
  const files = new Map<SecretName, SecretHeader>()
  const resealed = await resealGroups(draft, resealing, { done: file => files.set(file.name, file) })
  const exposed = await listKnown(draft, name, { keyring: after, resealed: files })
  return { groups: [...resealed, ...listing], exposed }
}

/** What `coffer status --exposed` will list for a member: of files as they will be, and of all others. */
async function listKnown(
  draft: Draft,
  name: string,
  { keyring, resealed }: { keyring: Keyring; resealed: ReadonlyMap<SecretName, SecretHeader> },
): Promise<readonly ExposedValue[]> {
  const exposedTo = exposureOf(keyring)
  const { store, base: tree, keyring: before } = draft
  const hasOthers = (await draft.names()).size > resealed.size
  const inBase = hasOthers ? await listFiles(store, { tree, keyring: before }, {}) : []
  const files: SecretHeader[] = [...resealed.values(), ...inBase.filter(file => !resealed.has(file.name))]
  return files
    .filter(file => exposedTo(file).some(({ member }) => member === name))
    .map(({ name, group, version }) => ({ name, group, version }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/**
 * Where the member could sign records of a group and stays out of the default one, what that lists for
 * the group wants renewal too, or a fork of his would be believed where the real records are withheld.
 */
async function renewListing(
  draft: Draft,
  after: Keyring,
  groups: readonly string[],
): Promise<readonly RotatedGroup[]> {
  if (groups.includes(ROOT_GROUP)) return []
  const listed = currentRecord(after, ROOT_GROUP).record.groups!
  const access = await findListingAdmin(draft)
  if (access === undefined) return []
  const renewed = renewedGroups(after, access).groups!
  if ([...renewed].every(([group, sha256]) => listed.get(group) === sha256)) return []
  const { node } = await publishNext(draft, access, { reason: "group", groups: renewed })
  return [{ group: ROOT_GROUP, key: node.id, resealed: 0 }]
}

function wasMember({ graph }: GroupKeyring, name: string): boolean {
  return [...graph.nodes.values()].some(node => findMember(node.record, name) !== undefined)
}

function neverMember(name: string): CofferError {
  return new CofferError("NOT_FOUND", `"${name}" is no member of any of these groups`, {
    hint: "coffer recipients list",
  })
}

/** An admin who leaves by himself would leave nobody to sign what he signed. */
function refuseLeaving(keyring: Keyring, name: string, publishers: ReadonlyMap<string, MemberAccess>): void {
  for (const [group, { member }] of publishers) {
    if (member.name !== name) continue
    const admins = currentRecord(keyring, group).record.members.filter(entry => entry.role === "admin")
    if (admins.length === 1) {
      throw new CofferError("NO_ADMIN", `"${name}" is the last admin of "${group}"`, {
        hint: `coffer recipients add NAME CARD --role admin -g ${group} first; that admin then removes ${name}`,
      })
    }
    throw new CofferError("USAGE", `you are "${name}": another admin has to remove you`, {
      hint: `they run coffer recipients remove ${name}; coffer recipients list shows who is admin`,
    })
  }
}
