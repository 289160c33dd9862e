/** Arbitrary valid files for properties, and arbitrary damage to them. */
import * as fc from "fast-check"
import { encodeHex } from "../../src/encoding.js"
import type { KeyRecord, Member, PreviousKey, Reason, Role } from "../../src/format/key-record.js"
import type { SecretName } from "../../src/format/names.js"
import type { SecretFile } from "../../src/format/secret-file.js"
import { printTime } from "../../src/format/times.js"

const hex = (bytes: number) => fc.uint8Array({ minLength: bytes, maxLength: bytes }).map(encodeHex)
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const integer = fc.oneof(fc.integer({ min: 1, max: 2 ** 31 - 1 }), fc.integer({ min: 1, max: 20 }))
const keyId = fc.tuple(integer, hex(4)).map(([number, digits]) => `${number}-${digits}`)
/** Words that YAML takes for something else when they are not in quotes. */
const odd = fc.constantFrom("1e3", "true", "null", "0123", "0x1f", "1.0", "12e03", "Infinity", "no", "y")
const segment = fc.oneof(odd, fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,8}$/))
const notReserved = (text: string) => !/^(con|prn|aux|nul|com[0-9]|lpt[0-9])$/i.test(text)
const path = fc
  .array(segment.filter(notReserved), { minLength: 1, maxLength: 5 })
  .map(parts => parts.join("/"))
const group = fc.oneof(
  fc.constant("default"),
  path.filter(text => !/^default(\/|$)/i.test(text)),
)
const person = fc.oneof(odd, fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._@+-]{0,12}$/))
const time = fc.date({ min: new Date(0), max: new Date("9999-12-31"), noInvalidDate: true }).map(printTime)

const printable = fc
  .string({ unit: "binary", maxLength: 40 })
  .map(text =>
    text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff\p{Noncharacter_Code_Point}\p{Cs}]/gu, ""),
  )
const metaKey = fc.oneof(
  fc.constantFrom("constructor", "toString", "true", "null", "owner"),
  fc.stringMatching(/^[a-z][A-Za-z0-9._-]{0,10}$/),
)
const known = ["rotateAfter", "expires", "env", "movedTo"]
const meta = fc
  .array(fc.tuple(metaKey, printable), { maxLength: 6 })
  .map(entries => new Map(entries.filter(([key]) => !known.includes(key))))

export const secretFile: fc.Arbitrary<SecretFile> = fc.record({
  store: hex(16),
  group,
  name: path.map(text => text as SecretName),
  version: integer,
  state: fc.constantFrom("current" as const, "deleted" as const),
  type: fc.constantFrom("text" as const, "binary" as const),
  valueKeys: fc.array(
    fc.tuple(group, keyId).map(parts => parts.join("/")),
    { minLength: 1, maxLength: 4 },
  ),
  created: time,
  author: person,
  previous: fc.array(
    fc.tuple(integer, fc.oneof(hex(20), hex(32))).map(parts => parts.join("-")),
    { maxLength: 4 },
  ),
  meta,
  digest: hex(32),
  signer: person,
  signature: bytes(64),
  key: keyId,
  nonce: bytes(24),
  value: fc.uint8Array({ minLength: 1, maxLength: 400 }),
})

const role = fc.constantFrom<Role>("reader", "writer", "rotator", "admin")
const reason = fc.constantFrom<Reason>(
  "init",
  "add",
  "remove",
  "replace",
  "rotate",
  "merge",
  "policy",
  "group",
)
const member: fc.Arbitrary<Member> = fc
  .record({
    name: person,
    role,
    recipient: fc.stringMatching(/^age1[a-z0-9]{1,20}$/),
    key: fc.option(hex(32)),
  })
  .map(({ key, ...rest }) => (key === null ? rest : { ...rest, signingKey: key }))

/** Some of the fields, none of them undefined. */
function some<T extends string>(...fields: T[]): fc.Arbitrary<Partial<Record<T, number>>> {
  return fc
    .tuple(...fields.map(() => fc.option(integer)))
    .map(values =>
      Object.fromEntries(fields.flatMap((field, index) => (values[index] ? [[field, values[index]]] : []))),
    )
    .map(entries => entries as Partial<Record<T, number>>)
}

const policy = fc
  .tuple(some("interval", "maxOperations", "maxVersions"), some("maxVersions", "maxAge"))
  .map(([rotation, retention]) => ({
    ...(Object.keys(rotation).length > 0 ? { rotation } : {}),
    ...(Object.keys(retention).length > 0 ? { retention } : {}),
  }))

const sealedKey: fc.Arbitrary<PreviousKey> = fc.record({ id: keyId, nonce: bytes(24), key: bytes(48) })

export const keyRecord: fc.Arbitrary<KeyRecord> = fc
  .record({
    store: hex(16),
    group,
    number: integer,
    commitment: hex(32),
    parents: fc.uniqueArray(fc.record({ id: keyId, sha256: hex(32) }), {
      maxLength: 3,
      selector: ({ id }) => id,
    }),
    reason,
    members: fc.array(member, { maxLength: 4 }),
    policy,
    oldest: integer,
    created: time,
    author: person,
    previous: fc.uniqueArray(sealedKey, { maxLength: 2, selector: ({ id }) => id }),
    signature: bytes(64),
  })
  .chain(record =>
    fc.record({
      record: fc.constant(record),
      wrap: fc.array(fc.uint8Array({ minLength: 1, maxLength: 250 }), {
        minLength: record.members.length,
        maxLength: record.members.length,
      }),
      groups: fc.array(
        fc.tuple(
          group.filter(name => name !== "default"),
          hex(32),
        ),
        { maxLength: 3 },
      ),
    }),
  )
  .map(({ record, wrap, groups }) => ({
    ...record,
    wrap,
    members: [...record.members].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)),
    parents: [...record.parents].sort((a, b) => (a.id < b.id ? -1 : 1)),
    previous: [...record.previous].sort((a, b) => (a.id < b.id ? -1 : 1)),
    ...(record.group === "default" ? { groups: new Map(groups) } : {}),
  }))

/** Small changes to a text, as editors, merges and attackers make them. */
export function damaged(originals: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const piece = fc.oneof(
    fc.constantFrom(
      "\n",
      " ",
      "  ",
      '"',
      "\\",
      "\\u0000",
      ": ",
      "- ",
      "|",
      "[]",
      "{}",
      "#",
      "&a",
      "*a",
      "!!x",
      "\t",
    ),
    fc.constantFrom(
      "\r\n",
      "\ufeff",
      "---\n",
      "? ",
      "coffer: secret/2\n",
      "x: ",
      "__proto__",
      "9".repeat(20),
    ),
    fc.string({ unit: "binary", maxLength: 5 }),
  )
  const change = fc.record({
    at: fc.nat(),
    remove: fc.oneof(fc.constant(0), fc.nat(3), fc.nat(200)),
    insert: piece,
  })
  return fc
    .tuple(fc.constantFrom(...originals), fc.array(change, { minLength: 1, maxLength: 3 }))
    .map(([original, changes]) => {
      let bytes = Buffer.from(original)
      for (const { at, remove, insert } of changes) {
        const start = at % (bytes.length + 1)
        bytes = Buffer.concat([bytes.subarray(0, start), Buffer.from(insert), bytes.subarray(start + remove)])
      }
      return bytes
    })
}
