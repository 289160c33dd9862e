/** `coffer keys`: the data keys of each group and what is sealed under them. */
import { GROUP, listOf, objectOf, optional, TIME } from "../format/given.js"
import type { Reason } from "../format/key-record.js"
import { nameOfPath } from "../format/names.js"
import { findSecretFile, parsePrevious, type SecretFile } from "../format/secret-file.js"
import type { RecordNode } from "../keyring/graph.js"
import { type GroupKeyring, holdersOf, isRetired } from "../keyring/group.js"
import type { Keyring } from "../keyring/verify.js"
import type { Git, Oid } from "../storage/git/git.js"
import { checkCall } from "./call.js"
import { ageDays } from "./due.js"
import { getGroup } from "./publish.js"
import type { Store } from "./store.js"
import { isBadFile } from "./tree.js"
import { remember, type View, viewStore } from "./view.js"

/** One data key. */
export interface ListedKey {
  readonly id: string
  readonly number: number
  /**
   * `current`: what is written now is sealed under it; `older`: files at HEAD may be; `retired`: only old
   * versions may be; `refused`: of a fork that does not count.
   */
  readonly state: "current" | "older" | "retired" | "refused"
  readonly created: string
  /** Whole days. */
  readonly age: number
  readonly author: string
  readonly reason: Reason
  /** Files sealed under it now. */
  readonly secrets: number
  /** Older versions sealed under it that git still has; null without git. */
  readonly versions: number | null
  /** Times that something was sealed under it, as far as git still shows. */
  readonly operations: number
}

/** The data keys of a group, newest first. */
export interface GroupKeys {
  readonly group: string
  readonly keys: readonly ListedKey[]
}

const KEYS = objectOf<{ at: Date; groups?: readonly string[] }>({ at: TIME, groups: optional(listOf(GROUP)) })

/** Data keys of groups (default: all), newest first. @throws CofferError `NOT_FOUND` for a group that is not there */
export async function listKeys(
  store: Store,
  request: { at: Date; groups?: readonly string[] | undefined },
): Promise<readonly GroupKeys[]> {
  checkCall(store, request, KEYS)
  const view = await viewStore(store, { use: "look" })
  const wanted = [...new Set(request.groups)].map(group => getGroup(view.keyring, group))
  const groups = wanted.length === 0 ? [...view.keyring.groups.values()] : wanted
  const counts = await countUses(store, view)
  const listed = groups.map(group => ({
    group: group.group,
    keys: [...group.graph.nodes.values()].reverse().map(node => describeKey(group, node, counts, request.at)),
  }))
  await remember(store, view)
  return listed
}

/** Files and old versions by `<group>/<id>`; versions are undefined without git. */
interface Uses {
  readonly secrets: ReadonlyMap<string, number>
  readonly versions: ReadonlyMap<string, number> | undefined
}

function describeKey(group: GroupKeyring, node: RecordNode, uses: Uses, at: Date): ListedKey {
  const { number, created, author, reason } = node.record
  const key = `${group.group}/${node.id}`
  const secrets = uses.secrets.get(key) ?? 0
  const versions = uses.versions === undefined ? null : (uses.versions.get(key) ?? 0)
  return {
    id: node.id,
    number,
    state: stateOf(group, node),
    created,
    age: Math.max(0, ageDays(created, at)),
    author,
    reason,
    secrets,
    versions,
    operations: secrets + (versions ?? 0),
  }
}

function stateOf(group: GroupKeyring, node: RecordNode): ListedKey["state"] {
  if (group.current.includes(node)) return "current"
  const holders = holdersOf(group, node.sha256)
  if (holders.length === 0) return "refused"
  return isRetired(node, holders) ? "retired" : "older"
}

async function countUses(store: Store, view: View): Promise<Uses> {
  const secrets = new Map<string, number>()
  const links = new Set<Oid>()
  for await (const file of view.tree.files("")) {
    if (isBadFile(file) || nameOfPath(file.path) === undefined) continue
    const secret = findSecret(view.keyring, file.bytes)
    if (secret === undefined) continue
    count(secrets, secret)
    for (const oid of linksOf(secret)) links.add(oid)
  }
  if (store.repository === undefined) return { secrets, versions: undefined }
  return { secrets, versions: await countVersions(await store.git(), view.keyring, links) }
}

/** Follows `previous` back, one generation of all secrets at a time. */
async function countVersions(
  git: Git,
  keyring: Keyring,
  start: ReadonlySet<Oid>,
): Promise<Map<string, number>> {
  const versions = new Map<string, number>()
  const seen = new Set<Oid>()
  let wanted = start
  while (wanted.size > 0) {
    const next = new Set<Oid>()
    for (const oid of wanted) seen.add(oid)
    for await (const { bytes } of git.blobs(wanted)) {
      const secret = findSecret(keyring, bytes)
      if (secret === undefined) continue
      count(versions, secret)
      for (const oid of linksOf(secret)) if (!seen.has(oid)) next.add(oid)
    }
    wanted = next
  }
  return versions
}

function linksOf(file: SecretFile): Set<Oid> {
  return new Set(file.previous.map(entry => parsePrevious(entry).oid))
}

function count(uses: Map<string, number>, { group, key }: SecretFile): void {
  const name = `${group}/${key}`
  uses.set(name, 1 + (uses.get(name) ?? 0))
}

/** What is damaged or of another store is for `check` to name: here it is not counted. */
function findSecret(keyring: Keyring, bytes: Uint8Array | undefined): SecretFile | undefined {
  const file = findSecretFile(bytes)
  return file?.store === keyring.store ? file : undefined
}
