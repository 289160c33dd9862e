import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { checkStore } from "../../src/store/check.js"
import { createGroup, listGroups } from "../../src/store/groups.js"
import { listKeys } from "../../src/store/keys.js"
import { addRecipient } from "../../src/store/members.js"
import { rotateGroups } from "../../src/store/rotate.js"
import { type Actor, assertRefused, makeTeam, now } from "./team.js"

type CreateOptions = Partial<Parameters<typeof createGroup>[1]>

async function create(by: Actor, group: string, more: CreateOptions = {}) {
  return createGroup(await by.open(), { group, at: now(), ...more })
}

async function add(by: Actor, who: Actor, role?: "admin" | "rotator" | "reader"): Promise<void> {
  await addRecipient(await by.open(), { name: who.name, card: who.card, at: now(), role })
}

async function problems(actor: Actor): Promise<string[]> {
  const report = await checkStore(await actor.open(), { at: now() })
  return report.problems.map(({ code, path }) => `${code} ${path}`).sort()
}

test("a group takes the names below its path with it, and exposes them to those left behind", async () => {
  const { ana, join: joinTeam } = await makeTeam()
  const [eva, max] = [await joinTeam("eva"), await joinTeam("max")]
  await add(ana, eva)
  await add(ana, max)
  await ana.set("A", "stays")
  await eva.set("prod/db/PASSWORD", "moves")
  await ana.set("production/B", "only looks alike")
  const made = await create(ana, "prod", { members: [{ name: "max", role: "reader" }] })
  assert.equal(made.moved, ["prod/db/PASSWORD"])
  assert.equal(made.exposed, [{ name: "prod/db/PASSWORD", group: "prod", version: 1 }])
  assert.match(made.key, /^1-/)
  assert.is(await max.get("prod/db/PASSWORD"), "moves")
  await assertRefused("NOT_A_MEMBER", () => eva.get("prod/db/PASSWORD"))
  await assertRefused("ROLE_MISSING", () => max.set("prod/db/PASSWORD", "no"))
  assert.is(await eva.get("A"), "stays")
  const file = readFileSync(join(ana.dir, "secrets/prod/db/PASSWORD.yaml"), "utf8")
  assert.match(file, 'author: "eva"')
  assert.match(file, 'signer: "ana"')
  assert.match(file, "version: 1\n")
  assert.equal(await problems(ana), ["EXPOSED prod/db/PASSWORD.yaml"])
  await ana.set("prod/db/PASSWORD", "changed")
  assert.equal(await problems(ana), [])
})

test("groups nest, take over members, and are listed", async () => {
  const { ana, join: joinTeam } = await makeTeam()
  const eva = await joinTeam("eva")
  await add(ana, eva, "reader")
  await create(ana, "prod", { like: "default" })
  await ana.set("prod/db/KEY", "x")
  const nested = await create(ana, "prod/db")
  assert.equal(nested.moved, ["prod/db/KEY"])
  assert.equal(nested.exposed.length, 1)
  await assertRefused("NOT_A_MEMBER", () => eva.get("prod/db/KEY"))
  assert.equal(await listGroups(await ana.open()), [
    {
      group: "default",
      members: [
        { name: "ana", role: "admin" },
        { name: "eva", role: "reader" },
      ],
    },
    {
      group: "prod",
      members: [
        { name: "ana", role: "admin" },
        { name: "eva", role: "reader" },
      ],
    },
    { group: "prod/db", members: [{ name: "ana", role: "admin" }] },
  ])
})

test("what cannot be a group", async () => {
  const { ana, join: joinTeam } = await makeTeam()
  const eva = await joinTeam("eva")
  await add(ana, eva)
  await ana.set("Prod/KEY", "x")
  await assertRefused("NAME_INVALID", () => create(ana, "default/x"))
  await assertRefused("NAME_INVALID", () => create(ana, "prod"))
  await assertRefused("EXISTS", () => create(ana, "default"))
  await assertRefused("ROLE_MISSING", () => create(eva, "stage"))
  await assertRefused("NOT_FOUND", () => create(ana, "stage", { members: [{ name: "nobody" }] }))
  await assertRefused("NOT_FOUND", () => create(ana, "stage", { like: "nope" }))
  await add(ana, await joinTeam("max"), "reader")
  await assertRefused("CARD_INVALID", () =>
    create(ana, "stage", { members: [{ name: "max", role: "writer" }] }),
  )
  await create(ana, "stage")
  await assertRefused("EXISTS", () => create(ana, "stage"))
  assert.not.ok(existsSync(join(ana.dir, "secrets/.coffer/keys/prod")))
})

test("rotating seals every file again under new keys and leaves signatures as they are", async () => {
  const { ana, join: joinTeam } = await makeTeam()
  const [eva, bot] = [await joinTeam("eva"), await joinTeam("bot")]
  await add(ana, eva)
  await add(ana, bot, "rotator")
  await create(ana, "prod")
  await eva.set("A", "by eva")
  await ana.set("prod/B", "x")
  const signed = (path: string) => readFileSync(join(ana.dir, path), "utf8").split("\nkey: ")[0]
  const before = signed("secrets/A.yaml")
  const dry = await rotateGroups(await ana.open(), { dryRun: true, at: now() })
  assert.equal(
    [dry.changed, dry.groups.map(({ group, key, resealed }) => [group, key, resealed])],
    [
      false,
      [
        ["prod", null, 1],
        ["default", null, 1],
      ],
    ],
  )
  const rotated = await rotateGroups(await bot.open(), { groups: ["default"], at: now(), reason: "yearly" })
  assert.equal(
    rotated.groups.map(({ group, resealed }) => [group, resealed]),
    [["default", 1]],
  )
  assert.is(signed("secrets/A.yaml"), before)
  assert.match(
    ana.git("log", "-1", "--format=%B"),
    /^Rotate the data key of default \(1 secret sealed again\)\n\nyearly\n/,
  )
  await assertRefused("NOT_A_MEMBER", async () => rotateGroups(await bot.open(), { at: now() }))
  await assertRefused("ROLE_MISSING", async () =>
    rotateGroups(await eva.open(), { groups: ["default"], at: now() }),
  )
  await assertRefused("NOT_FOUND", async () =>
    rotateGroups(await ana.open(), { groups: ["nope"], at: now() }),
  )
  const mistaken = await assertRefused("USAGE", async () =>
    rotateGroups(await ana.open(), { groups: ["prod/B"], at: now() }),
  )
  assert.match(mistaken.hint!, "coffer generate prod/B --force")
  const all = await rotateGroups(await ana.open(), { at: now(), compromised: true })
  assert.equal(
    all.groups.map(({ group }) => group),
    ["prod", "default"],
  )
  assert.is(await eva.get("A"), "by eva")
  assert.equal(await problems(ana), [])
})

test("keys are listed with what is sealed under each", async () => {
  const { ana } = await makeTeam()
  await ana.set("A", "1")
  await ana.set("A", "2")
  await ana.set("B", "1")
  await rotateGroups(await ana.open(), { at: now() })
  await ana.set("A", "3")
  await rotateGroups(await ana.open(), { at: now(), compromised: true })
  const [group] = await listKeys(await ana.open(), { at: now() })
  assert.is(group!.group, "default")
  assert.equal(
    group!.keys.map(({ number, state, reason, author, secrets, versions, operations }) => [
      number,
      state,
      reason,
      author,
      secrets,
      versions,
      operations,
    ]),
    [
      [3, "current", "rotate", "ana", 2, 0, 2],
      [2, "retired", "rotate", "ana", 0, 1, 1],
      [1, "retired", "init", "ana", 0, 1, 1],
    ],
  )
  await assertRefused("NOT_FOUND", async () => listKeys(await ana.open(), { at: now(), groups: ["nope"] }))
})

test.run()
