import { test } from "uvu"
import * as assert from "uvu/assert"
import type { RecordNode } from "../../src/keyring/graph.js"
import { verifyKeyring } from "../../src/keyring/verify.js"
import { assertRefused, currentOf, forge, inputOf, knownOf, makePeople, member, register } from "./graphs.js"

const people = await makePeople("ana", "tom", "eva", "bot", "max")
const { ana, tom, eva, bot, max } = people
register(...Object.values(people))

const all = [member(ana, "admin"), member(tom, "admin"), member(eva, "writer"), member(bot, "rotator")]
const root = forge({ by: ana, members: all })
const without = (...names: string[]) => all.filter(entry => !names.includes(entry.name))

// Tom is removed, and forks from before that.
const removal = forge({ by: ana, members: without("tom"), parents: [root], reason: "remove" })
const after = forge({ by: ana, members: without("tom"), parents: [removal] })
const quiet = forge({ by: tom, members: [...all, member(max, "admin")], parents: [root] })
const friend = forge({ by: max, members: quiet.record.members, parents: [quiet] })
const hostile = forge({ by: tom, members: without("ana"), parents: [root] })

function codes(nodes: readonly RecordNode[], options: Parameters<typeof inputOf>[1]): string[] {
  return verifyKeyring(inputOf(nodes, options)).findings.map(({ code, path }) => `${code} ${path}`)
}

test("a removed admin's fork, the real line withheld: PIN_MISMATCH by a pin after his removal", () => {
  assertRefused(inputOf([root, quiet], { pin: removal }), "PIN_MISMATCH", ".coffer/keys/default")
})

test("a removed admin's fork, the real line withheld: ROLLED_BACK by local state", () => {
  const known = knownOf([root, removal], removal)
  assertRefused(inputOf([root, quiet], { pin: root, known }), "ROLLED_BACK", removal)
  // On a branch that never had the removal it is judged with what state knows, and refused.
  assertRefused(inputOf([root, quiet], { pin: root, known, behind: ["default"] }), "FORKED", quiet)
})

test("a removed admin's fork beside the real line: FORK_REFUSED, and the real line goes on", () => {
  for (const pin of [root, removal, after]) {
    const nodes = [root, removal, after, quiet, friend]
    const keyring = verifyKeyring(inputOf(nodes, { pin }))
    assert.equal(currentOf(keyring), [after.id])
    assert.equal(codes(nodes, { pin }), [`FORK_REFUSED ${friend.path}`])
    assert.is(keyring.groups.get("default")!.refused[0]!.by.id, after.id)
  }
})

test("a removed admin taken back with the same key: his fork stands beside the real line, as the docs say", () => {
  const back = forge({ by: ana, members: all, parents: [after] })
  for (const pin of [root, removal, back]) {
    const current = currentOf(verifyKeyring(inputOf([root, removal, after, back, quiet, friend], { pin })))
    assert.equal(current.toSorted(), [back.id, friend.id].toSorted())
  }
})

test("a removed admin's fork under a root pin, the real line withheld: accepted, as the docs say", () => {
  assert.equal(currentOf(verifyKeyring(inputOf([root, quiet, friend], { pin: root }))), [friend.id])
})

test("two admins who removed each other: FORKED under a root pin, decided by a later one", () => {
  const nodes = [root, removal, hostile]
  assertRefused(inputOf(nodes, { pin: root }), "FORKED", removal.path < hostile.path ? removal : hostile)
  assertRefused(inputOf(nodes), "FORKED", removal.path < hostile.path ? removal : hostile)
  assert.equal(currentOf(verifyKeyring(inputOf(nodes, { pin: removal }))), [removal.id])
  assert.equal(currentOf(verifyKeyring(inputOf(nodes, { pin: hostile }))), [hostile.id])
  const known = knownOf([root, removal], removal)
  assert.equal(currentOf(verifyKeyring(inputOf(nodes, { pin: root, known }))), [removal.id])
})

test("pin and state on lines that exclude each other: FORKED", () => {
  const known = knownOf([root, removal], removal)
  assertRefused(inputOf([root, removal, hostile], { pin: hostile, known }), "FORKED", hostile)
})

test("an admin who was made a rotator cannot fork from before that", () => {
  const demoted = [...without("tom"), member(tom, "rotator")]
  const demotion = forge({ by: ana, members: demoted, parents: [root] })
  const keyring = verifyKeyring(inputOf([root, demotion, quiet], { pin: root }))
  assert.equal(currentOf(keyring), [demotion.id])
})

test("a rotator's fork from before a removal: FORK_REFUSED", () => {
  const fork = forge({ by: bot, members: all, parents: [root] })
  const nodes = [root, removal, fork]
  for (const pin of [root, removal]) {
    assert.equal(currentOf(verifyKeyring(inputOf(nodes, { pin }))), [removal.id])
    assert.equal(codes(nodes, { pin }), [`FORK_REFUSED ${fork.path}`])
  }
})

// Tom has been out for all to see; then ana takes him back on one line while another one goes on without him.
const back = forge({ by: ana, members: all, parents: [after] })
const again = forge({ by: tom, members: all, parents: [back] })

test("somebody taken back who signs, beside a line that has not heard of it: neither line is refused for it", () => {
  const routine = forge({ by: bot, members: without("tom"), parents: [after] })
  const change = forge({ by: ana, members: [...without("tom"), member(max, "reader")], parents: [after] })
  for (const pin of [root, removal, after]) {
    // A mere rotation gives way to it, as it does to every admin's record.
    const one = verifyKeyring(inputOf([root, removal, after, back, again, routine], { pin }))
    assert.equal(currentOf(one), [again.id])
    const two = currentOf(verifyKeyring(inputOf([root, removal, after, back, again, change], { pin })))
    assert.equal([...two].sort(), [again.id, change.id].sort())
  }
})

test("somebody taken back on two lines, and removed on one of them: his line is refused", () => {
  const retaken = forge({ by: ana, members: all, parents: [after] })
  const removed = forge({ by: ana, members: without("tom"), parents: [retaken], reason: "remove" })
  const nodes = [root, removal, after, back, again, retaken, removed]
  for (const pin of [root, removal, after]) {
    assert.equal(currentOf(verifyKeyring(inputOf(nodes, { pin }))), [removed.id])
    assert.equal(codes(nodes, { pin }), [`FORK_REFUSED ${again.path}`])
  }
})

test("somebody removed and taken back on one line alone does not outlive his removal on the other", () => {
  const out = forge({ by: ana, members: without("tom"), parents: [root] })
  const taken = forge({ by: ana, members: all, parents: [out] })
  const signed = forge({ by: tom, members: all, parents: [taken] })
  const nodes = [root, removal, after, out, taken, signed]
  assert.equal(currentOf(verifyKeyring(inputOf(nodes, { pin: root }))), [after.id])
})

test("a removed admin's fork that an admin merged is not taken for a taking back: FORKED beside a line without it", () => {
  const merged = forge({ by: ana, members: without("tom"), parents: [after, quiet], reason: "merge" })
  const routine = forge({ by: bot, members: without("tom"), parents: [after] })
  const first = merged.path < routine.path ? merged : routine
  assertRefused(inputOf([root, removal, after, quiet, merged, routine], { pin: after }), "FORKED", first)
})

test("a removed admin's fork that goes around his removal, and one that pretends to take him back: FORK_REFUSED", () => {
  // The first record that is new was signed under the right that he had lost, whatever comes after it.
  const left = forge({ by: tom, members: [...without("tom"), member(max, "admin")], parents: [root] })
  const returned = forge({
    by: max,
    members: [...left.record.members, member(tom, "admin")],
    parents: [left],
  })
  const usurped = forge({ by: tom, members: returned.record.members, parents: [returned] })
  const nodes = [root, removal, after, quiet, friend, left, returned, usurped]
  for (const pin of [root, removal, after])
    assert.equal(currentOf(verifyKeyring(inputOf(nodes, { pin }))), [after.id])
})

test("a key change on one branch and a rotation with the old key on the other: FORK_REFUSED", () => {
  const rekeyed = [...without("ana"), { ...member(max, "admin"), name: "ana" }]
  const change = forge({ by: ana, members: rekeyed, parents: [root], reason: "replace" })
  const rotation = forge({ by: ana, members: all, parents: [root] })
  const nodes = [root, change, rotation]
  assert.equal(currentOf(verifyKeyring(inputOf(nodes, { pin: root }))), [change.id])
  assert.equal(codes(nodes, { pin: root }), [`FORK_REFUSED ${rotation.path}`])
})

test("honest concurrent changes are DIVERGED until a merge", () => {
  const left = forge({ by: ana, members: [...all, member(max, "writer")], parents: [root] })
  const right = forge({ by: tom, members: without("eva"), parents: [root] })
  const nodes = [root, left, right]
  const keyring = verifyKeyring(inputOf(nodes, { pin: root }))
  assert.equal([...currentOf(keyring)].sort(), [left.id, right.id].sort())
  assert.ok(codes(nodes, { pin: root })[0]!.startsWith("DIVERGED"))
  // Neither removes the other's signer: a pin on one side keeps the other readable.
  assert.is(currentOf(verifyKeyring(inputOf(nodes, { pin: left }))).length, 2)
  const merge = forge({ by: tom, members: without("eva"), parents: [left, right], reason: "merge" })
  assert.equal(currentOf(verifyKeyring(inputOf([...nodes, merge], { pin: left }))), [merge.id])
})

test("lines that displace each other in a ring leave nothing to trust: FORKED", () => {
  const a = forge({ by: ana, members: without("tom"), parents: [root] })
  const b = forge({ by: tom, members: without("eva"), parents: [root] })
  const admins = [member(ana, "admin"), member(tom, "admin"), member(eva, "admin"), member(bot, "rotator")]
  const start = forge({ by: ana, members: admins })
  const drop = (by: typeof ana, name: string) =>
    forge({ by, members: admins.filter(entry => entry.name !== name), parents: [start] })
  const ring = [drop(ana, "tom"), drop(tom, "eva"), drop(eva, "ana")]
  const first = [...ring].sort((x, y) => (x.id < y.id ? -1 : 1))[0]!
  assertRefused(inputOf([start, ...ring], { pin: start }), "FORKED", first)
  assert.equal(currentOf(verifyKeyring(inputOf([root, a, b], { pin: root }))), [a.id])
})

test("an older branch that also holds a refused fork stays readable", () => {
  const known = knownOf([root, removal, after], after)
  const nodes = [root, removal, quiet]
  const keyring = verifyKeyring(inputOf(nodes, { pin: root, known, behind: ["default"] }))
  assert.equal(currentOf(keyring), [removal.id])
  assert.equal(codes(nodes, { pin: root, known, behind: ["default"] }), [
    `FORK_REFUSED ${quiet.path}`,
    `BEHIND ${removal.path}`,
  ])
})

test.run()
