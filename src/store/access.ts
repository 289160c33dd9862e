/** A group opened with one of this machine's identities: who I am there and the keys that are mine to use. */
import { CofferError } from "../errors.js"
import type { Member } from "../format/key-record.js"
import type { SecretHeader } from "../format/secret-file.js"
import type { RecordNode } from "../keyring/graph.js"
import { adminNames, type GroupKeyring, holdersOf } from "../keyring/group.js"
import { type OpenKeyring, openKeys } from "../keyring/open.js"
import type { Identity } from "../storage/identities.js"
import type { SealKey, Signer } from "./seal.js"
import type { Store } from "./store.js"
import type { View } from "./view.js"

/** Who I am in a group, and the data keys I reach there. */
export interface MemberAccess {
  readonly group: string
  /** My entry in the current record. */
  readonly member: Member
  readonly signer: Signer
  readonly keys: OpenKeyring
}

export interface GroupAccess extends MemberAccess {
  /** The newest data key: what is written now is sealed under it. */
  readonly sealKey: SealKey
}

/**
 * Opens the group's keys: one unwrap, then the chain of previous keys as far as it is needed.
 *
 * @throws CofferError `NO_IDENTITY`, `NOT_A_MEMBER`, `REMOVED`, `WRAP_BROKEN`
 * @see DESIGN §2.4, 19
 */
export async function openGroup(
  store: Store,
  view: Pick<View, "keyring">,
  group: string,
): Promise<GroupAccess> {
  const access = await openMember(store, view, group)
  const { newest, keyFor } = access.keys
  return { ...access, sealKey: { id: newest.id, seal: (await keyFor(newest.id)).keys.seal } }
}

/**
 * The same for publishing the next record: then a newest record whose wrap for me is broken is skipped,
 * or nobody could ever put it right.
 */
export async function openMember(
  store: Store,
  view: Pick<View, "keyring">,
  group: string,
  options: { brokenWrap?: "refuse" | "skip" } = {},
): Promise<MemberAccess> {
  const keyring = view.keyring.groups.get(group)!
  const { identities, looked, warnings } = await store.identities()
  for (const warning of warnings) store.note(warning)
  if (identities.length === 0) throw noIdentity(group, looked, adminNames(keyring))
  const keys = await openKeys(keyring, identities, options)
  const identity = identities.find(candidate => candidate.recipient === keys.member.recipient) as Identity
  return {
    group,
    member: keys.member,
    signer: {
      name: keys.member.name,
      get signingKey() {
        return identity.signingKey
      },
    },
    keys,
  }
}

/**
 * Keys of the line that a record is on: the group's own, or a refused fork's.
 *
 * @throws CofferError `NO_IDENTITY`, `NOT_A_MEMBER`, `REMOVED`, `WRAP_BROKEN`
 */
export async function openLine(
  store: Store,
  view: Pick<View, "keyring">,
  { group, record }: { readonly group: GroupKeyring; readonly record: RecordNode },
): Promise<Pick<OpenKeyring, "keyFor">> {
  if (holdersOf(group, record.sha256).length > 0) return (await openMember(store, view, group.group)).keys
  const { identities } = await store.identities()
  return openKeys({ ...group, current: [record] }, identities)
}

/** {@link openGroup} for many secrets: each group is opened once. */
export function groupOpener(
  store: Store,
  view: Pick<View, "keyring">,
): (group: string) => Promise<GroupAccess> {
  const opened = new Map<string, Promise<GroupAccess>>()
  return group => {
    const access = opened.get(group) ?? openGroup(store, view, group)
    opened.set(group, access)
    return access
  }
}

/** Secrets by their groups, groups and secrets in the order they come in. */
export function byGroup<S extends { readonly file: SecretHeader }>(
  secrets: readonly S[],
): ReadonlyMap<string, readonly S[]> {
  const groups = new Map<string, S[]>()
  for (const secret of secrets) {
    const members = groups.get(secret.file.group)
    if (members === undefined) groups.set(secret.file.group, [secret])
    else members.push(secret)
  }
  return groups
}

function noIdentity(group: string, looked: readonly string[], admins: readonly string[]): CofferError {
  return new CofferError(
    "NO_IDENTITY",
    `no identity here can read group "${group}" (looked at: ${looked.join(", ")})`,
    {
      hint: `coffer identity show, then send the line to an admin of ${group}: ${admins.join(", ")}. In a fork's pull request secrets are never there: run --if-identity`,
    },
  )
}
