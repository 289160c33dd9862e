import { test } from "uvu"
import * as assert from "uvu/assert"
import { checkStore } from "../../src/store/check.js"
import { finishRotation } from "../../src/store/finish.js"
import { createGroup, listGroups } from "../../src/store/groups.js"
import { addRecipient, removeRecipient } from "../../src/store/members.js"
import { mergeKeyrings } from "../../src/store/merge-groups.js"
import { rotateGroups } from "../../src/store/rotate.js"
import { acceptChanges } from "../../src/store/trust-change.js"
import { type Actor, assertRefused, makeTeam, now } from "./team.js"

async function add(by: Actor, who: Actor, role?: "admin" | "writer" | "rotator"): Promise<void> {
  await addRecipient(await by.open(), { name: who.name, card: who.card, at: now(), role })
}

async function remove(by: Actor, name: string): Promise<void> {
  await removeRecipient(await by.open(), { name, at: now() })
}

/** Takes another clone's main in, as `git pull` does: a merge commit, ours where both sides sealed a file again. */
function pull(actor: Actor, from: Actor): void {
  actor.git("fetch", "-q", from.dir, "main")
  actor.git("merge", "-q", "--no-edit", "-X", "ours", "FETCH_HEAD")
}

async function codes(actor: Actor): Promise<string[]> {
  const { problems } = await checkStore(await actor.open(), { at: now() })
  return [...new Set(problems.map(({ code }) => code))].sort()
}

async function merge(actor: Actor, more: Partial<Parameters<typeof mergeKeyrings>[1]> = {}) {
  return mergeKeyrings(await actor.open(), { at: now(), ...more })
}

async function finish(actor: Actor, more: Partial<Parameters<typeof finishRotation>[1]> = {}) {
  return finishRotation(await actor.open(), { at: now(), ...more })
}

test("two additions: diverged, merged by name, and all files sealed again", async () => {
  const { ana, join: joinTeam, clone } = await makeTeam()
  await ana.set("A", "1")
  const [eva, max] = [await joinTeam("eva"), await joinTeam("max")]
  const second = await clone(ana)
  await add(ana, eva)
  await add(second, max)
  await second.set("B", "2")
  pull(ana, second)
  assert.equal(await codes(ana), ["DIVERGED"])
  await assertRefused("DIVERGED", () => ana.set("A", "no"))
  const open = await assertRefused("USAGE", () => merge(ana))
  assert.match(open.hint!, "--accept eva --accept max")
  const merged = await merge(ana, { accept: ["eva", "max"] })
  assert.equal(
    merged.groups.map(({ group, resealed }) => [group, resealed]),
    [["default", 2]],
  )
  assert.equal(await codes(ana), [])
  assert.is(await eva.get("B"), "2")
  assert.is(await max.get("A"), "1")
  const [group] = await listGroups(await ana.open())
  assert.equal(
    group!.members.map(({ name }) => name),
    ["ana", "eva", "max"],
  )
  assert.not.ok((await merge(ana)).changed)
})

test("a removal wins on a branch of a branch too, where a third never knew the member", async () => {
  const { ana, join: joinTeam, clone } = await makeTeam()
  await ana.set("A", "1")
  const max = await joinTeam("max")
  const second = await clone(ana)
  await rotateGroups(await ana.open(), { at: now() })
  await add(second, max)
  const third = await clone(second)
  await rotateGroups(await third.open(), { at: now() })
  await remove(second, "max")
  pull(ana, second)
  pull(ana, third)
  await merge(ana)
  const [group] = await listGroups(await ana.open())
  assert.equal(
    group!.members.map(({ name }) => name),
    ["ana"],
  )
})

test("additions to several groups are all asked for, before anybody is taken in", async () => {
  const { ana, join: joinTeam, clone } = await makeTeam()
  const [eva, max] = [await joinTeam("eva"), await joinTeam("max")]
  await createGroup(await ana.open(), { group: "prod", at: now() })
  const second = await clone(ana)
  await rotateGroups(await ana.open(), { at: now() })
  const into = (who: Actor, groups: string[]) => ({ name: who.name, card: who.card, groups, at: now() })
  await addRecipient(await second.open(), into(eva, ["prod", "default"]))
  await addRecipient(await second.open(), into(max, ["default"]))
  pull(ana, second)
  const open = await assertRefused("USAGE", () => merge(ana))
  for (const question of ['"eva" into "prod"', '"eva" into "default"', '"max" into "default"'])
    assert.match(open.message, question)
  assert.match(open.hint!, "--accept eva --accept max")
  const asked: string[] = []
  const confirm = async (question: string) => asked.push(question) > 0 && question.includes("prod")
  await mergeKeyrings(await ana.open({ confirm }), { at: now() })
  assert.is(asked.length, 3)
  const names = (await listGroups(await ana.open())).map(({ members }) => members.map(({ name }) => name))
  assert.equal(names, [["ana"], ["ana", "eva"]])
})

test("a removal wins, and files that the other side sealed under retired keys wait for --finish", async () => {
  const { ana, join: joinTeam, clone } = await makeTeam()
  const [eva, max] = [await joinTeam("eva"), await joinTeam("max")]
  await add(ana, eva)
  await ana.set("A", "1")
  const second = await clone(ana)
  await remove(ana, "eva")
  await second.set("OLD", "sealed before the addition")
  await add(second, max)
  pull(ana, second)
  const asked: string[] = []
  const confirm = async (question: string) => {
    asked.push(question)
    return true
  }
  const store = await ana.open({ confirm })
  await mergeKeyrings(store, { at: now() })
  assert.equal(asked, ['take "max" into "default" as writer?'])
  assert.ok(
    ana.notes.includes("1 secret left as before: coffer rotate --finish takes them in"),
    ana.notes.join(),
  )
  assert.equal(await codes(ana), ["EXPOSED", "KEY_RETIRED"])
  const finished = await finish(ana)
  assert.equal(
    finished.groups.map(({ group, resealed }) => [group, resealed]),
    [["default", 1]],
  )
  assert.ok(ana.notes.some(note => note.startsWith('"OLD": version 1 by ana')))
  assert.is(await max.get("OLD"), "sealed before the addition")
  assert.equal(await codes(ana), ["EXPOSED"])
  assert.not.ok((await finish(ana)).changed)
})

test("what a member who is gone wrote in the meantime is taken in by name only", async () => {
  const { ana, join: joinTeam, clone } = await makeTeam()
  const [eva, max] = [await joinTeam("eva"), await joinTeam("max")]
  await add(ana, eva)
  await add(ana, max)
  const evas = await clone({ ...eva, dir: ana.dir })
  await remove(ana, "eva")
  await evas.set("LATE", "by eva")
  pull(ana, evas)
  assert.equal(await codes(ana), ["KEY_RETIRED"])
  await assertRefused("KEY_RETIRED", () => ana.get("LATE"))
  await assertRefused("ROLE_MISSING", () => finish(max))
  const open = await assertRefused("USAGE", () => finish(ana))
  assert.match(open.hint!, "--accept eva")
  assert.not.ok((await finish(ana, { accept: [] })).changed)
  await finish(ana, { accept: ["eva"] })
  assert.is(await max.get("LATE"), "by eva")
})

test("a refused fork's files are taken in, and writes go on meanwhile", async () => {
  const { ana, join: joinTeam, clone } = await makeTeam()
  const bot = await joinTeam("bot")
  await add(ana, bot, "rotator")
  await ana.set("A", "1")
  const second = await clone(ana)
  const bots = await clone({ ...bot, dir: second.dir })
  await rotateGroups(await bots.open(), { at: now() })
  pull(second, bots)
  await second.set("B", "under the rotation")
  const eva = await joinTeam("eva")
  await add(ana, eva)
  pull(ana, second)
  assert.equal(await codes(ana), ["FORK_REFUSED", "KEY_UNKNOWN"])
  await ana.set("C", "3")
  await assertRefused("KEY_UNKNOWN", () => eva.get("B"))
  await finish(ana)
  assert.is(await eva.get("B"), "under the rotation")
  assert.equal(await codes(ana), ["FORK_REFUSED"])
})

test("what a refused fork has sealed for others alone is left and named, and does not hold up the rest", async () => {
  const { ana, join: joinTeam, clone } = await makeTeam()
  const tom = await joinTeam("tom")
  await add(ana, tom, "admin")
  await createGroup(await ana.open(), { group: "prod", like: "default", at: now() })
  await ana.set("A", "1")
  await ana.set("prod/B", "1")
  const toms = await clone({ ...tom, dir: ana.dir })
  await remove(ana, "tom")
  await rotateGroups(await toms.open(), { groups: ["prod"], at: now() })
  await toms.set("prod/B", "2")
  await removeRecipient(await toms.open(), { name: "ana", groups: ["default"], at: now() })
  await toms.set("A", "2")
  ana.git("fetch", "-q", toms.dir, "main")
  ana.git("merge", "-q", "--no-edit", "-X", "theirs", "FETCH_HEAD")
  assert.equal(
    (await finish(ana, { accept: ["tom"] })).groups.map(({ group }) => group),
    ["prod"],
  )
  assert.match(ana.notes.at(-1)!, /"A" .*left as before.*git checkout/)
  assert.is(await ana.get("prod/B"), "2")
  await assertRefused("KEY_UNKNOWN", () => ana.get("A"))
})

test("a file that a branch left in the wrong group moves to its own", async () => {
  const { ana, clone } = await makeTeam()
  await ana.set("A", "1")
  const second = await clone(ana)
  await createGroup(await ana.open(), { group: "prod", at: now() })
  await second.set("prod/B", "made outside")
  pull(ana, second)
  assert.equal(await codes(ana), ["SECRET_WRONG_GROUP"])
  await finish(ana)
  assert.is(await ana.get("prod/B"), "made outside")
  assert.equal(await codes(ana), [])
})

test("one group made on two branches: an admin of default keeps one and takes the other's files in", async () => {
  const { ana, join: joinTeam, clone } = await makeTeam()
  const tom = await joinTeam("tom")
  await add(ana, tom, "admin")
  const toms = await clone({ ...tom, dir: ana.dir })
  const members = [{ name: "tom" }]
  await createGroup(await ana.open(), { group: "prod", members, at: now() })
  await ana.set("prod/A", "ana's")
  await createGroup(await toms.open(), {
    group: "prod",
    members: [{ name: "ana", role: "writer" }],
    at: now(),
  })
  await toms.set("prod/B", "tom's")
  pull(ana, toms)
  assert.ok((await codes(ana)).includes("FORKED"))
  await assertRefused("FORKED", () => ana.get("prod/A"))
  await assertRefused("USAGE", () => merge(ana))
  const merged = await merge(ana, { reason: "both made prod" })
  assert.equal(
    merged.groups.map(({ group, resealed }) => [group, resealed]),
    [
      ["prod", 1],
      ["default", 0],
    ],
  )
  assert.is(await ana.get("prod/A"), "ana's")
  assert.is(await ana.get("prod/B"), "tom's")
  assert.is(await tom.get("prod/B"), "tom's")
  assert.equal(await codes(ana), ["EXPOSED"])
})

test("admins of a group who removed each other: an admin of default says whose keyring stays", async () => {
  const { ana, join: joinTeam, clone } = await makeTeam()
  const tom = await joinTeam("tom")
  await add(ana, tom, "admin")
  await createGroup(await ana.open(), { group: "prod", members: [{ name: "tom", role: "admin" }], at: now() })
  await ana.set("prod/A", "1")
  const toms = await clone({ ...tom, dir: ana.dir })
  const fresh = await clone(ana)
  await removeRecipient(await ana.open(), { name: "tom", groups: ["prod"], at: now() })
  await removeRecipient(await toms.open(), { name: "ana", groups: ["prod"], at: now() })
  pull(ana, toms)
  pull(fresh, ana)
  assert.ok((await codes(fresh)).includes("FORKED"))
  const which = await assertRefused("USAGE", () => merge(fresh, { groups: ["prod"], reason: "x" }))
  assert.match(which.hint!, "--keep 2-")
  await assertRefused("USAGE", () => merge(fresh, { groups: ["prod"], reason: "x", keep: "2-00000000" }))
  const [keep] = ana
    .git("ls-tree", "--name-only", "HEAD^1", "secrets/.coffer/keys/prod/")
    .split("\n")
    .filter(path => path.includes("/2-"))
  const id = /(2-[0-9a-f]{8})/.exec(keep!)![1]!
  await merge(fresh, { groups: ["prod"], reason: "tom has left", keep: id, accept: [] })
  assert.equal(await codes(fresh), ["EXPOSED", "FORK_REFUSED"])
  assert.is(await fresh.get("prod/A"), "1")
})

test("both sides remove the same member, who could sign: the joint record of the group is listed", async () => {
  const { ana, join: joinTeam, clone } = await makeTeam()
  const bot = await joinTeam("bot")
  await add(ana, bot, "rotator")
  await createGroup(await ana.open(), { group: "prod", members: [{ name: "bot" }], at: now() })
  await ana.set("prod/A", "1")
  const second = await clone(ana)
  await remove(ana, "bot")
  await remove(second, "bot")
  pull(ana, second)
  await merge(ana)
  assert.is(await ana.get("prod/A"), "1")
  assert.equal(await codes(ana), ["EXPOSED", "PIN_OLD"])
})

test("one side removed the admin who signed the other's record of a group: the record that counts is listed", async () => {
  const { ana, join: joinTeam, clone } = await makeTeam()
  const [tom, bot] = [await joinTeam("tom"), await joinTeam("bot")]
  await add(ana, tom, "admin")
  await add(ana, bot, "rotator")
  const members = [{ name: "tom", role: "admin" as const }, { name: "bot" }]
  await createGroup(await ana.open(), { group: "prod", members, at: now() })
  await ana.set("prod/A", "1")
  const toms = await clone({ ...tom, dir: ana.dir })
  await removeRecipient(await toms.open(), { name: "ana", groups: ["prod"], at: now() })
  await removeRecipient(await ana.open(), { name: "bot", groups: ["prod", "default"], at: now() })
  pull(toms, ana)
  await merge(toms)
  await finish(toms, { accept: ["ana"] })
  assert.is(await toms.get("prod/A"), "1")
  assert.equal(await codes(toms), ["EXPOSED", "FORK_REFUSED", "PIN_OLD"])
})

test("trust accept --all gives up a newest record although a diverged keyring has none to put in its place", async () => {
  const { ana, clone } = await makeTeam()
  const second = await clone(ana)
  await rotateGroups(await second.open(), { at: now() })
  ana.git("switch", "-q", "-c", "topic")
  await rotateGroups(await ana.open(), { at: now() })
  ana.git("switch", "-q", "main")
  const third = await clone(ana)
  await rotateGroups(await third.open(), { at: now() })
  pull(ana, second)
  pull(ana, third)
  await listGroups(await ana.open())
  await assertRefused("BEHIND", () => ana.set("A", "1"))
  await acceptChanges(await ana.open(), {})
  await assertRefused("DIVERGED", () => ana.set("A", "1"))
  await merge(ana)
  await ana.set("A", "1")
})

test("only an admin of every side merges", async () => {
  const { ana, join: joinTeam, clone } = await makeTeam()
  const tom = await joinTeam("tom")
  await add(ana, tom, "admin")
  const second = await clone(ana)
  await add(ana, await joinTeam("eva"))
  await add(second, await joinTeam("max"))
  pull(ana, second)
  const notes = await assertRefused("NOT_A_MEMBER", async () => merge(await joinTeam("bob")))
  assert.is(notes.exit, 11)
  await merge(tom, { accept: [] })
  const [group] = await listGroups(await ana.open())
  assert.equal(
    group!.members.map(({ name }) => name),
    ["ana", "tom"],
  )
  assert.ok(tom.notes.some(note => note.startsWith('left out: take "eva"')))
})

test.run()
