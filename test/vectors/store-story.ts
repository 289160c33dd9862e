/**
 * A small store with a past: people who joined and left, keyrings that ran apart and were joined,
 * a second group and a nested one, secrets of every kind; and attacks on it.
 */
import { createHash } from "node:crypto"
import { deriveKeys } from "../../src/crypto/data-key.js"
import { signRecord } from "../../src/crypto/signing.js"
import { sealWithNonce } from "../../src/crypto/value.js"
import { encodeBase32, encodeUtf8, pae } from "../../src/encoding.js"
import { type KeyRecord, recordContext, recordPath } from "../../src/format/key-record.js"
import { printSecretFile, sealContext } from "../../src/format/secret-file.js"
import { GIT_ATTRIBUTES, printStoreFile } from "../../src/format/store-file.js"
import {
  blobId,
  finishRecord,
  fixedBytes,
  frozenWrap,
  type MadeRecord,
  type MadeSecret,
  makePerson,
  makeRecord,
  makeSecret,
  member,
  type Person,
  STORE_ID,
} from "./material.js"

export type Tree = Map<string, Uint8Array>

export interface Attack {
  readonly name: string
  readonly what: string
  /** Null where everything is read all the same. */
  readonly code: string | null
  /** Files that are put into the store's folder, over what is there. */
  readonly put: Tree
  readonly remove: readonly string[]
  /** Whose identity reads; the default is ana's. */
  readonly reader?: string
  /** The pin that is given; the default is the newest. */
  readonly pin?: string
}

function pinOf({ record, sha256 }: MadeRecord): string {
  const hash = createHash("sha256").update(pae("coffer/v1/pin", STORE_ID, Buffer.from(sha256, "hex"))).digest()
  return `coffer1-${record.number}-${encodeBase32(hash)}`
}

function pathOfRecord({ record, id }: MadeRecord): string {
  return recordPath(record.group, id)
}

function pathOfSecret({ file }: MadeSecret): string {
  return `${file.name}.yaml`
}

export async function makeStory() {
  const [ana, ben, ci, eve] = await Promise.all(["ana", "ben", "ci", "eve"].map(name => makePerson(name)))
  const people = { ana: ana!, ben: ben!, ci: ci!, eve: eve! }
  const records = await makeRecords(people)
  const secrets = makeSecrets(people, records)
  const tree: Tree = new Map([
    [".gitattributes", encodeUtf8(GIT_ATTRIBUTES)],
    [".coffer/store.yaml", printStoreFile({ store: STORE_ID })],
  ])
  for (const record of Object.values(records)) tree.set(pathOfRecord(record), record.bytes)
  for (const secret of secrets) tree.set(pathOfSecret(secret), secret.bytes)
  const pins = { newest: pinOf(records.root6), older: pinOf(records.root2) }
  return { people, records, secrets, tree, pins, attacks: await makeAttacks(people, records, secrets) }
}

type People = Readonly<Record<"ana" | "ben" | "ci" | "eve", Person>>
type Records = Awaited<ReturnType<typeof makeRecords>>

async function makeRecords({ ana, ben, ci, eve }: People) {
  const admin = member(ana, "admin")
  const root1 = await makeRecord({
    label: "root1",
    reason: "init",
    members: [admin],
    created: "2026-01-01T00:00:00Z",
    author: ana,
  })
  const root2 = await makeRecord({
    label: "root2",
    parents: [root1],
    reason: "add",
    members: [admin, member(ben, "writer"), member(eve, "admin")],
    oldest: 1,
    created: "2026-01-02T00:00:00Z",
    author: ana,
  })
  const prod1 = await makeRecord({
    label: "prod1",
    group: "prod",
    reason: "group",
    members: [admin, member(ben, "writer")],
    policy: { rotation: { interval: 90 } },
    created: "2026-01-03T00:00:00Z",
    author: ana,
  })
  // Two branches: one adds the build, the other lists a group.
  const root3a = await makeRecord({
    label: "root3a",
    parents: [root2],
    reason: "add",
    members: [admin, member(ben, "writer"), member(ci, "reader"), member(eve, "admin")],
    oldest: 1,
    created: "2026-01-03T00:00:00Z",
    author: eve,
  })
  const root3b = await makeRecord({
    label: "root3b",
    parents: [root2],
    reason: "group",
    members: [admin, member(ben, "writer"), member(eve, "admin")],
    groups: new Map([["prod", prod1.sha256]]),
    oldest: 1,
    created: "2026-01-03T00:00:01Z",
    author: ana,
  })
  const root4 = await makeRecord({
    label: "root4",
    parents: [root3a, root3b],
    reason: "merge",
    members: root3a.record.members,
    groups: new Map([["prod", prod1.sha256]]),
    created: "2026-01-04T00:00:00Z",
    author: ana,
  })
  const prod2 = await makeRecord({
    label: "prod2",
    group: "prod",
    parents: [prod1],
    reason: "add",
    members: [admin, member(ben, "writer"), member(ci, "reader")],
    policy: { rotation: { interval: 90, maxVersions: 12 }, retention: { maxAge: 365 } },
    oldest: 1,
    created: "2026-01-05T00:00:00Z",
    author: ana,
  })
  const eu1 = await makeRecord({
    label: "eu1",
    group: "prod/eu",
    reason: "group",
    members: [admin],
    created: "2026-01-05T00:00:00Z",
    author: ana,
  })
  const lists = new Map([
    ["prod", prod2.sha256],
    ["prod/eu", eu1.sha256],
  ])
  const kept = [admin, member(ben, "writer"), member(ci, "reader")]
  const root5 = await makeRecord({
    label: "root5",
    parents: [root4],
    reason: "remove",
    members: kept,
    groups: lists,
    created: "2026-02-01T00:00:00Z",
    author: ana,
  })
  const root6 = await makeRecord({
    label: "root6",
    parents: [root5],
    reason: "rotate",
    members: kept,
    groups: lists,
    oldest: 5,
    created: "2026-02-02T00:00:00Z",
    author: ana,
  })
  return { root1, root2, root3a, root3b, root4, root5, root6, prod1, prod2, eu1 }
}

function makeSecrets({ ana, ben, eve }: People, records: Records): MadeSecret[] {
  const { root2, root5, root6, prod1, prod2, eu1 } = records
  const secrets: MadeSecret[] = []
  const add = (...made: MadeSecret[]) => secrets.push(...made)
  // Sealed under the older key by a branch that was in flight: stale, and readable.
  add(makeSecret({ name: "API_TOKEN", value: "tok-ana-1", key: root5, signer: ana }))
  const first = makeSecret({ name: "app/URL", value: "https://old.example/", key: root2, signer: eve, created: "2026-01-10T00:00:00Z" })
  const second = makeSecret({
    name: "app/URL",
    version: 2,
    value: "https://new.example/",
    key: root6,
    signer: ben,
    created: "2026-02-10T00:00:00Z",
    previous: [`1-${blobId(first.bytes)}`],
    meta: { description: 'the "public" address \\ Größe 📦', env: "APP_URL", rotateAfter: "90d" },
  })
  add(second)
  // Written by eve, sealed again and signed again by ana when eve left.
  add(
    makeSecret({
      name: "LEGACY",
      value: "written-by-eve",
      key: root6,
      author: eve,
      signer: ana,
      valueKeys: [`default/${root2.id}`],
      created: "2026-01-10T00:00:00Z",
    }),
  )
  add(makeSecret({ name: "blob", value: Uint8Array.from({ length: 256 }, (_, index) => index), key: root6, signer: ana }))
  add(makeSecret({ name: "empty", value: "", key: root6, signer: ana }))
  add(makeSecret({ name: "large", value: "0123456789abcdef".repeat(512), key: root6, signer: ana }))
  // Names that YAML would take for something else if they were not in quotes.
  for (const name of ["1e3", "true", "null", "0123456789"]) {
    add(makeSecret({ name, value: `value of ${name}\nsecond line\n`, key: root6, signer: ben }))
  }
  add(
    makeSecret({
      name: "gone",
      version: 2,
      state: "deleted",
      value: "",
      key: root6,
      signer: ben,
      valueKeys: [`default/${root5.id}`],
      previous: [`1-${"0".repeat(40)}`],
      meta: { movedTo: "prod/db/PASSWORD" },
    }),
  )
  add(
    makeSecret({
      name: "prod/db/PASSWORD",
      version: 3,
      value: "correct horse",
      key: prod2,
      signer: ben,
      valueKeys: [`default/${root5.id}`, `prod/${prod1.id}`],
      previous: [`1-${"0".repeat(40)}`, `2-${"1".repeat(64)}`],
    }),
  )
  add(makeSecret({ name: "prod/KEY", value: "under the first key", key: prod1, signer: ben }))
  add(makeSecret({ name: "prod/eu/KEY", value: "for ana alone", key: eu1, signer: ana }))
  return secrets
}

/** Each is refused by a code of its own; `docs/recovery.py` gives the same one. */
async function makeAttacks(people: People, records: Records, secrets: readonly MadeSecret[]): Promise<Attack[]> {
  const { ana, ben, ci, eve } = people
  const { root2, root4, root5, root6, prod1, prod2 } = records
  const find = (name: string) => secrets.find(({ file }) => file.name === name)!
  const url = find("app/URL")
  const attacks: Attack[] = []
  const attack = (name: string, code: string | null, what: string, more: Partial<Attack> = {}) =>
    attacks.push({ name, code, what, put: new Map(), remove: [], ...more })
  const put = (made: MadeRecord | MadeSecret, path?: string): { put: Tree } => ({
    put: new Map([[path ?? ("id" in made ? pathOfRecord(made) : pathOfSecret(made)), made.bytes]]),
  })
  const next = (label: string, plan: Partial<Parameters<typeof makeRecord>[0]>) =>
    makeRecord({
      label,
      parents: [root6],
      reason: "rotate",
      members: root6.record.members,
      groups: root6.record.groups!,
      oldest: 5,
      created: "2026-03-01T00:00:00Z",
      author: ana,
      ...plan,
    })

  attack("removed-reader", "REMOVED", "eve was removed and holds the files", { reader: "eve" })
  attack("reader-of-another-group", "NOT_A_MEMBER", "ben is in no record of prod/eu", { reader: "ben" })
  attack("pin-of-nothing", "PIN_MISMATCH", "the pin names no record that is here", {
    pin: `coffer1-6-${"a".repeat(52)}`,
  })
  attack("older-records", "PIN_MISMATCH", "the newest record is withheld", { remove: [pathOfRecord(root6)] })
  attack("key-record-edited", "SIGNATURE", "ben made himself admin by hand, in a record after the pin", {
    ...put(forge(await next("edited", {}), record => ({
      ...record,
      members: record.members.map(entry => (entry.name === "ben" ? { ...entry, role: "admin" as const } : entry)),
    }))),
  })
  attack("writer-signs-a-record", "SIGNER_NOT_ALLOWED", "ben published a data key", put(await next("by-ben", { author: ben })))
  attack("second-first-record", "RECORD_UNTRUSTED", "another root beside the pinned one", put(await makeRecord({
    label: "second-root",
    reason: "init",
    members: [member(eve, "admin")],
    created: "2026-03-01T00:00:00Z",
    author: eve,
  })))
  attack("removal-keeps-oldest", "OLDEST_INVALID", "ci was dropped and old keys stay in use", put(await next("kept-oldest", {
    reason: "remove",
    members: [member(ana, "admin"), member(ben, "writer")],
  })))
  attack("no-admin", "NO_ADMIN", "nobody is left to publish the next record", put(await next("no-admin", {
    members: [member(ana, "writer"), member(ben, "writer")],
    oldest: 7,
  })))
  attack("record-in-another-group", "RECORD_MOVED", "a record of prod lies among those of the default group", put(prod2, `.coffer/keys/default/${prod2.id}.yaml`))
  attack("parent-swapped", "PARENT_MISSING", "a parent is named by another hash", put(forge(await next("orphan", {}), record => ({
    ...record,
    parents: [{ id: root6.id, sha256: "f".repeat(64) }],
  }), ana)))
  attack("planted-group", "GROUP_NOT_LISTED", "a folder of keys that no record lists", put(await makeRecord({
    label: "planted",
    group: "staging",
    reason: "group",
    members: [member(eve, "admin")],
    created: "2026-03-01T00:00:00Z",
    author: eve,
  })))
  attack("group-removed", "GROUP_MISSING", "the records of prod are gone", {
    remove: [pathOfRecord(prod1), pathOfRecord(prod2)],
  })
  attack("extra-stanza", "WRAP_SHAPE", "one wrap is for somebody more", put(forge(await next("stanza", {}), record => ({
    ...record,
    wrap: record.wrap.map((wrap, index) => (index === 0 ? addStanza(wrap) : wrap)),
  }), ana)))
  attack("junk-wrap", "WRAP_BROKEN", "what is wrapped for ana is not the data key", put(await (async () => {
    const made = await next("junk", { oldest: 5 })
    const junk = await frozenWrap("junk for ana", ana.recipient, fixedBytes("junk"))
    return forge(made, record => ({ ...record, wrap: record.wrap.map((wrap, index) => (index === 0 ? junk : wrap)) }), ana)
  })()))
  // What eve made before she was known to be removed: she forks from before her removal.
  attack("removed-admin-forks", "PIN_MISMATCH", "eve goes on from record 4, and the real line is withheld", {
    ...put(await makeRecord({
      label: "eves-fork",
      parents: [root4],
      reason: "rotate",
      members: root4.record.members,
      groups: root4.record.groups!,
      oldest: 4,
      created: "2026-03-01T00:00:00Z",
      author: eve,
    })),
    remove: [pathOfRecord(root5), pathOfRecord(root6)],
  })
  const fork = await makeRecord({
    label: "eves-later-fork",
    parents: [root4],
    reason: "remove",
    members: root4.record.members.filter(({ name }) => name === "eve"),
    groups: root4.record.groups!,
    created: "2026-03-01T00:00:00Z",
    author: eve,
  })
  attack("fork-beside-the-real-line", null, "the fork of a removed admin lies beside the pinned record", put(fork))
  attack("mutual-removal", "FORKED", "two admins removed each other, and the pin is older than both", {
    ...put(fork),
    pin: pinOf(root2),
  })

  attack("secret-damaged", "DAMAGED", "one character of the header", {
    put: new Map([["app/URL.yaml", replace(url.bytes, "version: 2", "version: 3")]]),
  })
  attack("secret-reformatted", "NOT_CANONICAL", "a formatter went over it", {
    put: new Map([["app/URL.yaml", replace(url.bytes, '"ben"', "'ben'")]]),
  })
  attack("secret-renamed", "SECRET_MOVED", "the file lies under another name", {
    put: new Map([["app/OTHER.yaml", url.bytes]]),
  })
  attack("secret-of-another-group", "SECRET_WRONG_GROUP", "a file of the default group below prod", put(makeSecret({
    name: "prod/OTHER",
    value: "x",
    key: root6,
    signer: ben,
    changes: { group: "default" },
  })))
  attack("key-unknown", "KEY_UNKNOWN", "sealed under a data key that no record publishes", put(makeSecret({
    name: "app/URL",
    value: "x",
    key: await next("unpublished", {}),
    signer: ben,
  })))
  attack("key-retired", "KEY_RETIRED", "the file from before a removal was put back", put(makeSecret({
    name: "app/URL",
    value: "https://old.example/",
    key: root2,
    signer: eve,
  })))
  attack("reader-writes", "WRITER_NOT_ALLOWED", "ci signed a secret", put(makeSecret({ name: "app/URL", version: 3, value: "x", key: root6, signer: ci })))
  attack("other-signer", "WRITE_SIGNATURE", "signed by ci in the name of ben", put(makeSecret({
    name: "app/URL",
    version: 3,
    value: "x",
    key: root6,
    signer: { ...ci, name: "ben" },
  })))
  attack("write-carried-over", "WRITE_SIGNATURE", "a signed version with another number, its sum made right", {
    put: new Map([["app/URL.yaml", printSecretFile({ ...url.file, version: 9 })]]),
  })
  attack("value-altered", "TAMPERED", "one byte of the sealed value, its sum made right", {
    put: new Map([["app/URL.yaml", printSecretFile({ ...url.file, value: url.file.value.with(20, url.file.value[20]! ^ 1) })]]),
  })
  attack("value-replaced-by-a-rotator", "TAMPERED", "sealed anew under the signed header, with another value", {
    put: new Map([["app/URL.yaml", sealOther(url, "https://evil.example/", root6)]]),
  })
  return attacks
}

/** Changes a record; without an author its old signature stays. */
function forge(made: MadeRecord, change: (record: KeyRecord) => KeyRecord, author?: Person): MadeRecord {
  const changed = change(made.record)
  const signature = author === undefined ? changed.signature : signRecord(author.signingKey, recordContext(changed))
  return finishRecord({ ...changed, signature }, made.dataKey)
}

/** Doubles the only stanza. */
function addStanza(message: Uint8Array): Uint8Array {
  const text = Buffer.from(message).toString("latin1")
  const [stanza] = /-> X25519 .*\n.*\n/.exec(text)!
  return Buffer.from(text.replace(stanza, stanza + stanza), "latin1")
}

function replace(bytes: Uint8Array, from: string, to: string): Uint8Array {
  return Buffer.from(Buffer.from(bytes).toString("utf8").replace(from, to))
}

/** What a rotator can do: another value under the signed header, sealed with the right key. */
function sealOther(made: MadeSecret, value: string, { dataKey, record }: MadeRecord): Uint8Array {
  const { seal } = deriveKeys(dataKey, { store: STORE_ID, group: record.group, number: record.number })
  const nonce = fixedBytes("nonce of a rotator", 24)
  const sealed = sealWithNonce(seal, sealContext(made.file), { nonce, salt: made.salt, value: Buffer.from(value) })
  return printSecretFile({ ...made.file, ...sealed })
}
