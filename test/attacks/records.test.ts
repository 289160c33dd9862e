import { readFileSync } from "node:fs"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { printKeyRecord } from "../../src/format/key-record.js"
import type { RecordNode } from "../../src/keyring/graph.js"
import { makePerson, member } from "../keyring/graphs.js"
import {
  everyone,
  files,
  first,
  forgeFile,
  forgeRecord,
  listing,
  people,
  prodFirst,
  prodTip,
  reseal,
  secrets,
  team,
  tip,
  without,
} from "./cast.js"
import { attack, coffer, finds, git, plant, publish, reads, refuses } from "./world.js"

const { ana, tom, maria, rot, max, eva, zoe } = people

/** What everything was sealed under, now under another record. */
function sealedUnder(to: RecordNode): Record<string, Uint8Array> {
  const { API_TOKEN, DB_URL, "stage/KEY": key } = secrets
  return files(...[API_TOKEN, DB_URL, key].map(file => reseal(file, { from: tip, to })))
}

function refusesRecord(code: Parameters<typeof refuses>[0], node: RecordNode): void {
  plant(files(node))
  refuses(code, node.path)
  refuses(code, node.path, { who: "maria", pin: first })
}

// A removed admin forks from before his removal.
const fork = await forgeRecord({ by: max, members: everyone, parents: [first] })
const forkedToken = forgeFile({ name: "API_TOKEN", by: eva, under: fork })

attack("a removed admin's fork, the real line withheld, a pin taken after his removal", () => {
  plant({ ...without(tip), ...files(fork, forkedToken) })
  refuses("PIN_MISMATCH", ".coffer/keys/default", { who: "maria", pin: tip })
})

attack("a removed admin's fork, the real line withheld, against local state", () => {
  plant({ ...without(tip), ...files(fork, forkedToken) })
  refuses("ROLLED_BACK", tip.path)
})

attack("a removed admin's fork beside the real line is refused, and writes go on", () => {
  plant(files(fork))
  finds("FORK_REFUSED", fork.path, { level: "warning" })
  reads("token two", { who: "maria", pin: first })
  assert.is(coffer("tom", ["set", "API_TOKEN"], { input: "three" }).status, 0)
  reads("three")
  plant(files(forgeFile({ name: "API_TOKEN", by: eva, under: fork, version: 4 })))
  refuses("KEY_UNKNOWN", "API_TOKEN.yaml")
})

attack("two admins removed each other: forked under a root pin, decided by a later one", async () => {
  const hostile = await forgeRecord({
    by: max,
    members: everyone.filter(entry => entry.name !== "ana"),
    parents: [first],
  })
  plant(files(hostile))
  refuses("FORKED", hostile.path, { who: "maria", pin: first })
  refuses("FORKED", tip.path, { who: "maria", pin: first })
  reads("token two", { who: "maria", pin: tip })
})

attack("a removed admin's fork, the real line withheld, a root pin: believed, as the docs say", () => {
  plant({ ...without(tip), ...files(fork, forkedToken) })
  reads("forged", { who: "maria", pin: first })
  const docs = readFileSync("docs/threat-model.md", "utf8").replace(/\s+/g, " ")
  assert.match(docs, /a pin from before his removal and the real line withheld, he is believed/)
})

for (const by of [maria, tom, eva, zoe]) {
  attack(`${by.name}, who may not, signs a record`, async () => {
    const node = await forgeRecord({ by, members: team, parents: [tip] })
    refusesRecord("SIGNER_NOT_ALLOWED", node)
  })
}

attack("a reader signs a record in an admin's name", async () => {
  const node = await forgeRecord({ by: ana, signing: maria.signing, members: team, parents: [tip] })
  refusesRecord("SIGNATURE", node)
})

attack("there is a second first record", async () => {
  const intruder = await forgeRecord({ by: zoe, members: [member(zoe, "admin")] })
  refusesRecord("RECORD_UNTRUSTED", intruder)
})

attack("a rotator lowers `oldest`", async () => {
  const node = await forgeRecord({ by: rot, members: team, parents: [tip], oldest: 1 })
  refusesRecord("OLDEST_INVALID", node)
})

attack("a removal keeps `oldest`", async () => {
  const members = team.filter(entry => entry.name !== "tom")
  const node = await forgeRecord({ by: ana, members, parents: [tip], oldest: 2 })
  refusesRecord("OLDEST_INVALID", node)
})

const CHANGES: Readonly<Record<string, Partial<Parameters<typeof forgeRecord>[0]>>> = {
  "the members": { members: [...team, member(zoe, "reader")] },
  "a role": { members: [...team.filter(entry => entry.name !== "rot"), member(rot, "admin")] },
  "the policy": { policy: { rotation: { interval: 36_500 } } },
  "the groups": { groups: listing({ prod: prodFirst }) },
}

for (const [what, change] of Object.entries(CHANGES)) {
  attack(`a rotator changes ${what}`, async () => {
    const node = await forgeRecord({ by: rot, members: team, parents: [tip], ...change })
    refusesRecord("SIGNER_NOT_ALLOWED", node)
  })
}

attack("a rotator forks from before a removal", async () => {
  const node = await forgeRecord({ by: rot, members: everyone, parents: [first] })
  plant(files(node))
  finds("FORK_REFUSED", node.path, { level: "warning" })
  reads("token two", { who: "maria", pin: first })
  plant(files(forgeFile({ name: "API_TOKEN", by: eva, under: node })))
  refuses("KEY_UNKNOWN", "API_TOKEN.yaml", { who: "maria", pin: first })
})

attack("an admin's key is replaced on one branch, and the old one rotates on another", async () => {
  const renewed = await makePerson("ana")
  const members = [...team.filter(entry => entry.name !== "ana"), member(renewed, "admin")]
  const replaced = await forgeRecord({ by: ana, members, parents: [tip], reason: "replace" })
  const rotated = await forgeRecord({ by: ana, members: team, parents: [tip] })
  plant({ ...files(replaced, rotated), ...sealedUnder(replaced) })
  finds("FORK_REFUSED", rotated.path, { level: "warning" })
  reads("token two")
})

attack("a merge is signed with a key that is missing in one parent", async () => {
  const added = await forgeRecord({ by: ana, members: [...team, member(zoe, "admin")], parents: [tip] })
  const rotated = await forgeRecord({ by: ana, members: team, parents: [tip] })
  plant(files(added, rotated))
  const members = added.record.members
  refusesRecord("SIGNER_NOT_ALLOWED", await forgeRecord({ by: zoe, members, parents: [added, rotated] }))
})

attack("a diverged keyring is for reading only", async () => {
  const one = await forgeRecord({ by: ana, members: team, parents: [tip] })
  const other = await forgeRecord({ by: ana, members: team, parents: [tip] })
  plant(files(one, other))
  finds("DIVERGED", one.id < other.id ? other.path : one.path, { level: "warning" })
  reads("token two")
  const head = git("tom", "rev-parse", "HEAD")
  refuses("DIVERGED", "default", { run: ["set", "API_TOKEN"] })
  assert.is(git("tom", "rev-parse", "HEAD"), head)
})

attack("a rotator publishes more keys side by side than one record can follow", async () => {
  const rotations = Array.from({ length: 17 }, () =>
    forgeRecord({ by: rot, members: team, parents: [tip], groups: tip.record.groups! }),
  )
  plant(files(...(await Promise.all(rotations))))
  reads("token two")
  const { status, stderr } = coffer("ana", ["rotate", "--merge"])
  assert.is(status, 0, stderr)
  publish("ana")
  reads("token two")
  assert.is(coffer("tom", ["set", "API_TOKEN"], { input: "token three" }).status, 0)
  reads("token three", { who: "maria" })
})

attack("a record is put into another group, or comes from another store", async () => {
  const path = prodTip.path.replace("/prod/", "/default/")
  plant({ [path]: prodTip.bytes })
  refuses("RECORD_MOVED", path)
  plant({ [path]: null })
  refusesRecord("RECORD_MOVED", await forgeRecord({ by: ana, members: team, store: "f".repeat(32) }))
})

attack("a parent is swapped for one of equal id", async () => {
  const parent = await forgeRecord({ by: ana, members: team, parents: [tip] })
  const child = await forgeRecord({ by: ana, members: team, parents: [parent] })
  // 46,000 trials find two data keys of one id: the rotator has prepared this one.
  const commitment = parent.record.commitment.slice(0, 8) + "0".repeat(56)
  const twin = await forgeRecord({ by: rot, members: team, parents: [tip], commitment })
  assert.is(twin.path, parent.path)
  plant(files(twin, child))
  refuses("PARENT_MISSING", child.path)
})

attack("a record's bytes are changed where it lies", () => {
  const changed = printKeyRecord({ ...tip.record, policy: { rotation: { interval: 9 } } })
  plant({ [tip.path]: changed })
  refuses("SIGNATURE", tip.path, { who: "maria", pin: first })
  refuses("PIN_MISMATCH", ".coffer/keys/default", { who: "maria", pin: tip })
  refuses("ROLLED_BACK", tip.path)
})

test.run()
