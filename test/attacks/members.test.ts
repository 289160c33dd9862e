import { test } from "uvu"
import * as assert from "uvu/assert"
import { wrapDataKey } from "../../src/crypto/age.js"
import { newDataKey } from "../../src/crypto/data-key.js"
import { printCard } from "../../src/format/card.js"
import { type KeyRecord, type Member, printKeyRecord } from "../../src/format/key-record.js"
import { dataKeyOf, member, type Person } from "../keyring/graphs.js"
import { files, first, forgeRecord, people, team, tip } from "./cast.js"
import { attack, coffer, plant, reads, refuses } from "./world.js"

const { ana, rot, maria, zoe } = people

/** The members, sorted, with other wraps for those who are named. */
function wraps(record: KeyRecord, others: Readonly<Record<string, Uint8Array>>): Uint8Array[] {
  return record.members.map(({ name }, index) => others[name] ?? record.wrap[index]!)
}

attack("an outsider, and a member of another group", () => {
  refuses("NOT_A_MEMBER", "default", { who: "zoe" })
  refuses("NOT_A_MEMBER", "prod", { who: "maria", run: ["get", "prod/TOKEN"] })
})

attack("those who were removed", () => {
  refuses("REMOVED", "eva", { who: "eva" })
  refuses("REMOVED", "max", { who: "max", run: ["get", "prod/TOKEN"] })
})

attack("a reader adds a recipient to a record by hand", async () => {
  const zoes = { ...member(zoe, "reader") }
  const wrap = await wrapDataKey(zoe.recipient, dataKeyOf(tip))
  const { record } = tip
  const bytes = printKeyRecord({
    ...record,
    members: [...record.members, zoes],
    wrap: [...record.wrap, wrap],
  })
  plant({ [tip.path]: bytes })
  refuses("SIGNATURE", tip.path, { who: "maria", pin: first })
  refuses("SIGNATURE", tip.path, { who: "zoe", pin: first })
  refuses("ROLLED_BACK", tip.path)
})

attack("a rotator wraps another key to one member", async () => {
  const node = await forgeRecord({ by: rot, members: team, parents: [tip] })
  const wrap = wraps(node.record, { tom: await wrapDataKey(people.tom.recipient, newDataKey()) })
  const split = await forgeRecord({ by: rot, members: team, parents: [tip], dataKey: dataKeyOf(node), wrap })
  plant(files(split))
  refuses("WRAP_BROKEN", split.path)
  reads("token two", { who: "maria" })
})

attack("a rotator publishes junk wraps, and the next admin's record works", async () => {
  const junk = await forgeRecord({ by: rot, members: team, parents: [tip], wrap: await junkWraps() })
  plant(files(junk))
  refuses("WRAP_BROKEN", junk.path)
  refuses("WRAP_BROKEN", "rot", { who: "maria" })
  const { status, stderr } = coffer("ana", ["rotate", "default"])
  assert.is(status, 0, stderr)
  reads("token two", { who: "ana" })
})

function junkWraps(): Promise<Uint8Array[]> {
  const sorted = [...team].sort((a, b) => (a.name < b.name ? -1 : 1))
  return Promise.all(sorted.map(({ recipient }) => wrapDataKey(recipient, newDataKey())))
}

attack("a wrap has a second stanza, for somebody whom no list shows", async () => {
  const { Encrypter } = await import("age-encryption")
  const node = await forgeRecord({ by: rot, members: team, parents: [tip] })
  const encrypter = new Encrypter()
  for (const { recipient } of [maria, zoe]) encrypter.addRecipient(recipient)
  const wrap = wraps(node.record, { maria: await encrypter.encrypt(dataKeyOf(node)) })
  const hiding = await forgeRecord({ by: rot, members: team, parents: [tip], dataKey: dataKeyOf(node), wrap })
  plant(files(hiding))
  refuses("WRAP_SHAPE", hiding.path)
})

attack("a classic recipient stands in a post-quantum group", async () => {
  const { generateHybridIdentity, identityToRecipient } = await import("age-encryption")
  const recipient = await identityToRecipient(await generateHybridIdentity())
  await refusesMembers("MIXED_RECIPIENTS", [...team, { ...member(zoe, "reader"), recipient }])
})

const ODD_KEYS = {
  "of small order": `01${"00".repeat(31)}`,
  "that is not canonical": `${"ff".repeat(31)}7f`,
}

for (const [what, signingKey] of Object.entries(ODD_KEYS)) {
  attack(`a member has a signing key ${what}`, async () => {
    const card = printCard({ recipient: zoe.recipient, signingKey })
    refuses("MEMBER_INVALID", "zoe", { who: "ana", run: ["recipients", "add", "zoe", card] })
    await refusesMembers("MEMBER_INVALID", [...team, { ...member(zoe, "writer"), signingKey }])
  })
}

attack("the last admin is removed", async () => {
  await refusesMembers(
    "NO_ADMIN",
    team.filter(entry => entry.name !== "ana"),
  )
  refuses("NO_ADMIN", "ana", { who: "ana", run: ["recipients", "remove", "ana"] })
})

attack("one person stands in a record under two names", async () => {
  const twin: Person = { ...maria, name: "zoe" }
  await refusesMembers("MEMBER_TWICE", [...team, member(twin, "reader")])
})

async function refusesMembers(
  code: "NO_ADMIN" | "MEMBER_INVALID" | "MIXED_RECIPIENTS" | "MEMBER_TWICE",
  members: readonly Member[],
): Promise<void> {
  const node = await forgeRecord({ by: ana, members, parents: [tip] })
  plant(files(node))
  refuses(code, node.path)
}

test.run()
