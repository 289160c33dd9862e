/** What vectors are made of: fixed identities, keys, nonces; wraps, which are random, are frozen. */
import { createHash } from "node:crypto"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { ageIdentity, wrapDataKey } from "../../src/crypto/age.js"
import { asDataKey, type DataKey, deriveKeys, sealPreviousKeyWithNonce } from "../../src/crypto/data-key.js"
import { deriveSigningSeed, type SigningKey, signingKeyFromSeed, signRecord, signWrite } from "../../src/crypto/signing.js"
import { digestValue, sealWithNonce } from "../../src/crypto/value.js"
import { encodeBech32 } from "../../src/encoding/bech32.js"
import { decodeBase64, encodeBase64 } from "../../src/encoding.js"
import {
  type KeyRecord,
  type Member,
  parseKeyRecord,
  printKeyRecord,
  type Role,
  recordContext,
  recordId,
} from "../../src/format/key-record.js"
import { parseSecretName } from "../../src/format/names.js"
import { printSecretFile, type SecretFile, sealContext, writeContext } from "../../src/format/secret-file.js"

export const VECTORS = "test/vectors"
export const STORE_ID = "5e0c0ffe5e0c0ffe5e0c0ffe5e0c0ffe"

/** Bytes that are the same each time and different for each label. */
export function fixedBytes(label: string, length = 32): Uint8Array {
  return createHash("sha256").update(`coffer vectors: ${label}`).digest().subarray(0, length)
}

function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex")
}

/** Git's id of a file. */
export function blobId(bytes: Uint8Array): string {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex")
}

/** Somebody with an identity. */
export interface Person {
  readonly name: string
  readonly line: string
  readonly recipient: string
  readonly signingKey: SigningKey
}

export async function makePerson(name: string, hrp = "age-secret-key-"): Promise<Person> {
  const secret = fixedBytes(`identity ${name}`)
  const line = encodeBech32(hrp, secret).toUpperCase()
  const { recipient } = await ageIdentity(line)
  return { name, line, recipient, signingKey: signingKeyFromSeed(deriveSigningSeed(secret, hrp)) }
}

export function member(person: Person, role: Role): Member {
  const { name, recipient, signingKey } = person
  return role === "reader" ? { name, role, recipient } : { name, role, recipient, signingKey: signingKey.publicKey }
}

const WRAPS_PATH = join(VECTORS, "wraps.json")
const wraps: Record<string, string> = existsSync(WRAPS_PATH) ? JSON.parse(readFileSync(WRAPS_PATH, "utf8")) : {}

const used = new Set<string>()

/** An age message for a recipient: made once, then always the same. */
export async function frozenWrap(label: string, recipient: string, plain: Uint8Array): Promise<Uint8Array> {
  used.add(label)
  wraps[label] ??= encodeBase64(await wrapDataKey(recipient, plain as DataKey))
  return decodeBase64(wraps[label])!
}

export function frozenWraps(): string {
  return `${JSON.stringify(Object.fromEntries([...used].sort().map(label => [label, wraps[label]])), undefined, 1)}\n`
}

/** A record with its file and what it derives. */
export interface MadeRecord {
  readonly record: KeyRecord
  readonly bytes: Uint8Array
  readonly id: string
  readonly sha256: string
  readonly dataKey: DataKey
}

export interface RecordPlan {
  readonly label: string
  readonly group?: string
  readonly parents?: readonly MadeRecord[]
  /** Keys that it seals; default: its parents'. */
  readonly links?: readonly MadeRecord[]
  readonly reason: KeyRecord["reason"]
  readonly members: readonly Member[]
  readonly policy?: KeyRecord["policy"]
  readonly groups?: ReadonlyMap<string, string>
  readonly oldest?: number
  readonly created: string
  readonly author: Person
}

/** Makes and signs a record by hand, so that it may also be one that coffer would not make. */
export async function makeRecord(plan: RecordPlan): Promise<MadeRecord> {
  const { label, group = "default", parents = [], members, author } = plan
  const number = 1 + Math.max(0, ...parents.map(({ record }) => record.number))
  const dataKey = asDataKey(fixedBytes(`data key ${label}`))!
  const derived = deriveKeys(dataKey, { store: STORE_ID, group, number })
  const id = recordId({ number, commitment: derived.commitment })
  const sorted = [...members].sort((a, b) => (a.name < b.name ? -1 : 1))
  const unsigned: Omit<KeyRecord, "signature"> = {
    store: STORE_ID,
    group,
    number,
    commitment: derived.commitment,
    parents: parents
      .map(parent => ({ id: parent.id, sha256: parent.sha256 }))
      .sort((a, b) => (`${a.id} ${a.sha256}` < `${b.id} ${b.sha256}` ? -1 : 1)),
    reason: plan.reason,
    members: sorted,
    policy: plan.policy ?? {},
    ...(group === "default" ? { groups: plan.groups ?? new Map<string, string>() } : {}),
    oldest: plan.oldest ?? number,
    created: plan.created,
    author: author.name,
    wrap: await Promise.all(sorted.map(to => frozenWrap(`${label} to ${to.name}`, to.recipient, dataKey))),
    previous: (plan.links ?? parents).map(link => ({
      id: link.id,
      ...sealPreviousKeyWithNonce(derived.previous, fixedBytes(`previous ${label} ${link.id}`, 24), {
        id,
        ancestorId: link.id,
        ancestor: link.dataKey,
      }),
    })),
  }
  return finishRecord({ ...unsigned, signature: signRecord(author.signingKey, recordContext(unsigned)) }, dataKey)
}

/** The file of a record and its names, whoever signed it. */
export function finishRecord(record: KeyRecord, dataKey: DataKey): MadeRecord {
  const bytes = printKeyRecord(record)
  // Only what parses is a vector of a record; the order of links is the printer's.
  const parsed = parseKeyRecord(bytes)
  return { record: parsed, bytes, id: recordId(parsed), sha256: sha256Hex(bytes), dataKey }
}

export interface SecretPlan {
  readonly name: string
  readonly value: string | Uint8Array
  readonly key: MadeRecord
  readonly signer: Person
  /** Default: the signer. */
  readonly author?: Person
  readonly version?: number
  readonly state?: SecretFile["state"]
  readonly valueKeys?: readonly string[]
  readonly created?: string
  readonly previous?: readonly string[]
  readonly meta?: Readonly<Record<string, string>>
  readonly changes?: Partial<SecretFile>
}

export interface MadeSecret {
  readonly file: SecretFile
  readonly bytes: Uint8Array
  readonly value: Uint8Array
  readonly salt: Uint8Array
}

/** Signs and seals a secret by hand; `changes` are made before signing. */
export function makeSecret(plan: SecretPlan): MadeSecret {
  const { name, key, signer, version = 1 } = plan
  const value = typeof plan.value === "string" ? Buffer.from(plan.value) : plan.value
  const label = `${name} ${version} ${key.id}`
  const salt = fixedBytes(`salt ${name} ${version}`)
  const { group } = key.record
  const header = {
    store: STORE_ID,
    group,
    name: parseSecretName(name),
    version,
    state: plan.state ?? "current",
    type: typeof plan.value === "string" ? "text" : "binary",
    valueKeys: plan.valueKeys ?? [`${group}/${key.id}`],
    created: plan.created ?? "2026-03-01T12:00:00Z",
    author: (plan.author ?? signer).name,
    previous: plan.previous ?? [],
    meta: new Map(Object.entries(plan.meta ?? {})),
    digest: digestValue(salt, value),
    signer: signer.name,
    ...plan.changes,
  } as const
  const signature = signWrite(signer.signingKey, writeContext(header))
  const signed = { ...header, signature, key: key.id }
  const { seal } = deriveKeys(key.dataKey, { store: STORE_ID, group, number: key.record.number })
  const nonce = fixedBytes(`nonce ${label}`, 24)
  const file = { ...signed, ...sealWithNonce(seal, sealContext(signed), { nonce, salt, value }) }
  return { file, bytes: printSecretFile(file), value, salt }
}
