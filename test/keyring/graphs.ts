/** Key records made for tests: honest ones and forged ones, and the input that verifies them. */
import { ageIdentity, newIdentityLine, wrapDataKey } from "../../src/crypto/age.js"
import { type DataKey, deriveKeys, newDataKey, sealPreviousKey } from "../../src/crypto/data-key.js"
import {
  deriveSigningSeed,
  type SigningKey,
  signingKeyFromSeed,
  signRecord,
} from "../../src/crypto/signing.js"
import { type ErrorCode, hasCode } from "../../src/errors.js"
import {
  type KeyRecord,
  type Member,
  printKeyRecord,
  type Role,
  recordContext,
  recordId,
  recordPath,
} from "../../src/format/key-record.js"
import { printTime } from "../../src/format/times.js"
import { makeNode, type RecordNode } from "../../src/keyring/graph.js"
import type { Unwrapper } from "../../src/keyring/open.js"
import { parsePin, printPin } from "../../src/keyring/pin.js"
import type { KnownRecords } from "../../src/keyring/trust.js"
import { type Keyring, type VerifyInput, verifyKeyring } from "../../src/keyring/verify.js"

export const STORE = "00112233445566778899aabbccddeeff"
const START = Date.UTC(2026, 0, 1)

/** Somebody with an age identity and the signing key that goes with it. */
export interface Person {
  readonly name: string
  readonly recipient: string
  readonly signing: SigningKey
  readonly identity: Unwrapper
  /** The private line of an identity file. */
  readonly line: string
  /** A wrap of some key for this person: records that are never opened share it. */
  readonly anyWrap: Uint8Array
}

export async function makePerson(name: string): Promise<Person> {
  const line = newIdentityLine()
  const identity = await ageIdentity(line)
  const signing = signingKeyFromSeed(deriveSigningSeed(identity.secret, identity.hrp))
  const anyWrap = await wrapDataKey(identity.recipient, newDataKey())
  return { name, recipient: identity.recipient, signing, identity, line, anyWrap }
}

export async function makePeople<Name extends string>(...names: Name[]): Promise<Record<Name, Person>> {
  const people = await Promise.all(names.map(name => makePerson(name)))
  return Object.fromEntries(people.map(person => [person.name, person])) as Record<Name, Person>
}

export function member(person: Person, role: Role): Member {
  const { name, recipient, signing } = person
  return role === "reader"
    ? { name, role, recipient }
    : { name, role, recipient, signingKey: signing.publicKey }
}

/** A record to forge: everything that is left out is as an honest author would have it. */
export interface Forgery extends Partial<Omit<KeyRecord, "parents" | "author" | "signature" | "members">> {
  readonly by: Person
  readonly members: readonly Member[]
  readonly parents?: readonly RecordNode[]
  /** Signs with this key in place of the author's. */
  readonly signing?: SigningKey
  readonly signature?: Uint8Array
  /** The data key that it publishes. Default: a new one. */
  readonly dataKey?: DataKey
}

const dataKeys = new Map<string, DataKey>()
const people = new Map<string, Person>()

/** Makes `anyWrap` of these people known to {@link forge}. */
export function register(...known: Person[]): void {
  for (const person of known) people.set(person.recipient, person)
}

/** The data key of a forged record: forged wraps do not hold it. */
export function dataKeyOf(node: RecordNode): DataKey {
  return dataKeys.get(node.sha256)!
}

/** Builds and signs a record whatever it says. Unless they are given, its wraps have the right shape and hold another key. */
export function forge(forgery: Forgery): RecordNode {
  const { by, members, parents = [], signing = by.signing, signature, ...rest } = forgery
  const { dataKey = newDataKey(), ...fields } = rest
  const number = fields.number ?? 1 + Math.max(0, ...parents.map(parent => parent.record.number))
  const { store = STORE, group = "default" } = fields
  const keys = deriveKeys(dataKey, { store, group, number })
  const id = recordId({ number, commitment: keys.commitment })
  const sorted = [...members].sort((a, b) => (a.name < b.name ? -1 : 1))
  const unsigned: Omit<KeyRecord, "signature"> = {
    store,
    group,
    number,
    commitment: keys.commitment,
    parents: parents
      .map(parent => ({ id: parent.id, sha256: parent.sha256 }))
      .sort((a, b) => (a.id + a.sha256 < b.id + b.sha256 ? -1 : 1)),
    reason: parents.length === 0 ? "init" : "rotate",
    members: sorted,
    policy: {},
    ...(group === "default" ? { groups: parents[0]?.record.groups ?? new Map() } : {}),
    oldest: oldestOf(parents, sorted, number),
    created: [printTime(new Date(START + number * 60_000)), ...parents.map(parent => parent.record.created)]
      .sort()
      .at(-1)!,
    author: by.name,
    wrap: sorted.map(entry => people.get(entry.recipient)?.anyWrap ?? by.anyWrap),
    previous: parents
      .filter(parent => dataKeys.has(parent.sha256))
      .map(parent => ({
        id: parent.id,
        ...sealPreviousKey(keys.previous, id, parent.id, dataKeyOf(parent)),
      })),
    ...fields,
  }
  const record = { ...unsigned, signature: signature ?? signRecord(signing, recordContext(unsigned)) }
  const node = makeNode(recordPath(group, recordId(record)), printKeyRecord(record))
  dataKeys.set(node.sha256, dataKey)
  return node
}

function oldestOf(parents: readonly RecordNode[], members: readonly Member[], number: number): number {
  const [only, second] = parents
  if (only === undefined || second !== undefined) return number
  const kept = only.record.members.every(before =>
    members.some(now => JSON.stringify(now) === JSON.stringify(before)),
  )
  return kept ? only.record.oldest : number
}

/** Verification input for some records: pinned at `pin`, without state. */
export function inputOf(
  nodes: readonly RecordNode[],
  options: {
    pin?: RecordNode
    known?: KnownRecords
    behind?: readonly string[]
    groups?: readonly string[]
  } = {},
): VerifyInput {
  return {
    store: STORE,
    files: nodes.map(({ path, bytes }) => ({ path, bytes })),
    pin: options.pin && parsePin(printPin(STORE, options.pin)),
    known: options.known,
    behind: new Set(options.behind),
    ...(options.groups && { groups: options.groups }),
  }
}

/** Local state that has verified `nodes`, of which `newest` are the newest. */
export function knownOf(nodes: readonly RecordNode[], ...newest: RecordNode[]): KnownRecords {
  return {
    newest: new Map(newest.map(node => [node.record.group, [node.sha256]])),
    records: new Map(nodes.map(node => [node.sha256, node.bytes])),
    verified: new Set(),
  }
}

/** Fails unless verification refuses with `code` and a message that names the file. */
export function assertRefused(input: VerifyInput, code: ErrorCode, file: string | RecordNode): void {
  const path = typeof file === "string" ? file : file.path
  let keyring: Keyring
  try {
    keyring = verifyKeyring(input)
  } catch (error) {
    if (!hasCode(error, code)) throw error
    if (!error.message.includes(`"${path}"`))
      throw new Error(`the message does not name ${path}: ${error.message}`)
    return
  }
  throw new Error(
    `accepted: ${[...keyring.groups.values()].map(group => group.current.map(node => node.path))}`,
  )
}

/** Ids of the records that count in a group. */
export function currentOf(keyring: Keyring, group = "default"): readonly string[] {
  return keyring.groups.get(group)!.current.map(node => node.id)
}
