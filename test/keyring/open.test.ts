import { test } from "uvu"
import * as assert from "uvu/assert"
import { wrapDataKey } from "../../src/crypto/age.js"
import { newDataKey } from "../../src/crypto/data-key.js"
import { equalBytes } from "../../src/encoding.js"
import { type ErrorCode, hasCode } from "../../src/errors.js"
import type { Member } from "../../src/format/key-record.js"
import { type NewRecord, nextRecord, openLinks } from "../../src/keyring/extend.js"
import { makeNode, type RecordNode } from "../../src/keyring/graph.js"
import type { GroupKeyring } from "../../src/keyring/group.js"
import { type OpenKeyring, openKeys } from "../../src/keyring/open.js"
import { verifyKeyring } from "../../src/keyring/verify.js"
import { forge, inputOf, makePeople, member, type Person, register, STORE } from "./graphs.js"

const people = await makePeople("ana", "tom", "eva", "bot", "max")
const { ana, tom, eva, bot, max } = people
register(...Object.values(people))

const at = new Date(Date.UTC(2026, 5, 1))
const team = [member(ana, "admin"), member(tom, "writer"), member(bot, "rotator")]
const first = await nextRecord({ ...common(ana, team), reason: "init", at })

function common(by: Person, members: readonly Member[]) {
  const { name: author, signing: signingKey } = by
  return { store: STORE, group: "default", members, policy: {}, groups: new Map(), author, signingKey }
}

function groupOf(...nodes: RecordNode[]): GroupKeyring {
  return verifyKeyring(inputOf(nodes, { pin: nodes[0]! })).groups.get("default")!
}

/** The next record on top of all current ones, with the keys that `by` can open. */
async function extend(
  nodes: readonly RecordNode[],
  by: Person,
  members: readonly Member[],
): Promise<NewRecord> {
  const group = groupOf(...nodes)
  const open = await openKeys(group, [by.identity], { brokenWrap: "skip" })
  const links = await openLinks(group.graph, group.current, open)
  const parents = { nodes: group.current, graph: group.graph, links }
  return nextRecord({ ...common(by, members), reason: "rotate", at }, parents)
}

async function opens(open: OpenKeyring, record: NewRecord): Promise<void> {
  assert.ok(equalBytes((await open.keyFor(record.node.id)).dataKey, record.dataKey))
}

async function refused(code: ErrorCode, action: () => Promise<unknown>, named: string): Promise<void> {
  try {
    await action()
  } catch (error) {
    if (!hasCode(error, code)) throw error
    assert.ok(error.message.includes(`"${named}"`), error.message)
    return
  }
  assert.unreachable(`no ${code}`)
}

const second = await extend([first.node], ana, [...team, member(eva, "reader")])
const third = await extend([first.node, second.node], bot, second.node.record.members)
const line = [first.node, second.node, third.node]

test("each member opens the newest key and, through it, every older one", async () => {
  for (const person of [ana, tom, eva, bot]) {
    const open = await openKeys(groupOf(...line), [max.identity, person.identity])
    assert.is(open.newest.id, third.node.id)
    assert.is(open.member.name, person.name)
    for (const record of [third, first, second]) {
      const key = await open.keyFor(record.node.id)
      assert.ok(equalBytes(key.dataKey, record.dataKey))
      assert.ok(equalBytes(key.keys.seal, record.keys.seal))
    }
  }
})

test("an old key is reached with one unwrap, whatever the length of the line", async () => {
  let unwraps = 0
  const counting = {
    recipient: eva.recipient,
    unwrap: (message: Uint8Array) => {
      unwraps++
      return eva.identity.unwrap(message)
    },
  }
  const open = await openKeys(groupOf(...line), [counting])
  await open.keyFor(first.node.id)
  assert.is(unwraps, 1)
})

test("NOT_A_MEMBER and REMOVED", async () => {
  await refused("NOT_A_MEMBER", () => openKeys(groupOf(...line), [max.identity]), "default")
  await refused("NOT_A_MEMBER", () => openKeys(groupOf(...line), []), "default")
  const without = await extend(line, ana, team)
  assert.is(without.node.record.oldest, 4)
  await refused("REMOVED", () => openKeys(groupOf(...line, without.node), [eva.identity]), "eva")
})

test("KEY_UNKNOWN: a key that is not of this line", async () => {
  const open = await openKeys(groupOf(...line), [ana.identity])
  await refused("KEY_UNKNOWN", () => open.keyFor("1-00000000"), "1-00000000")
})

test("WRAP_BROKEN: another key wrapped to one member, and the next record of an admin puts it right", async () => {
  const wrap = await Promise.all(
    third.node.record.members.map(({ recipient }) => wrapDataKey(recipient, newDataKey())),
  )
  const junk = forge({
    by: bot,
    members: third.node.record.members,
    parents: [third.node],
    wrap,
    previous: [],
  })
  const nodes = [...line, junk]
  await refused("WRAP_BROKEN", () => openKeys(groupOf(...nodes), [ana.identity]), junk.path)
  const next = await extend(nodes, ana, third.node.record.members)
  assert.equal(
    next.node.record.previous.map(link => link.id),
    [third.node.id],
  )
  const open = await openKeys(groupOf(...nodes, next.node), [eva.identity])
  await opens(open, first)
  await refused("WRAP_BROKEN", () => open.keyFor(junk.id), junk.path)
})

test("a wrap that is no 32 bytes is broken too", async () => {
  const { Encrypter } = await import("age-encryption")
  const encrypter = new Encrypter()
  encrypter.addRecipient(ana.recipient)
  const short = await encrypter.encrypt(new Uint8Array(31))
  const bad = forge({ by: ana, members: [member(ana, "admin")], wrap: [short] })
  await refused("WRAP_BROKEN", () => openKeys(groupOf(bad), [ana.identity]), bad.path)
})

test("HISTORY_CUT without a link and without a wrap of my own; with one the key opens", async () => {
  const cut = await nextRecord(
    { ...common(ana, [...team, member(max, "reader")]), reason: "rotate", at },
    { nodes: [first.node], graph: groupOf(first.node).graph, links: [] },
  )
  const group = groupOf(first.node, cut.node)
  const mine = await openKeys(group, [tom.identity])
  await opens(mine, first)
  const later = await openKeys(group, [max.identity])
  await refused("HISTORY_CUT", () => later.keyFor(first.node.id), "default")
})

test("PREVIOUS_BROKEN: a link that gives another key", async () => {
  const wrong = { ...first, dataKey: newDataKey() }
  const broken = await nextRecord(
    { ...common(ana, [...team, member(max, "reader")]), reason: "add", at },
    { nodes: [first.node], graph: groupOf(first.node).graph, links: [wrong] },
  )
  const group = groupOf(first.node, broken.node)
  const later = await openKeys(group, [max.identity])
  await refused("PREVIOUS_BROKEN", () => later.keyFor(first.node.id), first.node.path)
  const mine = await openKeys(group, [tom.identity])
  await opens(mine, first)
})

test("a diverged group opens through each record that I am in, and a merge links both", async () => {
  const left = await extend([first.node], ana, [...team, member(eva, "writer")])
  const right = await extend([first.node], ana, [...team, member(max, "writer")])
  const nodes = [first.node, left.node, right.node]
  const open = await openKeys(groupOf(...nodes), [ana.identity])
  await opens(open, left)
  await opens(open, right)
  const evas = await openKeys(groupOf(...nodes), [eva.identity])
  await refused("HISTORY_CUT", () => evas.keyFor(right.node.id), "default")
  const merge = await extend(nodes, ana, [...team, member(eva, "writer"), member(max, "writer")])
  assert.is(merge.node.record.parents.length, 2)
  assert.is(merge.node.record.oldest, merge.node.record.number)
  const after = await openKeys(groupOf(...nodes, merge.node), [eva.identity])
  await opens(after, right)
})

test("a record that readers would refuse is not built", async () => {
  const group = groupOf(...line)
  const open = await openKeys(group, [tom.identity])
  const parents = {
    nodes: group.current,
    graph: group.graph,
    links: await openLinks(group.graph, group.current, open),
  }
  const build = (by: Person, members: readonly Member[]) => () =>
    nextRecord({ ...common(by, members), reason: "add", at }, parents)
  const members = third.node.record.members
  await assertRejects("SIGNER_NOT_ALLOWED", build(tom, members))
  await assertRejects("SIGNER_NOT_ALLOWED", build(bot, [...members, member(max, "writer")]))
  await assertRejects(
    "NO_ADMIN",
    build(
      ana,
      members.filter(entry => entry.name !== "ana"),
    ),
  )
  await assertRejects("MEMBER_TWICE", build(ana, [...members, member({ ...max, name: "eva" }, "reader")]))
})

async function assertRejects(code: ErrorCode, action: () => Promise<unknown>): Promise<void> {
  const error = await action().then(
    () => undefined,
    (reason: unknown) => reason,
  )
  assert.ok(hasCode(error, code), String(error))
}

test("a record keeps `oldest` on additions and rotations, and raises it when told or when somebody goes", async () => {
  assert.is(second.node.record.oldest, 1)
  assert.is(third.node.record.oldest, 1)
  const group = groupOf(...line)
  const parents = { nodes: group.current, graph: group.graph, links: [] }
  const retired = await nextRecord(
    { ...common(ana, third.node.record.members), reason: "rotate", at, retire: true },
    parents,
  )
  assert.is(retired.node.record.oldest, 4)
})

test("`created` never goes back, whatever the clock says", async () => {
  const early = new Date(Date.UTC(2020, 0, 1))
  const group = groupOf(...line)
  const parents = { nodes: group.current, graph: group.graph, links: [] }
  const { node } = await nextRecord({ ...common(ana, team), reason: "rotate", at: early }, parents)
  assert.is(node.record.created, third.node.record.created)
})

test("a parsed record is the one that was built", () => {
  assert.equal(makeNode(third.node.path, third.node.bytes), third.node)
})

test.run()
