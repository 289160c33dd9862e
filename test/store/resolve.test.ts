import { test } from "uvu"
import * as assert from "uvu/assert"
import { parseSecretName } from "../../src/format/names.js"
import { finishRotation } from "../../src/store/finish.js"
import { createGroup } from "../../src/store/groups.js"
import { addRecipient, removeRecipient } from "../../src/store/members.js"
import { resolveMerge, resolveSecret } from "../../src/store/resolve.js"
import { rotateGroups } from "../../src/store/rotate.js"
import { deleteSecret, getSecret, listSecrets, setSecret } from "../../src/store/secrets.js"
import { transferSecret } from "../../src/store/transfer.js"
import { codeOf } from "../code-of.js"
import { type Actor, makeTeam, now } from "./team.js"

async function move(actor: Actor, from: string, to: string): Promise<void> {
  const names = { from: parseSecretName(from), to: parseSecretName(to) }
  await transferSecret(await actor.open(), "move", { ...names, at: now() })
}

async function annotate(actor: Actor, name: string, meta: ReadonlyMap<string, string>): Promise<void> {
  await setSecret(await actor.open(), { name: parseSecretName(name), meta, at: now() })
}

async function metaOf(actor: Actor, name: string): Promise<ReadonlyMap<string, string>> {
  const { file } = await getSecret(await actor.open(), { name: parseSecretName(name) })
  return file.meta
}

/** Leaves the merge of another clone's main in conflict. */
function mergeInto(actor: Actor, from: Actor): void {
  actor.git("fetch", "-q", from.dir, "main")
  assert.throws(() => actor.git("merge", "-q", "--no-edit", "FETCH_HEAD"))
}

async function resolve(actor: Actor): Promise<{ resolved: string[]; conflicts: string[] }> {
  const { resolved, conflicts } = await resolveMerge(await actor.open(), { at: now() })
  return { resolved: [...resolved], conflicts: conflicts.map(({ name }) => name) }
}

async function choose(actor: Actor, name: string, take: "ours" | "theirs"): Promise<void> {
  await resolveSecret(await actor.open(), { name: parseSecretName(name), take, at: now() })
}

test("a changed value follows a move", async () => {
  const { ana, clone } = await makeTeam()
  await ana.set("A", "1")
  const second = await clone(ana)
  await move(ana, "A", "B")
  await second.set("A", "2")
  mergeInto(ana, second)
  assert.equal(await resolve(ana), { resolved: ["A"], conflicts: [] })
  ana.git("commit", "-q", "--no-edit")
  assert.is(await ana.get("B"), "2")
})

test("a changed value and notes follow a secret to where it is by now, and join what was noted there", async () => {
  const { ana, clone } = await makeTeam()
  for (const name of ["A", "P"]) await ana.set(name, "1")
  const second = await clone(ana)
  for (const [from, to] of ["AB", "BC", "PQ"]) await move(ana, from!, to!)
  await annotate(ana, "Q", new Map([["owner", "ana"]]))
  await second.set("A", "2")
  await annotate(second, "P", new Map([["env", "P"]]))
  mergeInto(ana, second)
  assert.equal(await resolve(ana), { resolved: ["A", "P"], conflicts: [] })
  ana.git("commit", "-q", "--no-edit")
  assert.is(await ana.get("C"), "2")
  assert.is(await codeOf(ana.get("B")), "NOT_FOUND")
  assert.is(await ana.get("Q"), "1")
  assert.equal(
    [...(await metaOf(ana, "Q"))],
    [
      ["env", "P"],
      ["owner", "ana"],
    ],
  )
})

test("a move whose target was changed or deleted since is a person's to decide about", async () => {
  const { ana, clone } = await makeTeam()
  for (const name of ["A", "P"]) await ana.set(name, "1")
  const second = await clone(ana)
  for (const [from, to] of ["AB", "PQ"]) await move(ana, from!, to!)
  await ana.set("B", "ours")
  await deleteSecret(await ana.open(), { name: parseSecretName("Q"), at: now() })
  for (const name of ["A", "P"]) await second.set(name, "theirs")
  mergeInto(ana, second)
  assert.equal(await resolve(ana), { resolved: [], conflicts: ["A", "P"] })
  await choose(ana, "A", "ours")
  await choose(ana, "P", "theirs")
  ana.git("commit", "-q", "--no-edit")
  assert.is(await ana.get("B"), "ours")
  assert.is(await ana.get("P"), "theirs")
})

test("a move whose target is in conflict too is a person's to decide about", async () => {
  const { ana, clone } = await makeTeam()
  await ana.set("A", "1")
  const second = await clone(ana)
  await move(ana, "A", "B")
  await second.set("A", "2")
  await second.set("B", "other")
  mergeInto(ana, second)
  assert.equal(await resolve(ana), { resolved: [], conflicts: ["A", "B"] })
  await choose(ana, "A", "theirs")
  await choose(ana, "B", "ours")
  ana.git("commit", "-q", "--no-edit")
  assert.is(await ana.get("A"), "2")
  assert.is(await ana.get("B"), "1")
})

test("a move whose target waits for --finish does not keep the rest from being settled", async () => {
  const { ana, join, clone } = await makeTeam()
  const eva = await join("eva")
  await addRecipient(await ana.open(), { name: "eva", card: eva.card, at: now() })
  await ana.set("A", "1")
  const second = await clone(ana)
  await move(ana, "A", "B")
  await second.set("A", "2")
  await removeRecipient(await second.open(), { name: "eva", at: now() })
  mergeInto(ana, second)
  assert.equal(await resolve(ana), { resolved: [], conflicts: ["A"] })
})

test("a secret that both sides changed is settled in the group that one side made of its path", async () => {
  const { ana, clone } = await makeTeam()
  await ana.set("prod/A", "0")
  await ana.set("prod/B", "0")
  const second = await clone(ana)
  await ana.set("prod/A", "ours")
  await createGroup(await ana.open(), { group: "prod", at: now() })
  await second.set("prod/A", "theirs")
  await second.set("prod/B", "1")
  mergeInto(ana, second)
  assert.equal(await resolve(ana), { resolved: ["prod/B"], conflicts: ["prod/A"] })
  await choose(ana, "prod/A", "theirs")
  ana.git("commit", "-q", "--no-edit")
  assert.is(await ana.get("prod/A"), "theirs")
  assert.is(await ana.get("prod/B"), "1")
})

/** Meta of `count` entries that nobody else has. */
function notes(letter: string, count: number): Map<string, string> {
  return new Map(Array.from({ length: count }, (_, index) => [`${letter}${index}`, "x"]))
}

test("notes of both sides that are too many together are a person's to decide about", async () => {
  const { ana, clone } = await makeTeam()
  await ana.set("A", "1")
  await ana.set("B", "1")
  const second = await clone(ana)
  await annotate(ana, "A", notes("a", 20))
  await annotate(second, "A", notes("b", 20))
  await annotate(ana, "B", notes("a", 16))
  await annotate(second, "B", notes("b", 16))
  mergeInto(ana, second)
  assert.equal(await resolve(ana), { resolved: ["B"], conflicts: ["A"] })
  await choose(ana, "A", "theirs")
  ana.git("commit", "-q", "--no-edit")
  assert.is(await ana.get("A"), "1")
  assert.equal([...(await metaOf(ana, "A")).keys()], [...notes("b", 20).keys()].sort())
  assert.is((await metaOf(ana, "B")).size, 32)
})

test("a value that is chosen against a move is not marked as moved", async () => {
  const { ana, clone } = await makeTeam()
  await ana.set("A", "1")
  const second = await clone(ana)
  await move(ana, "A", "B")
  await second.set("A", "2")
  mergeInto(ana, second)
  await choose(ana, "A", "theirs")
  ana.git("commit", "-q", "--no-edit")
  assert.is(await ana.get("A"), "2")
  assert.equal([...(await metaOf(ana, "A"))], [])
})

test("a secret that both sides moved elsewhere is a person's to decide about, and one that was also deleted has moved", async () => {
  const { ana, clone } = await makeTeam()
  await ana.set("A", "1")
  await ana.set("B", "1")
  const second = await clone(ana)
  await move(ana, "A", "Y")
  await move(second, "A", "Z")
  await deleteSecret(await ana.open(), { name: parseSecretName("B"), at: now() })
  await move(second, "B", "C")
  mergeInto(ana, second)
  assert.equal(await resolve(ana), { resolved: ["B"], conflicts: ["A"] })
  await choose(ana, "A", "theirs")
  ana.git("commit", "-q", "--no-edit")
  const all = await listSecrets(await ana.open(), { deleted: true })
  const moved = all.filter(({ state }) => state === "deleted")
  assert.equal(
    moved.map(({ name, meta }) => `${name} to ${meta.get("movedTo")}`),
    ["A to Z", "B to C"],
  )
  assert.equal([await ana.get("Y"), await ana.get("Z"), await ana.get("C")], ["1", "1", "1"])
})

test("a value that is chosen against a purge keeps its notes", async () => {
  const { ana, clone } = await makeTeam()
  await ana.set("A", "1")
  await annotate(ana, "A", new Map([["owner", "ana"]]))
  const second = await clone(ana)
  await deleteSecret(await ana.open(), { name: parseSecretName("A"), at: now() })
  await deleteSecret(await ana.open(), { name: parseSecretName("A"), purge: true, at: now() })
  await second.set("A", "2")
  mergeInto(ana, second)
  await choose(ana, "A", "theirs")
  ana.git("commit", "-q", "--no-edit")
  assert.is(await ana.get("A"), "2")
  assert.equal([...(await metaOf(ana, "A"))], [["owner", "ana"]])
})

test("what somebody wrote who is removed on the other side is not taken in unasked", async () => {
  const { ana, join, clone } = await makeTeam()
  const [eve, bob] = [await join("eve"), await join("bob")]
  for (const { name, card } of [eve, bob]) await addRecipient(await ana.open(), { name, card, at: now() })
  for (const name of ["A", "B", "C"]) await ana.set(name, "1")
  const left = await clone(eve)
  await removeRecipient(await ana.open(), { name: "eve", at: now() })
  await ana.set("B", "ours")
  await annotate(ana, "C", new Map([["owner", "ana"]]))
  await left.set("A", "evil")
  await annotate(left, "B", new Map([["env", "PATH"]]))
  await annotate(left, "C", new Map([["env", "PATH"]]))
  mergeInto(ana, left)
  assert.equal(await resolve(bob), { resolved: ["A"], conflicts: ["B", "C"] })
  assert.match(bob.notes.at(-1)!, "rotate --finish")
  await choose(bob, "B", "ours")
  await choose(bob, "C", "ours")
  ana.git("commit", "-q", "--no-edit")
  assert.equal([...(await metaOf(bob, "B"))], [])
  assert.equal([...(await metaOf(bob, "C"))], [["owner", "ana"]])
  assert.is(await codeOf(bob.get("A")), "KEY_RETIRED")
  const finish = async (who: Actor) =>
    finishRotation(await who.open(), { accept: ["eve"], at: now() }).then(({ groups }) => groups.length)
  assert.is(await codeOf(finish(bob)), "ROLE_MISSING")
  assert.is(await finish(ana), 1)
  assert.is(await bob.get("A"), "evil")
})

/** Tom is removed by ana, and has sealed all files again on his branch, where he changed some; in conflict. */
async function makeFork(): Promise<Actor> {
  const { ana, join, clone } = await makeTeam()
  const tom = await join("tom")
  await addRecipient(await ana.open(), { name: "tom", card: tom.card, role: "admin", at: now() })
  for (const name of ["A", "B", "C", "D"]) await ana.set(name, "1")
  const fork = await clone(tom)
  for (const name of ["B", "C"]) await ana.set(name, "ours")
  await removeRecipient(await ana.open(), { name: "tom", at: now() })
  await rotateGroups(await fork.open(), { at: now() })
  await rotateGroups(await fork.open(), { at: now() })
  for (const name of ["B", "C", "D"]) await fork.set(name, "theirs")
  mergeInto(ana, fork)
  return ana
}

test("what a refused fork has sealed is settled by rule, and by choice where both sides changed it", async () => {
  const ana = await makeFork()
  assert.equal(await resolve(ana), { resolved: ["A", "D"], conflicts: ["B", "C"] })
  await choose(ana, "B", "ours")
  await choose(ana, "C", "theirs")
  ana.git("commit", "-q", "--no-edit")
  assert.is(await ana.get("A"), "1")
  assert.is(await ana.get("B"), "ours")
  assert.is(await ana.get("C"), "theirs")
  assert.is(await codeOf(ana.get("D")), "KEY_UNKNOWN")
  await finishRotation(await ana.open(), { accept: ["tom"], at: now() })
  assert.is(await ana.get("D"), "theirs")
})

test.run()
