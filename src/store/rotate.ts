/** `coffer rotate`: new data keys for groups, and all their files sealed again under them. */

import { CofferError } from "../errors.js"
import { counted } from "../format/counted.js"
import { FLAG, GROUP, listOf, objectOf, optional, TEXT } from "../format/given.js"
import { isSecretName, ROOT_GROUP } from "../format/names.js"
import { renewAnchors } from "../keyring/anchors.js"
import { withRecord } from "../keyring/extend.js"
import type { Keyring } from "../keyring/verify.js"
import type { MemberAccess } from "./access.js"
import { checkCall, WRITE } from "./call.js"
import { inPublishingOrder, openPublishers, publishNext, unknownGroup } from "./publish.js"
import { type Resealing, type ResealRequest, resealFiles } from "./reseal.js"
import type { Store } from "./store.js"
import { change, type Draft, type WriteOptions } from "./transaction.js"
import { namesOf } from "./tree.js"

/** A group with a new data key; `key` is null where nothing was written. */
export interface RotatedGroup {
  readonly group: string
  readonly key: string | null
  /** Files sealed again: values and tombstones. */
  readonly resealed: number
}

/** What became of each group. `commit` is null where nothing changed or the change is only staged. */
export interface Rotated {
  readonly groups: readonly RotatedGroup[]
  readonly changed: boolean
  readonly commit: string | null
}

/** Which groups get new data keys, and how. */
export interface RotateRequest extends WriteOptions {
  /** Default, and for an empty list: every group. */
  readonly groups?: readonly string[] | undefined
  /** Goes into the commit message. */
  readonly reason?: string | undefined
  /** Verifies and counts, and writes nothing. */
  readonly dryRun?: boolean | undefined
  /** Older data keys are refused from now on, also in branches that are not merged yet. */
  readonly compromised?: boolean | undefined
}

const ROTATE = objectOf<RotateRequest>({
  ...WRITE,
  groups: optional(listOf(GROUP)),
  reason: optional(TEXT),
  dryRun: optional(FLAG),
  compromised: optional(FLAG),
})

/**
 * Gives groups new data keys and seals their files again, in one commit, all or nothing. Values stay as
 * they are: whoever knew them still does.
 *
 * @throws CofferError `NOT_FOUND` for a group that is not there, `USAGE` for a secret's name, `ROLE_MISSING`,
 * `NOT_A_MEMBER`, and whatever a file is refused with
 */
export async function rotateGroups(store: Store, request: RotateRequest): Promise<Rotated> {
  checkCall(store, request, ROTATE)
  const { result, changed, commit } = await change(
    store,
    request,
    draft => rotateIn(draft, request),
    groups => withReason(describeRotation(groups), request.reason),
  )
  return { groups: result, changed, commit }
}

async function rotateIn(draft: Draft, request: RotateRequest): Promise<readonly RotatedGroup[]> {
  const groups = inPublishingOrder(await chooseGroups(draft, request.groups ?? []))
  const publishers = await openPublishers(draft, groups, "rotator")
  if (request.dryRun === true) return countFiles(draft, groups, publishers)
  const resealing = new Map<string, Resealing>()
  let keyring = draft.keyring
  for (const group of groups) {
    const access = publishers.get(group)!
    const published = await publishNext(draft, access, {
      reason: "rotate",
      retire: request.compromised ?? false,
      ...renewedGroups(keyring, access),
    })
    keyring = withRecord(keyring, published.node)
    resealing.set(group, { ...access, record: published.node.record, sealKey: published.sealKey })
  }
  return resealGroups(draft, resealing)
}

/** An admin of the default group keeps what it lists up to date; a rotator may change nothing there. */
export function renewedGroups(
  keyring: Keyring,
  { group, member }: Pick<MemberAccess, "group" | "member">,
): { groups?: ReadonlyMap<string, string> } {
  return group === ROOT_GROUP && member.role === "admin" ? { groups: renewAnchors(keyring) } : {}
}

/** Seals all files of the groups again, but for those that `options` leaves; `done` is told of each, as it will be. */
export async function resealGroups(
  draft: Draft,
  resealing: ReadonlyMap<string, Resealing>,
  options: Partial<ResealRequest> = {},
): Promise<readonly RotatedGroup[]> {
  const counts = new Map([...resealing.keys()].map(group => [group, 0]))
  await resealFiles(draft, {
    prefix: prefixOf([...resealing.keys()]),
    choose: name => resealing.get(draft.groupOf(name)),
    ...options,
    done(file) {
      counts.set(file.group, 1 + counts.get(file.group)!)
      options.done?.(file)
    },
  })
  return [...resealing].map(([group, { sealKey }]) => ({
    group,
    key: sealKey.id,
    resealed: counts.get(group)!,
  }))
}

/** One group's files lie below its path; the default group's lie anywhere. */
function prefixOf(groups: readonly string[]): string {
  const [only, second] = groups
  return only === undefined || second !== undefined || only === ROOT_GROUP ? "" : only
}

async function chooseGroups(draft: Draft, named: readonly string[]): Promise<readonly string[]> {
  const all = [ROOT_GROUP, ...draft.keyring.listed.keys()]
  for (const name of named) if (!all.includes(name)) throw await noGroup(draft, name)
  return named.length === 0 ? all : named
}

/** People rotate a secret's value, which is not what this does. */
export async function noGroup(draft: Draft, name: string): Promise<CofferError> {
  const names = await draft.names()
  if (isSecretName(name) && names.has(name)) {
    return new CofferError("USAGE", `"${name}" is a secret: rotate gives groups new data keys`, {
      hint: `coffer set ${name}, or coffer generate ${name} --force, gives it a new value`,
    })
  }
  return unknownGroup(draft.keyring, name)
}

async function countFiles(
  draft: Draft,
  groups: readonly string[],
  publishers: ReadonlyMap<string, MemberAccess>,
): Promise<readonly RotatedGroup[]> {
  for (const access of publishers.values()) await access.keys.keyFor(access.keys.newest.id)
  const names = namesOf(await draft.base.paths(""))
  return groups.map(group => ({
    group,
    key: null,
    resealed: names.filter(name => draft.groupOf(name) === group).length,
  }))
}

/** The commit message's first line. */
function describeRotation(groups: readonly RotatedGroup[]): string {
  const count = groups.reduce((sum, { resealed }) => sum + resealed, 0)
  return `Rotate the data ${groups.length === 1 ? "key" : "keys"} of ${groups.map(({ group }) => group).join(", ")} (${counted(count, "secret")} sealed again)`
}

/**
 * Refuses to say that there is nothing to do where a merge that has not been committed may bring it.
 *
 * @param what - what HEAD has nothing of, for the message
 * @throws CofferError `GIT_IN_PROGRESS`
 */
export async function refuseUnfinished({ git }: Draft, what: "join" | "take in"): Promise<void> {
  const state = await git.state()
  if (state === "clean" || state === "bisect") return
  const end = state === "merge" ? "git commit" : `git ${state} --continue`
  throw new CofferError(
    "GIT_IN_PROGRESS",
    `HEAD has nothing to ${what}, and what this ${state} brings is not there yet`,
    { hint: `${end}, with --no-verify where the hook stands against it, then again` },
  )
}

export function withReason(message: string, reason: string | undefined): string {
  return reason === undefined || reason.trim() === "" ? message : `${message}\n\n${reason.trim()}`
}
