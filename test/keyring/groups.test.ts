import { test } from "uvu"
import * as assert from "uvu/assert"
import { hashRecord, type RecordNode } from "../../src/keyring/graph.js"
import { collectKeyring, verifyKeyring } from "../../src/keyring/verify.js"
import { assertRefused, currentOf, forge, inputOf, knownOf, makePeople, member, register } from "./graphs.js"

const people = await makePeople("ana", "tom", "eva", "bot", "max")
const { ana, tom, eva, bot, max } = people
register(...Object.values(people))

const all = [member(ana, "admin"), member(tom, "admin"), member(eva, "writer"), member(bot, "rotator")]
const start = forge({ by: ana, members: all })

function prod(
  by: typeof ana,
  members: readonly ReturnType<typeof member>[],
  ...parents: RecordNode[]
): RecordNode {
  return forge({ by, members, parents, group: "prod" })
}

/** The default group's record that lists a record of prod. */
function listing(listed: Record<string, RecordNode>, ...parents: RecordNode[]): RecordNode {
  const groups = new Map(Object.entries(listed).map(([name, node]) => [name, node.sha256]))
  return forge({ by: ana, members: all, parents, groups, reason: "group" })
}

const founded = prod(eva, [member(eva, "admin"), member(ana, "admin")])
const lists = listing({ prod: founded }, start)
const left = prod(ana, [member(ana, "admin")], founded)

test("a group stays accepted after its founder has left", () => {
  const keyring = verifyKeyring(inputOf([start, lists, founded, left], { pin: start }))
  assert.equal(currentOf(keyring, "prod"), [left.id])
  assert.equal([...keyring.listed], [["prod", [founded.sha256]]])
})

test("GROUP_NOT_LISTED: a planted group", () => {
  const planted = forge({ by: max, members: [member(max, "admin")], group: "prod/payments" })
  assertRefused(inputOf([start, lists, founded, planted], { pin: start }), "GROUP_NOT_LISTED", planted)
})

test("GROUP_MISSING: a listed group whose records were deleted, or whose listed record was", () => {
  assertRefused(inputOf([start, lists], { pin: start }), "GROUP_MISSING", ".coffer/keys/prod")
  const renewed = listing({ prod: left }, lists)
  assertRefused(
    inputOf([start, lists, renewed, founded], { pin: start }),
    "GROUP_MISSING",
    ".coffer/keys/prod",
  )
})

test("a group's own rules: another first record, a signer who may not, a rolled back branch", () => {
  const base = [start, lists, founded, left]
  const second = prod(max, [member(max, "admin")])
  assertRefused(inputOf([...base, second], { pin: start }), "RECORD_UNTRUSTED", second)
  const intruder = prod(tom, [member(tom, "admin")], left)
  assertRefused(inputOf([...base, intruder], { pin: start }), "SIGNER_NOT_ALLOWED", intruder)
  const known = knownOf([founded, left], left)
  assertRefused(inputOf([start, lists, founded], { pin: start, known }), "ROLLED_BACK", left)
  const older = verifyKeyring(inputOf([start, lists, founded], { pin: start, known, behind: ["prod"] }))
  assert.equal(currentOf(older, "prod"), [founded.id])
  assertRefused(
    inputOf([start, lists, founded], { pin: start, known, behind: ["default"] }),
    "ROLLED_BACK",
    left,
  )
})

test("the listed record is the anchor: who left before it cannot fork", () => {
  const fork = prod(eva, [member(eva, "admin")], founded)
  const nodes = [start, lists, founded, left, fork]
  // She removed ana as ana removed her: an admin of default decides by what is listed.
  const first = left.id < fork.id ? left : fork
  assertRefused(inputOf(nodes, { pin: start }), "FORKED", first)
  const renewed = listing({ prod: left }, lists)
  const keyring = verifyKeyring(inputOf([...nodes, renewed], { pin: start }))
  assert.equal(currentOf(keyring, "prod"), [left.id])
})

test("only some groups are verified where only those are wanted", () => {
  const planted = forge({ by: max, members: [member(max, "admin")], group: "stage" })
  const both = listing({ prod: founded, stage: planted }, lists)
  const keyring = verifyKeyring(inputOf([start, lists, both, founded], { pin: start, groups: ["prod"] }))
  assert.equal([...keyring.groups.keys()], ["default", "prod"])
  assert.equal([...keyring.listed.keys()], ["prod", "stage"])
})

test("several current default records: the union of what they list", () => {
  const stage = forge({ by: tom, members: [member(tom, "admin")], group: "stage" })
  const groups = new Map([["stage", stage.sha256]])
  const other = forge({ by: tom, members: all, parents: [start], groups, reason: "group" })
  const keyring = verifyKeyring(inputOf([start, lists, other, founded, stage], { pin: start }))
  assert.equal([...keyring.listed.keys()], ["prod", "stage"])
  assert.equal(currentOf(keyring, "stage"), [stage.id])
})

test("a group's line may hold what either current default record lists", () => {
  const renewed = forge({
    by: tom,
    members: all,
    parents: [lists],
    groups: new Map([["prod", left.sha256]]),
  })
  const other = forge({ by: ana, members: all, parents: [lists] })
  const branch = prod(ana, founded.record.members, founded)
  const nodes = [start, lists, renewed, other, founded, left, branch]
  const keyring = verifyKeyring(inputOf(nodes, { pin: start }))
  assert.equal([...currentOf(keyring, "prod")].sort(), [left.id, branch.id].sort())
  assert.is(keyring.listed.get("prod")!.length, 2)
})

test("FORKED: the same group made on two branches, until an admin of default lists one", () => {
  const mine = prod(tom, [member(tom, "admin")])
  const lists2 = forge({ by: tom, members: all, parents: [start], groups: new Map([["prod", mine.sha256]]) })
  const nodes = [start, lists, lists2, founded, mine]
  assertRefused(inputOf(nodes, { pin: start }), "FORKED", mine)
  const { keyring, findings } = collectKeyring(inputOf(nodes, { pin: start }))
  assert.equal([...keyring!.groups.keys()], ["default"])
  assert.ok(findings.some(finding => finding.code === "FORKED" && finding.hint!.includes("--merge --reason")))
  const undecided = verifyKeyring({ ...inputOf(nodes, { pin: start }), undecided: true })
  assert.ok(undecided.groups.get("prod")!.undecided)
  assert.equal([...currentOf(undecided, "prod")].sort(), [founded.id, mine.id].sort())
  const chosen = listing({ prod: founded }, lists, lists2)
  assert.equal(
    currentOf(verifyKeyring(inputOf([start, lists, lists2, chosen, founded], { pin: start })), "prod"),
    [founded.id],
  )
})

test("the hash of a listed record is that of its file", () => {
  assert.is(hashRecord(founded.bytes), founded.sha256)
})

test.run()
