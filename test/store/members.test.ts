import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { wrapDataKey } from "../../src/crypto/age.js"
import { newDataKey } from "../../src/crypto/data-key.js"
import { makeNode, type RecordNode } from "../../src/keyring/graph.js"
import { checkStore } from "../../src/store/check.js"
import { createGroup } from "../../src/store/groups.js"
import { addRecipient, listRecipients, removeRecipient } from "../../src/store/members.js"
import { rotateGroups } from "../../src/store/rotate.js"
import { listExposed } from "../../src/store/status.js"
import { isBadFile } from "../../src/store/tree.js"
import { forge } from "../keyring/graphs.js"
import { type Actor, assertRefused, makeTeam, now } from "./team.js"

async function add(by: Actor, who: Actor, more: Partial<Parameters<typeof addRecipient>[1]> = {}) {
  return addRecipient(await by.open(), { name: who.name, card: who.card, at: now(), ...more })
}

async function remove(by: Actor, name: string, groups?: string[]) {
  return removeRecipient(await by.open(), { name, at: now(), ...(groups && { groups }) })
}

async function checkClean(actor: Actor): Promise<void> {
  const { problems } = await checkStore(await actor.open(), { at: now() })
  assert.equal(
    problems.filter(problem => problem.level === "error" || problem.code === "STALE"),
    [],
  )
}

/** The default group's records in the work tree, by number. */
async function recordsOf(actor: Actor): Promise<RecordNode[]> {
  const store = await actor.open()
  const records: RecordNode[] = []
  for await (const file of store.tree.files(".coffer/keys/default")) {
    if (!isBadFile(file)) records.push(makeNode(file.path, file.bytes))
  }
  return records.sort((a, b) => a.record.number - b.record.number)
}

function changedFiles(actor: Actor): string[] {
  return actor.git("show", "--name-only", "--format=", "HEAD").trim().split("\n").sort()
}

test("adding a member writes one small file and opens everything to them", async () => {
  const { ana, join: joinTeam } = await makeTeam()
  for (const name of ["A", "B", "C"]) await ana.set(name, `${name} is secret`)
  const eva = await joinTeam("eva")
  await assertRefused("NOT_A_MEMBER", () => eva.get("A"))
  const added = await add(ana, eva)
  assert.is(added.member.role, "writer")
  assert.equal(
    added.groups.map(({ group, resealed }) => [group, resealed]),
    [["default", 0]],
  )
  assert.is(changedFiles(ana).length, 1)
  assert.match(changedFiles(ana)[0]!, /^secrets\/.coffer\/keys\/default\/2-/)
  assert.is(await eva.get("B"), "B is secret")
  await eva.set("B", "changed by eva")
  assert.is(await ana.get("B"), "changed by eva")
  await checkClean(ana)
})

test("the same member again is no change; another entry of that name or key is EXISTS", async () => {
  const { ana, join: joinTeam } = await makeTeam()
  const eva = await joinTeam("eva")
  await add(ana, eva)
  const head = ana.git("rev-parse", "HEAD")
  const again = await add(ana, eva)
  assert.equal([again.changed, again.commit, again.groups], [false, null, []])
  assert.is(ana.git("rev-parse", "HEAD"), head)
  const max = await joinTeam("max")
  await assertRefused("EXISTS", () => add(ana, max, { name: "eva" }))
  await assertRefused("EXISTS", () => add(ana, eva, { name: "eve" }))
  await assertRefused("EXISTS", () => add(ana, eva, { role: "admin" }))
})

test("a card without a signing key reads; one with it writes unless told otherwise", async () => {
  const { ana, join: joinTeam } = await makeTeam()
  const eva = await joinTeam("eva")
  const { recipient } = eva.card
  assert.is((await add(ana, eva, { card: { recipient } })).member.role, "reader")
  await assertRefused("CARD_INVALID", () =>
    add(ana, eva, { name: "max", card: { recipient }, role: "writer" }),
  )
  await assertRefused("NAME_INVALID", () => add(ana, eva, { name: "no spaces" }))
  await ana.set("A", "x")
  assert.is(await eva.get("A"), "x")
  await assertRefused("ROLE_MISSING", () => eva.set("A", "y"))
})

test("a machine's identity is made, shown once, and reads", async () => {
  const { ana, pin } = await makeTeam()
  await ana.set("A", "for the build")
  const made = await addRecipient(await ana.open(), { name: "ci", at: now() })
  assert.is(made.member.role, "reader")
  assert.match(made.identity!, /^AGE-SECRET-KEY-1/)
  const env = { ...ana.options.env, HOME: "/nonexistent", COFFER_IDENTITY: made.identity, COFFER_PIN: pin }
  const { getSecret } = await import("../../src/store/secrets.js")
  const secret = await getSecret(await ana.open({ env }), { name: "A" as never })
  assert.is(Buffer.from(secret.value).toString(), "for the build")
})

test("only an admin adds and removes", async () => {
  const { ana, join: joinTeam } = await makeTeam()
  const [eva, max] = [await joinTeam("eva"), await joinTeam("max")]
  await add(ana, eva)
  await assertRefused("ROLE_MISSING", () => add(eva, max))
  await assertRefused("ROLE_MISSING", () => remove(eva, "ana"))
  await assertRefused("NOT_A_MEMBER", () => add(max, max))
})

test("removing: new keys, every file sealed again and signed by who may, in one commit; the values are exposed", async () => {
  const { ana, join: joinTeam } = await makeTeam()
  const [eva, max] = [await joinTeam("eva"), await joinTeam("max")]
  await add(ana, eva)
  await add(ana, max, { role: "admin" })
  await ana.set("A", "by ana")
  await eva.set("B", "by eva")
  await ana.set("C", "deleted")
  const { deleteSecret } = await import("../../src/store/secrets.js")
  await deleteSecret(await ana.open(), { name: "C" as never, at: now() })
  const before = ana.git("rev-parse", "HEAD").trim()
  const removed = await remove(ana, "eva")
  assert.equal(
    removed.groups.map(({ group, resealed }) => [group, resealed]),
    [["default", 3]],
  )
  assert.equal(
    removed.exposed.map(({ name, version }) => [name, version]),
    [
      ["A", 1],
      ["B", 1],
    ],
  )
  assert.is(ana.git("rev-list", "--count", `${before}..HEAD`).trim(), "1")
  await assertRefused("REMOVED", () => eva.get("A"))
  assert.is(await max.get("A"), "by ana")
  assert.is(await max.get("B"), "by eva")
  const file = readFileSync(join(ana.dir, "secrets/B.yaml"), "utf8")
  assert.match(file, 'author: "eva"')
  assert.match(file, 'signer: "ana"')
  await checkClean(max)
  const exposed = await listExposed(await max.open())
  assert.equal(
    exposed.map(({ name, by }) => [name, by.map(({ member }) => member)]),
    [
      ["A", ["eva"]],
      ["B", ["eva"]],
    ],
  )
  await max.set("A", "new")
  assert.equal(
    (await listExposed(await max.open())).map(({ name }) => name),
    ["B"],
  )
})

test("removing again is no change; a name nobody knows is NOT_FOUND", async () => {
  const { ana, join: joinTeam } = await makeTeam()
  const eva = await joinTeam("eva")
  await add(ana, eva)
  await remove(ana, "eva")
  await ana.set("A", "never hers")
  const again = await remove(ana, "eva")
  assert.equal([again.changed, again.groups, again.exposed], [false, [], []])
  await assertRefused("NOT_FOUND", () => remove(ana, "nobody"))
})

test("nobody removes themselves, and the last admin cannot be removed", async () => {
  const { ana, join: joinTeam } = await makeTeam()
  await assertRefused("NO_ADMIN", () => remove(ana, "ana"))
  await add(ana, await joinTeam("max"), { role: "admin" })
  await assertRefused("USAGE", () => remove(ana, "ana"))
})

test("a founder can be removed by another admin, and what they signed stays", async () => {
  const { ana, join: joinTeam } = await makeTeam()
  await ana.set("A", "by ana")
  const max = await joinTeam("max")
  await add(ana, max, { role: "admin" })
  await remove(max, "ana")
  assert.is(await max.get("A"), "by ana")
  await checkClean(max)
  await assertRefused("REMOVED", () => ana.get("A"))
})

test("one file that cannot be sealed again: nothing changes", async () => {
  const { ana, join: joinTeam, clone } = await makeTeam()
  const eva = await joinTeam("eva")
  await add(ana, eva)
  await ana.set("A", "x")
  await ana.set("B", "y")
  const path = join(ana.dir, "secrets/B.yaml")
  writeFileSync(path, readFileSync(join(ana.dir, "secrets/A.yaml")))
  ana.git("commit", "-qam", "swap by hand")
  const fresh = await clone(ana)
  const head = fresh.git("rev-parse", "HEAD")
  const error = await assertRefused("SECRET_MOVED", () => remove(fresh, "eva"))
  assert.match(error.message, '"B.yaml"')
  assert.is(fresh.git("rev-parse", "HEAD"), head)
  assert.is(fresh.git("status", "--porcelain"), "")
})

test("a group that is not mine to open stops the whole removal and is named", async () => {
  const { ana, join: joinTeam } = await makeTeam()
  const [eva, max] = [await joinTeam("eva"), await joinTeam("max")]
  await add(ana, max, { role: "admin" })
  await add(ana, eva)
  const members = [{ name: "eva" }]
  await createGroup(await max.open(), { group: "prod", members, at: now() })
  await createGroup(await max.open(), { group: "stage", members, at: now() })
  const error = await assertRefused("NOT_A_MEMBER", () => remove(ana, "eva"))
  assert.match(error.message, '"prod", "stage"')
  assert.is(error.exit, 11)
  const part = await remove(ana, "eva", ["default"])
  assert.equal(
    part.groups.map(({ group }) => group),
    ["default"],
  )
  await max.set("prod/A", "x")
  assert.is(await eva.get("prod/A"), "x")
})

test("removing somebody who could sign a group's records renews what the default group lists", async () => {
  const { ana, join: joinTeam } = await makeTeam()
  const max = await joinTeam("max")
  await add(ana, max)
  const members = [{ name: "max", role: "admin" as const }]
  await createGroup(await ana.open(), { group: "prod", members, at: now() })
  const removed = await remove(ana, "max", ["prod"])
  assert.equal(removed.groups.map(({ group }) => group).sort(), ["default", "prod"])
  const { problems } = await checkStore(await ana.open(), { at: now() })
  assert.equal(
    problems.filter(({ code }) => code === "ANCHOR_OLD"),
    [],
  )
})

test("a rotator who wraps junk locks nobody out: an admin's next record opens again", async () => {
  const { ana, join: joinTeam, pin } = await makeTeam()
  const bot = await joinTeam("bot")
  await add(ana, bot, { role: "rotator" })
  await ana.set("A", "1")
  const { id } = await ana.open()
  const [first, second] = await recordsOf(ana)
  const person = {
    name: "bot",
    recipient: bot.card.recipient,
    signing: bot.identity.signingKey,
    identity: bot.identity,
    line: bot.identity.line(),
  }
  const anyWrap = await wrapDataKey(bot.card.recipient, newDataKey())
  const junkWrap = await wrapDataKey(ana.card.recipient, newDataKey())
  const { members, groups } = second!.record
  const junk = forge({
    by: { ...person, anyWrap },
    store: id,
    parents: [second!],
    members,
    groups: groups!,
    created: second!.record.created,
    wrap: [junkWrap, anyWrap],
    previous: [],
  })
  assert.is(first!.record.number, 1)
  writeFileSync(join(ana.dir, "secrets", junk.path), junk.bytes)
  ana.git("add", "-A")
  ana.git("commit", "-qm", "junk")
  const broken = await assertRefused("WRAP_BROKEN", () => ana.get("A"))
  assert.match(broken.message, `"${junk.path}"`)
  await rotateGroups(await ana.open(), { at: now() })
  assert.is(await ana.get("A"), "1")
  assert.ok(pin.startsWith("coffer1-1-"))
})

test("members are listed with the time they came", async () => {
  const { ana, join: joinTeam } = await makeTeam()
  const eva = await joinTeam("eva")
  const at = now()
  await add(ana, eva, { at, role: "rotator" })
  const [group] = await listRecipients(await ana.open())
  assert.equal(
    group!.members.map(({ name, role }) => [name, role]),
    [
      ["ana", "admin"],
      ["eva", "rotator"],
    ],
  )
  assert.is(group!.members[1]!.added, `${at.toISOString().slice(0, 19)}Z`)
  await remove(ana, "eva")
  await add(ana, eva)
  const [later] = await listRecipients(await ana.open(), { groups: ["default"] })
  assert.ok(later!.members[1]!.added > group!.members[1]!.added)
  await assertRefused("NOT_FOUND", async () => listRecipients(await ana.open(), { groups: ["nope"] }))
})

test("a member of another program's, to whom nothing can be wrapped here, is named and can be removed", async () => {
  const { ana } = await makeTeam()
  await ana.set("A", "1")
  const { id } = await ana.open()
  const [first] = await recordsOf(ana)
  const { recipient } = ana.card
  const dataKey = newDataKey()
  const anyWrap = await wrapDataKey(recipient, dataKey)
  const { members, groups, created } = first!.record
  const foreign = forge({
    by: {
      name: "ana",
      recipient,
      signing: ana.identity.signingKey,
      identity: ana.identity,
      line: ana.identity.line(),
      anyWrap,
    },
    store: id,
    parents: [first!],
    members: [...members, { name: "hardware", role: "reader", recipient: "age1yubikey1qqq" }],
    groups: groups!,
    created,
    dataKey,
    previous: [],
  })
  writeFileSync(join(ana.dir, "secrets", foreign.path), foreign.bytes)
  ana.git("add", "-A")
  ana.git("commit", "-qm", "foreign")
  const error = await assertRefused("CARD_INVALID", async () => rotateGroups(await ana.open(), { at: now() }))
  assert.match(error.message, '"hardware"')
  assert.match(error.hint ?? "", "coffer recipients remove hardware")
  await remove(ana, "hardware")
  assert.is(await ana.get("A"), "1")
})

test.run()
