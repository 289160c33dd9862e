import { test } from "uvu"
import * as assert from "uvu/assert"
import { printKeyRecord } from "../../src/format/key-record.js"
import { makeNode } from "../../src/keyring/graph.js"
import { collectKeyring, verifyKeyring } from "../../src/keyring/verify.js"
import { assertRefused, currentOf, forge, inputOf, knownOf, makePeople, member, register } from "./graphs.js"

const people = await makePeople("ana", "tom", "eva", "bot", "max", "spare")
const { ana, tom, eva, bot, max, spare } = people
register(...Object.values(people))

const members = [member(ana, "admin"), member(tom, "writer"), member(eva, "reader"), member(bot, "rotator")]
const root = forge({ by: ana, members })
const second = forge({
  by: ana,
  members: [...members, member(max, "writer")],
  parents: [root],
  reason: "add",
})
const third = forge({ by: bot, members: second.record.members, parents: [second] })
const honest = [root, second, third]

test("an honest line is accepted under each of its pins and without one", () => {
  for (const pin of honest) assert.equal(currentOf(verifyKeyring(inputOf(honest, { pin }))), [third.id])
  const keyring = verifyKeyring(inputOf(honest, { pin: third }))
  assert.ok(keyring.pinned)
  assert.equal(keyring.findings, [])
  const unpinned = verifyKeyring(inputOf(honest))
  assert.not.ok(unpinned.pinned)
  assert.equal(
    unpinned.findings.map(finding => finding.code),
    ["UNPINNED"],
  )
})

test("NOT_CANONICAL: a file that is no key record, or lies in no folder of a group", () => {
  const path = ".coffer/keys/default/2-00000000.yaml"
  const input = inputOf(honest, { pin: root })
  const junk = { path, bytes: new TextEncoder().encode("coffer: key/1\n") }
  assertRefused({ ...input, files: [...input.files, junk] }, "NOT_CANONICAL", path)
  const loose = { path: ".coffer/keys/1.yaml", bytes: root.bytes }
  assertRefused({ ...input, files: [...input.files, loose] }, "NOT_CANONICAL", loose.path)
  const newer = Buffer.from(root.bytes).toString("utf8").replace("key/1", "key/2")
  const files = [{ path: root.path, bytes: Buffer.from(newer) }]
  assertRefused({ ...input, files }, "NEWER_FORMAT", root.path)
})

test("RECORD_INVALID: more key records than a store may have, before any of them is parsed", () => {
  const file = { path: root.path, bytes: root.bytes }
  const files = Array.from({ length: 10_001 }, () => file)
  assertRefused({ ...inputOf(honest, { pin: root }), files }, "RECORD_INVALID", ".coffer/keys")
})

test("RECORD_MOVED: a record of another store, group, number or commitment than its path says", () => {
  const moved = (path: string, bytes: Uint8Array) => {
    const input = inputOf([root], { pin: root })
    assertRefused({ ...input, files: [...input.files, { path, bytes }] }, "RECORD_MOVED", path)
  }
  moved(".coffer/keys/default/2-00000000.yaml", second.bytes)
  const foreign = forge({ by: ana, members, store: "f".repeat(32) })
  moved(foreign.path, foreign.bytes)
  const other = forge({ by: ana, members, group: "prod" })
  moved(other.path.replace("/prod/", "/default/"), other.bytes)
  const renumbered = printKeyRecord({ ...second.record, number: 7 })
  moved(second.path, renumbered)
})

test("NO_ADMIN: the last admin cannot be removed", () => {
  const bad = forge({ by: ana, members: members.slice(1), parents: [root] })
  assertRefused(inputOf([root, bad], { pin: root }), "NO_ADMIN", bad)
})

test("MEMBER_TWICE: names, recipients and signing keys are unique", () => {
  const twins = [
    member({ ...max, name: "tom" }, "writer"),
    { ...member(max, "writer"), recipient: tom.recipient },
    { ...member(max, "writer"), signingKey: tom.signing.publicKey },
  ]
  for (const twin of twins) {
    const bad = forge({ by: ana, members: [...members, twin], parents: [root] })
    assertRefused(inputOf([root, bad], { pin: root }), "MEMBER_TWICE", bad)
  }
})

function withWrongChecksum(recipient: string): string {
  return recipient.slice(0, -1) + (recipient.endsWith("x") ? "y" : "x")
}

test("MEMBER_INVALID: keys of small order or not canonical, and keys that do not fit the role", () => {
  const identityPoint = `01${"00".repeat(31)}`
  const notReduced = `${"ff".repeat(31)}7f`
  const odd = [
    { ...member(max, "writer"), signingKey: identityPoint },
    { ...member(max, "writer"), signingKey: notReduced },
    { ...member(max, "reader"), role: "writer" as const },
    { ...member(max, "writer"), role: "reader" as const },
    { ...member(max, "writer"), recipient: withWrongChecksum(max.recipient) },
    { ...member(max, "writer"), recipient: max.recipient.toUpperCase() },
    { ...member(max, "writer"), recipient: tom.recipient.replace("age1", "AGE1") },
  ]
  for (const entry of odd) {
    const bad = forge({ by: ana, members: [...members, entry], parents: [root] })
    assertRefused(inputOf([root, bad], { pin: root }), "MEMBER_INVALID", bad)
  }
})

test("WRAP_SHAPE: a wrap of two stanzas hides a recipient", async () => {
  const { Encrypter } = await import("age-encryption")
  const encrypter = new Encrypter()
  encrypter.addRecipient(max.recipient)
  encrypter.addRecipient(tom.recipient)
  const two = await encrypter.encrypt(new Uint8Array(32))
  const wrap = [ana.anyWrap, two]
  const bad = forge({
    by: ana,
    members: [member(ana, "admin"), member(max, "writer")],
    parents: [root],
    wrap,
  })
  assertRefused(inputOf([root, bad], { pin: root }), "WRAP_SHAPE", bad)
  const junk = forge({
    by: ana,
    members: [member(ana, "admin"), member(max, "writer")],
    parents: [root],
    wrap: [ana.anyWrap, new Uint8Array(40)],
  })
  assertRefused(inputOf([root, junk], { pin: root }), "WRAP_SHAPE", junk)
})

test("MIXED_RECIPIENTS: one classic recipient undoes the others' post-quantum protection", async () => {
  const { generateHybridIdentity, identityToRecipient, Encrypter } = await import("age-encryption")
  const recipient = await identityToRecipient(await generateHybridIdentity())
  const encrypter = new Encrypter()
  encrypter.addRecipient(recipient)
  const wrap = [ana.anyWrap, await encrypter.encrypt(new Uint8Array(32))]
  const entries = [member(ana, "admin"), { ...member(max, "writer"), recipient }]
  const bad = forge({ by: ana, members: entries, parents: [root], wrap })
  assertRefused(inputOf([root, bad], { pin: root }), "MIXED_RECIPIENTS", bad)
})

test("PARENT_MISSING: a parent that is gone, or swapped for one of equal id", () => {
  assertRefused(inputOf([root, third], { pin: root }), "PARENT_MISSING", third)
  const parent = { id: second.id, sha256: root.sha256.replace(/./g, "a") }
  const bad = makeNode(second.path, printKeyRecord({ ...third.record, parents: [parent] }))
  assertRefused(
    inputOf([root, second, { ...bad, path: third.path }], { pin: root }),
    "PARENT_MISSING",
    third.path,
  )
})

test("RECORD_INVALID: number, time, parent's id, and data keys that are no ancestor's", () => {
  const wrong = (fields: Partial<Parameters<typeof forge>[0]>) => {
    const bad = forge({ by: ana, members: second.record.members, parents: [second], ...fields })
    assertRefused(inputOf([root, second, bad], { pin: root }), "RECORD_INVALID", bad)
  }
  wrong({ number: 4 })
  wrong({ number: 2 })
  wrong({ created: "2025-12-31T23:59:59Z" })
  const [link] = third.record.previous
  wrong({ previous: [{ ...link!, id: "1-00000000" }] })
  const mislabelled = printKeyRecord({
    ...third.record,
    parents: [{ id: "2-00000000", sha256: second.sha256 }],
    previous: [],
  })
  assertRefused(
    inputOf([root, second, { ...third, bytes: mislabelled }], { pin: root }),
    "RECORD_INVALID",
    third,
  )
})

test("PIN_MISMATCH: the pinned record is not here", () => {
  assertRefused(inputOf([root, second], { pin: third }), "PIN_MISMATCH", ".coffer/keys/default")
  const stranger = forge({ by: ana, members })
  assertRefused(inputOf(honest, { pin: stranger }), "PIN_MISMATCH", ".coffer/keys/default")
  assertRefused(inputOf([], { pin: root }), "PIN_MISMATCH", ".coffer/keys/default")
})

test("RECORD_UNTRUSTED: a second first record", () => {
  const intruder = forge({ by: max, members: [member(max, "admin")] })
  assertRefused(inputOf([...honest, intruder], { pin: root }), "RECORD_UNTRUSTED", intruder)
  const [low, high] = root.id < intruder.id ? [root, intruder] : [intruder, root]
  assertRefused(inputOf([low, high]), "RECORD_UNTRUSTED", high)
})

test("SIGNATURE: a recipient added to a record by hand, or a record that its author did not sign", () => {
  const mallory = member({ ...max, name: "zoe" }, "reader")
  const edited = {
    ...third.record,
    members: [...third.record.members, { ...mallory, recipient: spare.recipient }],
    wrap: [...third.record.wrap, spare.anyWrap],
  }
  const byHand = { ...third, bytes: printKeyRecord({ ...edited, author: "ana" }) }
  assertRefused(inputOf([root, second, byHand], { pin: root }), "SIGNATURE", third)
  const forged = forge({ by: ana, members, parents: [root], signing: max.signing })
  assertRefused(inputOf([root, forged], { pin: root }), "SIGNATURE", forged)
  const unsigned = forge({ by: ana, members, parents: [root], signature: new Uint8Array(64) })
  assertRefused(inputOf([root, unsigned], { pin: root }), "SIGNATURE", unsigned)
})

test("SIGNER_NOT_ALLOWED: a record signed by a reader, a writer or a stranger", () => {
  for (const by of [eva, tom, max]) {
    const bad = forge({ by, members, parents: [root] })
    assertRefused(inputOf([root, bad], { pin: root }), "SIGNER_NOT_ALLOWED", bad)
  }
})

test("SIGNER_NOT_ALLOWED: a rotator who changes members, policy or groups", () => {
  const changes = [
    { members: [...members, member(max, "writer")] },
    { members: members.slice(0, 3).concat(member(bot, "admin")) },
    { members, policy: { rotation: { interval: 9999 } } },
    { members, policy: { retention: { maxAge: 1 } } },
    { members, groups: new Map([["prod", root.sha256]]) },
  ]
  for (const change of changes) {
    const bad = forge({ by: bot, parents: [root], ...change })
    assertRefused(inputOf([root, bad], { pin: root }), "SIGNER_NOT_ALLOWED", bad)
  }
})

test("SIGNER_NOT_ALLOWED: a merge signed with a key that is missing in one parent", () => {
  const left = forge({ by: ana, members: [...members, member(max, "admin")], parents: [root] })
  const right = forge({ by: ana, members, parents: [root] })
  const bad = forge({ by: max, members, parents: [left, right], reason: "merge" })
  assertRefused(inputOf([root, left, right, bad], { pin: root }), "SIGNER_NOT_ALLOWED", bad)
  // Under one name, with another key.
  const rekeyed = forge({
    by: ana,
    members: [...members.slice(1), { ...member(max, "admin"), name: "ana" }],
    parents: [root],
  })
  const joined = forge({ by: ana, members, parents: [rekeyed, right], reason: "merge" })
  assertRefused(inputOf([root, rekeyed, right, joined], { pin: root }), "SIGNER_NOT_ALLOWED", joined)
})

test("OLDEST_INVALID: lowered by a rotator, kept by a removal or a merge, or in the future", () => {
  const retired = forge({ by: ana, members, parents: [root], oldest: 2 })
  const lowered = forge({ by: bot, members, parents: [retired], oldest: 1 })
  assertRefused(inputOf([root, retired, lowered], { pin: root }), "OLDEST_INVALID", lowered)
  const removal = forge({
    by: ana,
    members: members.filter(entry => entry.name !== "tom"),
    parents: [root],
    oldest: 1,
  })
  assertRefused(inputOf([root, removal], { pin: root }), "OLDEST_INVALID", removal)
  const demoted = [...members.filter(entry => entry.name !== "tom"), member(tom, "rotator")]
  const demotion = forge({ by: ana, members: demoted, parents: [root], oldest: 1 })
  assertRefused(inputOf([root, demotion], { pin: root }), "OLDEST_INVALID", demotion)
  const other = forge({ by: ana, members, parents: [root] })
  const merge = forge({ by: ana, members, parents: [second, other], oldest: 1, reason: "merge" })
  assertRefused(inputOf([root, second, other, merge], { pin: root }), "OLDEST_INVALID", merge)
  const early = forge({ by: ana, members, parents: [root], oldest: 3 })
  assertRefused(inputOf([root, early], { pin: root }), "OLDEST_INVALID", early)
  const first = forge({ by: ana, members, oldest: 2 })
  assertRefused(inputOf([first]), "OLDEST_INVALID", first)
})

test("ROLLED_BACK: an older record set replayed on the branch that had the newest", () => {
  const known = knownOf(honest, third)
  assertRefused(inputOf([root, second], { pin: root, known }), "ROLLED_BACK", third)
  assertRefused(inputOf([root, second], { pin: third, known }), "ROLLED_BACK", third)
  assertRefused(inputOf([root, second], { known }), "ROLLED_BACK", third)
  // Without state the newer pin says the same.
  assertRefused(inputOf([root, second], { pin: third }), "PIN_MISMATCH", ".coffer/keys/default")
})

test("BEHIND: an older branch can be read", () => {
  const known = knownOf(honest, third)
  for (const pin of honest) {
    const keyring = verifyKeyring(inputOf([root, second], { pin, known, behind: ["default"] }))
    assert.equal(currentOf(keyring), [second.id])
    assert.ok(keyring.groups.get("default")!.behind)
    assert.equal(
      keyring.findings.map(finding => finding.code),
      ["BEHIND"],
    )
  }
})

test("records that this machine has verified are not checked again, but for their place", () => {
  const broken = forge({ by: tom, members, parents: [root], signature: new Uint8Array(64) })
  const input = inputOf([root, broken], { pin: root })
  const verified = new Set([broken.sha256])
  const known = { newest: new Map(), records: new Map(), verified }
  assert.equal(currentOf(verifyKeyring({ ...input, known })), [broken.id])
  const keyring = verifyKeyring(inputOf(honest, { pin: second }))
  assert.equal([...keyring.verified], [third.sha256])
})

test("what was trusted by one pin's hash is not verified for another", () => {
  const fork = forge({ by: max, members: [...members, member(max, "admin")], parents: [root] })
  const next = forge({ by: max, members: fork.record.members, parents: [fork] })
  const nodes = [root, fork, next]
  const { verified } = verifyKeyring(inputOf(nodes, { pin: fork }))
  assert.equal([...verified], [next.sha256])
  const known = { newest: new Map(), records: new Map(), verified }
  assertRefused(inputOf(nodes, { pin: root, known }), "SIGNER_NOT_ALLOWED", fork)
})

test("check names every refusal and goes on with what is sound", () => {
  const reader = forge({ by: eva, members, parents: [third] })
  const unsigned = forge({
    by: ana,
    members: second.record.members,
    parents: [third],
    signature: new Uint8Array(64),
  })
  const above = forge({ by: ana, members: second.record.members, parents: [unsigned] })
  const { keyring, findings } = collectKeyring(inputOf([...honest, reader, unsigned, above], { pin: root }))
  assert.equal(currentOf(keyring!), [third.id])
  assert.equal(findings.map(({ code, path, level }) => [code, path, level]).sort(), [
    ["SIGNATURE", unsigned.path, "error"],
    ["SIGNER_NOT_ALLOWED", reader.path, "error"],
  ])
  const none = collectKeyring(inputOf(honest, { pin: reader }))
  assert.is(none.keyring, undefined)
  assert.is(none.findings[0]!.code, "PIN_MISMATCH")
})

test.run()
