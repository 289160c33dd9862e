import { execFileSync } from "node:child_process"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { parseSecretName } from "../../src/format/names.js"
import { type History, listVersions, type VersionChoice } from "../../src/store/history.js"
import { resolveSecret } from "../../src/store/resolve.js"
import { rotateGroups } from "../../src/store/rotate.js"
import { deleteSecrets, getSecret, rollbackSecret, undeleteSecret } from "../../src/store/secrets.js"
import { transferSecret } from "../../src/store/transfer.js"
import { type Actor, assertRefused, makeTeam, now, type Team } from "./team.js"

let team: Team
let ana: Actor
test.before.each(async () => {
  team = await makeTeam()
  ana = team.ana
})

const name = parseSecretName

async function versions(of: string, actor = ana): Promise<History> {
  return listVersions(await actor.open(), { name: name(of) })
}

async function getAt(of: string, choice: VersionChoice, actor = ana): Promise<string> {
  return Buffer.from((await getSecret(await actor.open(), { name: name(of), ...choice })).value).toString()
}

async function setMany(of: string, count: number): Promise<void> {
  for (let number = 1; number <= count; number++) await ana.set(of, `${of}${number}`)
}

test("versions come newest first with their commits, and each can be read", async () => {
  await setMany("A", 7)
  const history = await versions("A")
  assert.equal(
    history.versions.map(({ label, linked }) => `${label} ${linked}`),
    [7, 6, 5, 4, 3, 2, 1].map(number => `${number} true`),
  )
  assert.equal(history.lost, [])
  assert.is(history.why, null)
  const commits = ana.git("log", "--format=%H", "--", "secrets/A.yaml").trim().split("\n")
  assert.equal(
    history.versions.map(({ commit }) => commit),
    commits,
  )
  assert.is(await getAt("A", { version: 1 }), "A1")
  assert.is(await getAt("A", { version: 7 }), "A7")
  await assertRefused("NOT_FOUND", () => getAt("A", { version: 8 }))
  await assertRefused("NOT_FOUND", () => getAt("B", { version: 1 }))
})

test("versions made under older names come with their commits, also sealed again and where the name is used anew", async () => {
  const commits: string[] = []
  const note = () => commits.unshift(ana.git("rev-parse", "HEAD").trim())
  const move = async (from: string, to: string) => {
    const request = { from: name(from), to: name(to), at: now() }
    await transferSecret(await ana.open(), "move", request)
    note()
  }
  for (const value of ["1", "2"]) {
    await ana.set("A", value)
    note()
  }
  await rotateGroups(await ana.open(), { at: now() })
  await move("A", "p/B")
  await ana.set("A", "another secret")
  await move("p/B", "C")
  const { versions: found, lost, why } = await versions("C")
  assert.equal(
    found.map(({ label, commit, linked }) => `${label} ${commit} ${linked}`),
    commits.map((commit, index) => `${4 - index} ${commit} true`),
  )
  assert.equal([lost, why], [[], null])
  assert.equal(
    (await versions("A")).versions.map(({ label }) => label),
    ["4", "3", "2", "1"],
  )
})

test("after a git revert the version that the store has is the current one, not the highest", async () => {
  await setMany("A", 2)
  ana.git("revert", "--no-edit", "HEAD")
  const history = await versions("A")
  assert.equal(
    history.versions.map(({ label, current }) => `${label} ${current}`),
    ["2 false", "1 true"],
  )
})

test("a time means the version that was current then", async () => {
  const before = now()
  await ana.set("A", "A1")
  const between = now()
  await ana.set("A", "A2")
  assert.is(await getAt("A", { at: between }), "A1")
  assert.is(await getAt("A", { at: now() }), "A2")
  await assertRefused("NOT_FOUND", () => getAt("A", { at: before }))
})

test("rollback writes the old value as a new version; undelete brings the last live one back", async () => {
  await setMany("A", 2)
  const request = { name: name("A"), choice: { version: 1 }, at: now() }
  assert.is((await rollbackSecret(await ana.open(), request)).version, 3)
  assert.is(await ana.get("A"), "A1")
  assert.is((await rollbackSecret(await ana.open(), { ...request, at: now() })).changed, false)
  await deleteSecrets(await ana.open(), { deletions: [{ name: name("A") }], at: now() })
  await assertRefused("NOT_FOUND", () => getAt("A", { version: 4 }))
  await assertRefused("NOT_FOUND", () => ana.get("A"))
  assert.is(await getAt("A", { version: 2 }), "A2")
  assert.is((await undeleteSecret(await ana.open(), { name: name("A"), at: now() })).version, 5)
  assert.is(await ana.get("A"), "A1")
  assert.equal(
    (await versions("A")).versions.map(({ label, file }) => `${label} ${file.state}`),
    ["5 current", "4 deleted", "3 current", "2 current", "1 current"],
  )
})

test("history goes along when a secret is moved", async () => {
  await setMany("A", 2)
  await transferSecret(await ana.open(), "move", { from: name("A"), to: name("prod/A"), at: now() })
  assert.is(await ana.get("prod/A"), "A2")
  assert.is(await getAt("prod/A", { version: 1 }), "A1")
  const history = await versions("prod/A")
  assert.equal(history.lost, [])
  assert.equal(
    history.versions.map(({ label }) => label),
    ["3", "2", "1"],
  )
})

test("a shallow clone says what it lacks and how to get it", async () => {
  await setMany("A", 3)
  const clone = await team.clone(ana)
  execFileSync("rm", ["-rf", clone.dir])
  execFileSync("git", ["clone", "-q", "--depth", "1", `file://${ana.dir}`, clone.dir])
  assert.is(await clone.get("A"), "A3")
  const history = await versions("A", clone)
  assert.equal(history.lost, [1, 2])
  assert.match(history.why!, /^shallow:/)
  const error = await assertRefused("HISTORY_MISSING", () => getAt("A", { version: 1 }, clone))
  assert.match(error.hint!, "git fetch --unshallow")
  assert.is(await getAt("A", { version: 3 }, clone), "A3")
})

test("a squash keeps what its branch ended with, and says so in clones", async () => {
  await ana.set("A", "A1")
  ana.git("switch", "-qc", "topic")
  await ana.set("A", "A2")
  await ana.set("A", "A3")
  ana.git("switch", "-q", "main")
  ana.git("merge", "-q", "--squash", "topic")
  ana.git("commit", "-qm", "squashed")
  ana.git("branch", "-qD", "topic")
  // Here the squashed files are still among git's objects.
  assert.is(await getAt("A", { version: 2 }), "A2")
  const clone = await team.clone(ana)
  execFileSync("rm", ["-rf", clone.dir])
  execFileSync("git", ["clone", "-q", `file://${ana.dir}`, clone.dir])
  const history = await versions("A", clone)
  assert.equal(history.lost, [2])
  assert.match(history.why!, /^squashed:/)
  assert.is(await getAt("A", { version: 1 }, clone), "A1")
  await assertRefused("HISTORY_MISSING", () => getAt("A", { version: 2 }, clone))
})

test("after a purge numbering begins again, and the new version is the one that is meant", async () => {
  await setMany("A", 2)
  await deleteSecrets(await ana.open(), { deletions: [{ name: name("A") }], at: now() })
  await deleteSecrets(await ana.open(), { deletions: [{ name: name("A") }], purge: true, at: now() })
  await ana.set("A", "anew")
  assert.is(await getAt("A", { version: 1 }), "anew")
  const labels = (await versions("A")).versions.map(({ label, linked }) => `${label} ${linked}`)
  assert.is(labels.filter(label => /^1~[0-9a-f]{4} true$/.test(label)).length, 1)
  assert.is(labels.filter(label => /^1~[0-9a-f]{4} false$/.test(label)).length, 1)
})

test("two values under one number are told apart by a label, and the number alone is refused", async () => {
  await ana.set("A", "A1")
  ana.git("switch", "-qc", "side")
  await ana.set("A", "theirs")
  ana.git("switch", "-q", "main")
  await ana.set("A", "ours")
  assert.throws(() => ana.git("merge", "-q", "side"))
  await resolveSecret(await ana.open(), { name: name("A"), take: "theirs", at: now() })
  ana.git("commit", "-qm", "merge")
  assert.is(await ana.get("A"), "theirs")
  const labels = (await versions("A")).versions.map(({ label }) => label)
  assert.is(labels[0], "3")
  const twice = labels.filter(label => label.startsWith("2~"))
  assert.is(twice.length, 2)
  const error = await assertRefused("VERSION_TWICE", () => getAt("A", { version: 2 }))
  for (const label of twice) assert.match(error.message, `A@${label}`)
  const values = new Set<string>()
  for (const label of twice) values.add(await getAt("A", { version: 2, hint: label.slice(2) }))
  assert.equal([...values].sort(), ["ours", "theirs"])
})

test.run()
