/** Vectors of the text form: files that parse, with their data, and files that are refused, with the code. */
import { encodeBase64 } from "../../src/encoding.js"
import { parseKeyRecord, printKeyRecord } from "../../src/format/key-record.js"
import { parseSecretFile, printSecretFile } from "../../src/format/secret-file.js"
import { parseStoreFile } from "../../src/format/store-file.js"
import { fixedBytes, makePerson, makeRecord, member } from "./material.js"
import type { makeStory } from "./store-story.js"

export type Kind = "secret" | "key" | "store"

export const PARSERS: Readonly<Record<Kind, (bytes: Uint8Array) => object>> = {
  secret: parseSecretFile,
  key: parseKeyRecord,
  store: parseStoreFile,
}

export interface FileVector {
  readonly name: string
  readonly kind: Kind
  readonly bytes: Uint8Array
}

export interface RefusedVector extends FileVector {
  readonly code: string
  readonly why: string
}

/** Data as JSON has it: maps as objects, bytes as base64. */
export function toJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return encodeBase64(value)
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, item]) => [key, toJson(item)]))
  if (Array.isArray(value)) return value.map(toJson)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJson(item)]))
}

export async function makeFiles({ records, secrets, tree }: Awaited<ReturnType<typeof makeStory>>) {
  const byName = (name: string) => secrets.find(({ file }) => file.name === name)!
  const { root1, root6 } = records
  const hybrid = await makePerson("hybrid", "age-secret-key-pq-")
  const hybridRecord = await makeRecord({
    label: "hybrid1",
    group: "prod/pq",
    reason: "group",
    members: [member(hybrid, "admin")],
    created: "2026-01-06T00:00:00Z",
    author: hybrid,
  })
  // Seventeen base64 lines, and lines that end exactly with one.
  const edges = byName("app/URL").file
  const positive: FileVector[] = [
    { name: "store", kind: "store", bytes: tree.get(".coffer/store.yaml")! },
    { name: "secret", kind: "secret", bytes: byName("app/URL").bytes },
    { name: "secret-first-version", kind: "secret", bytes: byName("API_TOKEN").bytes },
    { name: "secret-tombstone", kind: "secret", bytes: byName("gone").bytes },
    { name: "secret-binary", kind: "secret", bytes: byName("blob").bytes },
    { name: "secret-in-group", kind: "secret", bytes: byName("prod/db/PASSWORD").bytes },
    { name: "secret-numeric-name", kind: "secret", bytes: byName("1e3").bytes },
    {
      name: "secret-full-lines",
      kind: "secret",
      bytes: printSecretFile({ ...edges, value: Buffer.concat(Array.from({ length: 9 }, (_, i) => fixedBytes(`v${i}`))).subarray(0, 57 * 5) }),
    },
    {
      name: "secret-odd-keys",
      kind: "secret",
      bytes: printSecretFile({
        ...edges,
        meta: new Map([
          ["a", ""],
          ["constructor", '"\\" '],
          ["false", "null"],
          ["toString", "\u00a0 Ünïcödé 📦"],
        ]),
      }),
    },
    { name: "key-first", kind: "key", bytes: root1.bytes },
    { name: "key-merge", kind: "key", bytes: records.root4.bytes },
    { name: "key-newest", kind: "key", bytes: root6.bytes },
    { name: "key-group", kind: "key", bytes: records.prod2.bytes },
    { name: "key-hybrid", kind: "key", bytes: hybridRecord.bytes },
    {
      name: "key-no-links",
      kind: "key",
      bytes: printKeyRecord({ ...root6.record, previous: [], policy: { retention: { maxVersions: 5 } } }),
    },
  ]
  return { positive, refused: makeRefused(positive) }
}

function makeRefused(positive: readonly FileVector[]): RefusedVector[] {
  const textOf = (name: string) => Buffer.from(positive.find(file => file.name === name)!.bytes).toString("utf8")
  const sources = { secret: textOf("secret"), key: textOf("key-merge"), store: textOf("store") }
  return REFUSED.map(([kind, name, why, change, code = "NOT_CANONICAL"]) => {
    const text = change(sources[kind])
    if (text === sources[kind]) throw new Error(`${name} changes nothing`)
    return { kind, name: `${kind}-${name}`, why, code, bytes: Buffer.from(text, "utf8") }
  })
}

type Change = (text: string) => string

const REFUSED: readonly [kind: Kind, name: string, why: string, change: Change, code?: string][] = [
  ["secret", "format-2", "format 2", t => t.replace("secret/1", "secret/2"), "NEWER_FORMAT"],
  ["secret", "new-field", "an unknown field", t => t.replace("key: ", 'suite: "2"\nkey: '), "NEWER_FORMAT"],
  ["secret", "header-changed", "the sum does not fit", t => t.replace("version: 2", "version: 3"), "DAMAGED"],
  ["secret", "sum-changed", "another sum", t => t.replace(/sum: "(.)/, (_, digit) => `sum: "${digit === "0" ? 1 : 0}`), "DAMAGED"],
  ["secret", "conflict-markers", "a merge left its markers", t => t.replace("version", "<<<<<<< HEAD\nversion")],
  ["secret", "crlf", "line endings of Windows", t => t.replaceAll("\n", "\r\n")],
  ["secret", "bom", "a byte order mark", t => `\ufeff${t}`],
  ["secret", "empty", "no bytes", () => ""],
  ["secret", "plaintext", "plaintext below the first line", t => `${t.slice(0, t.indexOf("\n"))}\npassword: hunter2\n`, "NEWER_FORMAT"],
  ["secret", "plain-text", "plaintext", () => "hunter2\n"],
  ["secret", "key-record", "a key record's first line", t => t.replace("secret/1", "key/1")],
  ["secret", "comment", "a comment", t => t.replace("version", "# rotate me\nversion")],
  ["secret", "no-final-lf", "no line feed at the end", t => t.slice(0, -1)],
  ["secret", "trailing-line", "an empty line at the end", t => `${t}\n`],
  ["secret", "field-twice", "a field twice", t => t.replace("version: 2\n", "version: 2\nversion: 2\n")],
  ["secret", "field-missing", "a field left out", t => t.replace("version: 2\n", "")],
  ["secret", "field-order", "two fields swapped", t => t.replace("version: 2\nstate: current\n", "state: current\nversion: 2\n")],
  ["secret", "single-quotes", "another kind of quotes", t => t.replace('"ben"', "'ben'")],
  ["secret", "no-quotes", "no quotes", t => t.replace('"ben"', "ben")],
  ["secret", "trailing-space", "a space at the end of a line", t => t.replace("version: 2", "version: 2 ")],
  ["secret", "leading-zero", "a number with a zero in front", t => t.replace("version: 2", "version: 02")],
  ["secret", "version-0", "version 0", t => t.replace("version: 2", "version: 0")],
  ["secret", "version-large", "a version above 2^31 - 1", t => t.replace("version: 2", "version: 2147483648")],
  ["secret", "version-quoted", "a number in quotes", t => t.replace("version: 2", 'version: "2"')],
  ["secret", "needless-escape", "an escape that is not needed", t => t.replace('"ben"', '"\\u0062en"')],
  ["secret", "escape-case", "an escape with upper-case digits", t => t.replace("address", "\\u000A")],
  ["secret", "short-escape", "an escape of YAML that this form does not have", t => t.replace("address", "\\n")],
  ["secret", "control-in-meta", "a control character in meta", t => t.replace("address", "\\u000a")],
  ["secret", "raw-control", "a control character as it is", t => t.replace("address", "\u0007")],
  ["secret", "raw-separator", "a line separator as it is", t => t.replace("address", "\u2028")],
  ["secret", "noncharacter", "a noncharacter", t => t.replace("address", "\uffff")],
  ["secret", "tag", "a tag", t => t.replace('author: "', 'author: !!str "')],
  ["secret", "anchor", "an anchor", t => t.replace('author: "', 'author: &a "')],
  ["secret", "directive", "a directive", t => `%YAML 1.2\n---\n${t}`],
  ["secret", "document-mark", "a document mark", t => `---\n${t}`],
  ["secret", "flow", "a flow collection", t => t.replace(/meta:\n( .*\n)+/, 'meta: {"env": "A"}\n')],
  ["secret", "list-indent", "a list that is not indented", t => t.replace(/valueKeys:\n {2}/, "valueKeys:\n")],
  ["secret", "empty-value-keys", "no valueKeys", t => t.replace(/valueKeys:\n( .*\n)+/, "valueKeys: []\n")],
  ["secret", "value-key", "a valueKeys entry without a group", t => t.replace(/valueKeys:\n {2}- "default\//, 'valueKeys:\n  - "')],
  ["secret", "previous-oid", "a git id of 39 digits", t => t.replace(/(previous:\n.*).("\n)/, "$1$2")],
  ["secret", "previous-many", "five entries of previous", t => t.replace(/(previous:\n)(.*\n)/, "$1$2$2$2$2$2")],
  ["secret", "bad-name", "a name that leaves the store", t => t.replace('"app/URL"', '"../URL"')],
  ["secret", "yaml-name", "a name below a folder a.yaml", t => t.replace('"app/URL"', '"app.yaml/URL"')],
  ["secret", "bad-group", "a group below default", t => t.replace('group: "default"', 'group: "default/x"')],
  ["secret", "bad-signer", "a signer with a space", t => t.replace('signer: "ben"', 'signer: "b en"')],
  ["secret", "bad-state", "an unknown state", t => t.replace("state: current", "state: gone")],
  ["secret", "bad-time", "a day that does not exist", t => t.replace("2026-02-10", "2026-02-30")],
  ["secret", "time-zone", "a time with an offset", t => t.replace("12:00:00Z", "12:00:00+00:00").replace("00:00:00Z", "00:00:00+00:00")],
  ["secret", "meta-order", "meta that is not sorted", t => t.replace('"description"', '"zescription"')],
  ["secret", "meta-key", "a meta key in upper case", t => t.replace('"env"', '"Env"')],
  ["secret", "meta-rotate-after", "rotateAfter that is no number of days", t => t.replace('"90d"', '"90"')],
  ["secret", "meta-long", "a meta value above 1 KiB", t => t.replace("address", "x".repeat(1025))],
  ["secret", "hex-case", "hex in upper case", t => t.replace(/digest: ".*"/, line => line.toUpperCase().replace("DIGEST", "digest"))],
  ["secret", "nonce-short", "a nonce of 23 bytes", t => t.replace(/nonce: \|\n {2}.{32}/, `nonce: |\n  ${"A".repeat(31)}=`)],
  ["secret", "signature-long", "a signature of 66 bytes", t => t.replace(/(signature: \|\n.*\n {2}.{10})==/, "$1AA")],
  ["secret", "base64-wide", "a base64 line of 77 characters", t => t.replace(/(value: \|\n {2}.{76})\n {2}(.)/, "$1$2\n  ")],
  ["secret", "base64-narrow", "base64 that is broken too early", t => t.replace(/(value: \|\n.{40})/, "$1\n  ")],
  ["secret", "base64-bits", "base64 with unused bits set", t => t.replace(/(signature: \|\n.*\n {2}.{9}).==/, "$1/==")],
  ["secret", "base64-indent", "base64 that is indented too far", t => t.replace("nonce: |\n  ", "nonce: |\n   ")],
  ["secret", "base64-folded", "a folded block", t => t.replace("nonce: |", "nonce: >")],
  ["secret", "base64-chomp", "a block with a chomping sign", t => t.replace("nonce: |", "nonce: |-")],
  ["secret", "second-document", "a second document", t => `${t}---\n${t}`],
  ["key", "format-2", "format 2", t => t.replace("key/1", "key/2"), "NEWER_FORMAT"],
  ["key", "new-field", "an unknown field", t => t.replace("wrap:", "threshold: 2\nwrap:"), "NEWER_FORMAT"],
  ["key", "new-last-field", "an unknown field at the end", t => `${t}cosigner: "x"\n`, "NEWER_FORMAT"],
  ["key", "members-order", "members that are not sorted", t => t.replace('name: "ana"', 'name: "zoe"')],
  ["key", "parents-order", "parents that are not sorted", t => t.replace(/( {2}- id.*\n {4}sha.*\n)( {2}- id.*\n {4}sha.*\n)/, "$2$1")],
  ["key", "parent-twice", "a parent twice", t => t.replace(/( {2}- id.*\n {4}sha.*\n)( {2}- id.*\n {4}sha.*\n)/, "$1$1")],
  ["key", "role", "an unknown role", t => t.replace("role: admin", "role: owner")],
  ["key", "member-field", "a member with an unknown field", t => t.replace("    role: admin", '    email: "x"\n    role: admin')],
  ["key", "reason", "an unknown reason", t => t.replace("reason: merge", "reason: because")],
  ["key", "wrap-missing", "a wrap too few", t => t.replace(/ {2}- \|\n( {4}.*\n)+/, "")],
  ["key", "groups-missing", "no groups in the default group", t => t.replace(/groups:\n( .*\n)+/, "")],
  ["key", "groups-default", "the default group in groups", t => t.replace('  "prod":', '  "default":')],
  ["key", "group-with-groups", "groups in another group", t => t.replace('group: "default"', 'group: "prod"')],
  ["key", "number-0", "number 0", t => t.replace("number: 4", "number: 0")],
  ["key", "oldest-missing", "oldest left out", t => t.replace("oldest: 4\n", "")],
  ["key", "policy-unit", "a policy with a unit", t => t.replace("policy: {}", 'policy:\n  rotation:\n    interval: "90d"')],
  ["key", "policy-empty-section", "an empty section of policy", t => t.replace("policy: {}", "policy:\n  rotation: {}")],
  ["key", "policy-unknown", "an unknown section of policy", t => t.replace("policy: {}", "policy:\n  quorum:\n    size: 2")],
  ["key", "hash-short", "a hash of 63 digits", t => t.replace(/(sha256: ".*)."/, '$1"')],
  ["key", "previous-order", "previous keys that are not sorted", t => t.replace(/previous:\n {2}- id: "3-/, 'previous:\n  - id: "9-')],
  ["key", "previous-key-short", "a sealed key of 47 bytes", t => t.replace(/( {4}key: \|\n {6}.{63})./, "$1=")],
  ["key", "recipient-space", "a recipient with a line feed", t => t.replace('recipient: "age1', 'recipient: "\\u000aage1')],
  ["store", "format-2", "format 2", t => t.replace("/1", "/2"), "NEWER_FORMAT"],
  ["store", "new-field", "an unknown field", t => `${t}name: "x"\n`, "NEWER_FORMAT"],
  ["store", "short-id", "an id of 31 digits", t => t.replace(/(store: ".*)."/, '$1"')],
  ["store", "upper-case", "an id in upper case", t => t.replace("5e0c", "5E0C")],
  ["store", "large", "more than 4096 bytes", t => t + "#".repeat(5000)],
]
