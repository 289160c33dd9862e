import { test } from "uvu"
import * as assert from "uvu/assert"
import type { SecretName } from "../../src/format/names.js"
import type { SecretFile } from "../../src/format/secret-file.js"
import { openFile, resealFile } from "../../src/store/seal.js"
import { member, STORE } from "../keyring/graphs.js"
import {
  files,
  first,
  forgeFile,
  forgeRecord,
  people,
  prodTip,
  reseal,
  sealKeyOf,
  secrets,
  team,
  tip,
} from "./cast.js"
import { attack, coffer, finds, git, plant, reads, refuses, type Victim } from "./world.js"

const { ana, tom, maria, rot, eva, zoe } = people

/** A signed write with another header, sealed as if that were the one: whoever reads the group can do it. */
function carry(file: SecretFile, change: Partial<SecretFile>, under = tip): SecretFile {
  const opened = openFile(file, sealKeyOf(tip).seal)
  return resealFile({ ...file, ...change }, opened, sealKeyOf(under))
}

attack("before any attack, everybody reads", () => {
  reads("token two")
  reads("prod one", { run: ["get", "prod/TOKEN"] })
  reads("token two", { who: "maria" })
  reads("token two", { who: "maria", pin: first })
})

for (const by of [maria, rot, eva, zoe]) {
  attack(`${by.name}, who is no writer, writes a secret`, () => {
    plant(files(forgeFile({ name: "API_TOKEN", by })))
    refuses("WRITER_NOT_ALLOWED", "API_TOKEN.yaml")
  })
}

attack("a reader claims another signer", () => {
  plant(files(forgeFile({ name: "API_TOKEN", by: tom, signing: maria.signing })))
  refuses("WRITE_SIGNATURE", "API_TOKEN.yaml")
  refuses("WRITE_SIGNATURE", "API_TOKEN.yaml", { run: ["export", "-p", ".", "--format", "json"] })
})

attack("a writer's file has another author than its signer: both are shown", () => {
  plant(files(forgeFile({ name: "API_TOKEN", by: tom, author: "ana" })))
  reads("forged")
})

attack("a writer names others as authors: wherever one is named, the signer is too", () => {
  const both = /by zoe \(signed by tom\).*by ana \(signed by tom\)/
  git("tom", "checkout", "-qb", "side")
  plant(files(forgeFile({ name: "API_TOKEN", by: tom, author: "ana", text: "theirs" })))
  git("tom", "checkout", "-q", "main")
  plant(files(forgeFile({ name: "API_TOKEN", by: tom, author: "zoe", text: "ours" })))
  reads("ours")
  assert.throws(() => git("tom", "merge", "-q", "side"))
  assert.match(coffer("tom", ["resolve"]).stderr, both)
  git("tom", "merge", "--abort")
  plant(files(forgeFile({ name: "API_TOKEN", by: tom, author: "ana", text: "instead" })))
  assert.match(
    coffer("tom", ["get", "API_TOKEN"]).stderr,
    /by zoe \(signed by tom\), seen before, and by ana \(signed by tom\)/,
  )
  plant(
    files(forgeFile({ name: "API_TOKEN", by: tom, author: "ana", version: 4, state: "deleted", text: "" })),
  )
  assert.match(coffer("tom", ["get", "API_TOKEN"]).stderr, /was deleted by ana \(signed by tom\)/)
  assert.match(coffer("tom", ["versions", "API_TOKEN"]).stdout, /ana \(signed by tom\)/)
})

attack("a writer hides a value in a tombstone, where no exposure list has it", () => {
  plant(files(forgeFile({ name: "API_TOKEN", by: tom, version: 3, state: "deleted", text: "hidden" })))
  finds("TAMPERED", "API_TOKEN")
  refuses("TAMPERED", "API_TOKEN", { who: "ana", run: ["rotate"] })
})

attack("a rotator alters a value while re-sealing", () => {
  const opened = openFile(secrets.API_TOKEN, sealKeyOf(tip).seal)
  const altered = { ...opened, value: Buffer.from("altered") }
  plant(files(resealFile(secrets.API_TOKEN, altered, sealKeyOf(tip))))
  refuses("TAMPERED", "API_TOKEN")
})

attack("the sealed part of one secret is put under the signature of another", () => {
  const { nonce, value } = secrets.DB_URL
  plant(files({ ...secrets.API_TOKEN, nonce, value }))
  refuses("TAMPERED", "API_TOKEN")
})

attack("a demoted writer backdates, under the new key and under the old one", async () => {
  const demoted = [...team.filter(entry => entry.name !== "tom"), member(tom, "reader")]
  const demotion = await forgeRecord({ by: ana, members: demoted, parents: [tip], reason: "replace" })
  const { created } = tip.record
  plant(files(demotion, forgeFile({ name: "API_TOKEN", by: tom, created, under: demotion })))
  refuses("WRITER_NOT_ALLOWED", "API_TOKEN.yaml", { who: "ana" })
  plant(files(forgeFile({ name: "API_TOKEN", by: tom, created, under: tip })))
  refuses("KEY_RETIRED", "API_TOKEN.yaml", { who: "ana" })
})

const CARRIED: Readonly<Record<string, [path: string, SecretFile]>> = {
  name: ["DB_URL", carry(secrets.API_TOKEN, { name: "DB_URL" as SecretName, version: 1 })],
  version: ["API_TOKEN", carry(secrets.API_TOKEN, { version: 3 })],
  group: [
    "prod/TOKEN",
    carry(secrets["stage/KEY"], { name: "prod/TOKEN" as SecretName, group: "prod" }, prodTip),
  ],
  store: [
    "API_TOKEN",
    carry(forgeFile({ name: "API_TOKEN", by: tom, store: "f".repeat(32) }), { store: STORE }),
  ],
  meta: ["API_TOKEN", carry(secrets.API_TOKEN, { meta: new Map([["env", "PATH"]]) })],
}

for (const [what, [name, file]] of Object.entries(CARRIED)) {
  attack(`a signed write is carried to another ${what}`, () => {
    plant(files(file))
    refuses("WRITE_SIGNATURE", `${name}.yaml`, { who: "maria", run: ["get", name] })
  })
}

attack("a writer uses up the numbers of versions", () => {
  plant(files(forgeFile({ name: "API_TOKEN", by: tom, version: 2 ** 31 - 1 })))
  const usedUp: Victim = { status: 2, input: "next" }
  refuses("LIMIT_EXCEEDED", "API_TOKEN", { ...usedUp, run: ["set", "API_TOKEN"] })
  refuses("LIMIT_EXCEEDED", "API_TOKEN", { ...usedUp, run: ["delete", "API_TOKEN"] })
  refuses("LIMIT_EXCEEDED", "API_TOKEN", { ...usedUp, run: ["move", "API_TOKEN", "API_KEY"] })
  reads("forged")
})

attack("a file is renamed, or comes from another store", () => {
  plant({ "DB_URL.yaml": files(secrets.API_TOKEN)["API_TOKEN.yaml"]! })
  refuses("SECRET_MOVED", "DB_URL.yaml", { who: "maria", run: ["get", "DB_URL"] })
  plant(files(forgeFile({ name: "API_TOKEN", by: tom, store: "f".repeat(32) })))
  refuses("SECRET_MOVED", "API_TOKEN.yaml")
})

attack("a writer who was removed writes under the key that he still has", () => {
  plant(files(forgeFile({ name: "API_TOKEN", by: eva, under: first })))
  refuses("KEY_RETIRED", "API_TOKEN.yaml")
  plant(files(reseal(forgeFile({ name: "API_TOKEN", by: eva, under: first }), { from: first, to: tip })))
  refuses("WRITER_NOT_ALLOWED", "API_TOKEN.yaml")
})

test.run()
