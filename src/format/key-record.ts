/** The file that publishes a data key: its members, its rules, and the text form of both. */
import { encodeUtf8, equalBytes, isHex256 } from "../encoding.js"
import { printBlock, printBlocks, printItems, printMap, printPlain, printText, quote } from "./canonical.js"
import { CanonicalReader } from "./canonical-reader.js"
import { LIMITS } from "./limits.js"
import { isGroupName, isMemberName, ROOT_GROUP } from "./names.js"
import { isStoreId } from "./store-file.js"
import { isTime } from "./times.js"

/** All roles, as records spell them. */
export const ROLES = ["reader", "writer", "rotator", "admin"] as const
/** What a member may do, each role all that the one before may, except that a rotator signs no secrets. */
export type Role = (typeof ROLES)[number]
/** Why a record was made: information only. */
export type Reason = (typeof REASONS)[number]

/** Who is on the list of a key record, and what he may do. */
export interface Member {
  readonly name: string
  readonly role: Role
  /** The public age key. */
  readonly recipient: string
  /** Lower-case hex of the Ed25519 public key; readers have none. */
  readonly signingKey?: string
}

/** Days and numbers; what is absent is not limited. */
export interface Policy {
  readonly rotation?: {
    /** Days after which the data key is due. */
    readonly interval?: number
    readonly maxOperations?: number
    /** Data keys kept readable from the newest. */
    readonly maxVersions?: number
  }
  readonly retention?: {
    readonly maxVersions?: number
    /** Days. */
    readonly maxAge?: number
  }
}

/** A record that another one follows: the id is a label, the hash of its file is what counts. */
export interface ParentRef {
  readonly id: string
  readonly sha256: string
}

/** An older data key, sealed under the one that the record publishes. */
export interface PreviousKey {
  readonly id: string
  readonly nonce: Uint8Array
  readonly key: Uint8Array
}

export interface KeyRecord {
  readonly store: string
  readonly group: string
  readonly number: number
  /** Lower-case hex; fixes the data key before anybody has opened a wrap. */
  readonly commitment: string
  readonly parents: readonly ParentRef[]
  readonly reason: Reason
  readonly members: readonly Member[]
  readonly policy: Policy
  /** In the default group, and only there: each other group and the hash of a record of it. */
  readonly groups?: ReadonlyMap<string, string>
  /** Number of the oldest data key that a file at HEAD may be sealed under. */
  readonly oldest: number
  readonly created: string
  readonly author: string
  /** One age message for each member, in their order. */
  readonly wrap: readonly Uint8Array[]
  readonly previous: readonly PreviousKey[]
  readonly signature: Uint8Array
}

const REASONS = ["init", "add", "remove", "replace", "rotate", "merge", "policy", "group"] as const
const FIELDS: ReadonlySet<string> = new Set([
  "coffer",
  "store",
  "group",
  "number",
  "commitment",
  "parents",
  "reason",
  "members",
  "policy",
  "groups",
  "oldest",
  "created",
  "author",
  "wrap",
  "previous",
  "signature",
])
const ROTATION = ["interval", "maxOperations", "maxVersions"] as const
const RETENTION = ["maxVersions", "maxAge"] as const
const KEY_ID = /^([1-9][0-9]{0,9})-[0-9a-f]{8}$/
/** Bech32, ssh keys and plugin names; whether it is a key is for the rules of members to say. */
const RECIPIENT = /^[!-~]+( [!-~]+)*$/
const NONCE_BYTES = 24
const SEALED_KEY_BYTES = 48
const SIGNATURE_BYTES = 64

/**
 * Parses a key record. It is in the one form that {@link printKeyRecord} gives, or refused.
 *
 * @param path - for messages.
 * @param options.parsedBefore - these very bytes were accepted before: they are not printed for comparison again.
 * @throws CofferError `NOT_CANONICAL`, `NEWER_FORMAT`
 * @see docs/format.md §5
 */
export function parseKeyRecord(
  bytes: Uint8Array,
  path?: string,
  { parsedBefore = false }: { parsedBefore?: boolean } = {},
): KeyRecord {
  const reader = new CanonicalReader(bytes, {
    format: "key",
    what: path === undefined ? "a key record" : `"${path}"`,
    maxBytes: LIMITS.keyRecordBytes,
    fields: FIELDS,
  })
  const record = readRecord(reader)
  reader.end()
  if (record.wrap.length !== record.members.length) throw reader.fault('"wrap" has not one entry per member')
  // As in a secret's file: kept whatever the reader overlooks.
  if (!parsedBefore && !equalBytes(printKeyRecord(record), bytes))
    throw reader.fault("printed again, it differs")
  return record
}

function readRecord(reader: CanonicalReader): KeyRecord {
  const store = reader.textThat("store", isStoreId)
  const group = reader.textThat("group", isGroupName)
  return {
    store,
    group,
    number: reader.integer("number"),
    commitment: reader.textThat("commitment", isHex256),
    parents: readParents(reader),
    reason: reader.word("reason", REASONS),
    members: readMembers(reader),
    policy: readPolicy(reader),
    ...(group === ROOT_GROUP ? { groups: readGroups(reader) } : {}),
    oldest: reader.integer("oldest"),
    created: reader.textThat("created", isTime),
    author: reader.textThat("author", isMemberName),
    wrap: reader.blocks("wrap", LIMITS.members),
    previous: readPrevious(reader),
    signature: reader.sized("signature", SIGNATURE_BYTES),
  }
}

function readParents(reader: CanonicalReader): readonly ParentRef[] {
  const parents = reader.list("parents", LIMITS.parents, (first, rest) => ({
    id: reader.textThat("id", isKeyId, first),
    sha256: reader.textThat("sha256", isHex256, rest),
  }))
  const order = parents.map(({ id, sha256 }) => `${id} ${sha256}`)
  if (!isRising(order)) throw reader.fault('"parents" is not sorted')
  return parents
}

function readMembers(reader: CanonicalReader): readonly Member[] {
  const members = reader.list("members", LIMITS.members, (first, rest) => {
    const member = {
      name: reader.textThat("name", isMemberName, first),
      role: reader.word("role", ROLES, rest),
      recipient: reader.textThat("recipient", text => RECIPIENT.test(text), rest),
    }
    if (!reader.has("signingKey", rest)) return member
    return { ...member, signingKey: reader.textThat("signingKey", isHex256, rest) }
  })
  // Equal names are for the rules of members to refuse, by their own code.
  const names = members.map(({ name }) => name)
  if (names.some((name, index) => index > 0 && name < names[index - 1]!)) {
    throw reader.fault('"members" is not sorted')
  }
  return members
}

function readPolicy(reader: CanonicalReader): Policy {
  if (!reader.section("policy")) return {}
  const rotation = readIntegers(reader, "rotation", ROTATION)
  const retention = readIntegers(reader, "retention", RETENTION)
  if (rotation === undefined && retention === undefined) throw reader.fault('"policy" is not as it must be')
  return {
    ...(rotation === undefined ? {} : { rotation }),
    ...(retention === undefined ? {} : { retention }),
  }
}

function readIntegers<F extends string>(
  reader: CanonicalReader,
  section: string,
  fields: readonly F[],
): Partial<Record<F, number>> | undefined {
  if (!reader.has(section, "  ") || !reader.section(section, "  ")) return undefined
  const present = fields.map(field =>
    reader.has(field, "    ") ? [[field, reader.integer(field, "    ")] as const] : [],
  )
  return Object.fromEntries(present.flat()) as Partial<Record<F, number>>
}

function readGroups(reader: CanonicalReader): ReadonlyMap<string, string> {
  const groups = reader.map("groups", LIMITS.groups)
  for (const [group, sha256] of groups) {
    if (group === ROOT_GROUP || !isGroupName(group) || !isHex256(sha256)) {
      throw reader.fault('"groups" has an entry that is not a group and a hash')
    }
  }
  return groups
}

function readPrevious(reader: CanonicalReader): readonly PreviousKey[] {
  const keys = reader.list("previous", LIMITS.previousKeys, (first, rest) => ({
    id: reader.textThat("id", isKeyId, first),
    nonce: reader.sized("nonce", NONCE_BYTES, rest),
    key: reader.sized("key", SEALED_KEY_BYTES, rest),
  }))
  if (!isRising(keys.map(({ id }) => id))) throw reader.fault('"previous" is not sorted')
  return keys
}

/** Whether `text` is the id of a data key, `<number>-<8 hex digits>`. */
export function isKeyId(text: string): boolean {
  return Number(KEY_ID.exec(text)?.[1] ?? Number.NaN) <= LIMITS.integer
}

function isRising(texts: readonly string[]): boolean {
  return texts.every((text, index) => index === 0 || text > texts[index - 1]!)
}

/**
 * Prints a key record; `groups` and `previous` are sorted, all else stands as it is given.
 *
 * @see docs/format.md §5
 */
export function printKeyRecord(record: KeyRecord): Uint8Array {
  return encodeUtf8(printUnsigned(record) + printBlock("signature", record.signature))
}

/** The bytes that a record is signed over: all above `signature`. */
export function recordContext(record: Omit<KeyRecord, "signature">): Uint8Array {
  return encodeUtf8(printUnsigned(record))
}

function printUnsigned(record: Omit<KeyRecord, "signature">): string {
  return [
    printPlain("coffer", "key/1"),
    printText("store", record.store),
    printText("group", record.group),
    printPlain("number", record.number),
    printText("commitment", record.commitment),
    printItems("parents", record.parents.map(printParent)),
    printPlain("reason", record.reason),
    printItems("members", record.members.map(printMember)),
    printPolicy(record.policy),
    record.groups === undefined ? "" : printMap("groups", record.groups),
    printPlain("oldest", record.oldest),
    printText("created", record.created),
    printText("author", record.author),
    printBlocks("wrap", record.wrap),
    printItems("previous", [...record.previous].sort(byId).map(printPrevious)),
  ].join("")
}

function printParent({ id, sha256 }: ParentRef): string {
  return `  - id: ${quote(id)}\n${printText("sha256", sha256, "    ")}`
}

function printMember({ name, role, recipient, signingKey }: Member): string {
  const lines = [`  - name: ${quote(name)}\n`, printPlain("role", role, "    ")]
  lines.push(printText("recipient", recipient, "    "))
  if (signingKey !== undefined) lines.push(printText("signingKey", signingKey, "    "))
  return lines.join("")
}

function printPolicy({ rotation, retention }: Policy): string {
  const sections =
    printIntegers("rotation", rotation, ROTATION) + printIntegers("retention", retention, RETENTION)
  return sections === "" ? "policy: {}\n" : `policy:\n${sections}`
}

function printIntegers<F extends string>(
  section: string,
  values: Partial<Record<F, number>> | undefined,
  fields: readonly F[],
): string {
  const lines = fields.map(field => {
    const value = values?.[field]
    return value === undefined ? "" : printPlain(field, value, "    ")
  })
  const text = lines.join("")
  return text === "" ? "" : `  ${section}:\n${text}`
}

function printPrevious({ id, nonce, key }: PreviousKey): string {
  return `  - id: ${quote(id)}\n${printBlock("nonce", nonce, "    ")}${printBlock("key", key, "    ")}`
}

function byId(a: { id: string }, b: { id: string }): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}

/** The id of the data key that a record publishes, such as `3-9f2c1a7b`. */
export function recordId({ number, commitment }: Pick<KeyRecord, "number" | "commitment">): string {
  return `${number}-${commitment.slice(0, 8)}`
}

/** The file of a record, relative to the store. */
export function recordPath(group: string, id: string): string {
  return `.coffer/keys/${group}/${id}.yaml`
}
