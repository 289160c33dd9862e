import { test } from "uvu"
import * as assert from "uvu/assert"
import { member } from "../keyring/graphs.js"
import {
  files,
  forgeFile,
  forgeRecord,
  listing,
  people,
  prodFirst,
  prodTip,
  secrets,
  team,
  tip,
  without,
} from "./cast.js"
import { attack, coffer, finds, git, plant, reads, refuses } from "./world.js"

const { ana, tom, maria, zoe } = people

attack("somebody plants a keyring below a group", async () => {
  const planted = await forgeRecord({ by: zoe, members: [member(zoe, "admin")], group: "prod/payments" })
  plant(files(planted, forgeFile({ name: "prod/payments/KEY", by: zoe, under: planted })))
  refuses("GROUP_NOT_LISTED", planted.path, { run: ["get", "prod/payments/KEY"] })
  refuses("GROUP_NOT_LISTED", planted.path, { run: ["set", "prod/payments/KEY"] })
  finds("GROUP_NOT_LISTED", planted.path)
})

attack("a removed admin lists a group of his own", async () => {
  const planted = await forgeRecord({ by: people.max, members: [member(zoe, "admin")], group: "stage" })
  const groups = listing({ prod: prodTip, stage: planted })
  const lists = await forgeRecord({ by: people.max, members: team, parents: [tip], groups })
  plant(files(planted, lists))
  refuses("SIGNER_NOT_ALLOWED", lists.path, { run: ["set", "stage/KEY"] })
})

attack("the keyring of a group is deleted: its names never fall to another group", () => {
  plant(without(prodTip, prodFirst))
  const head = git("tom", "rev-parse", "HEAD")
  for (const run of [
    ["get", "prod/TOKEN"],
    ["set", "prod/TOKEN"],
    ["set", "prod/NEW"],
  ]) {
    refuses("GROUP_MISSING", ".coffer/keys/prod", { run })
    refuses("GROUP_MISSING", ".coffer/keys/prod", { who: "ana", run })
  }
  assert.is(git("tom", "rev-parse", "HEAD"), head)
  assert.is(git("tom", "status", "--porcelain"), "")
})

attack("the listed record of a group is deleted, older ones stay", () => {
  plant(without(prodTip))
  refuses("GROUP_MISSING", ".coffer/keys/prod", { run: ["get", "prod/TOKEN"] })
})

attack("a group whose founder has left is still accepted", () => {
  assert.is(prodFirst.record.author, "max")
  reads("prod one", { run: ["get", "prod/TOKEN"] })
  assert.is(coffer("tom", ["set", "prod/TOKEN"], { input: "prod two" }).status, 0)
  reads("prod two", { run: ["get", "prod/TOKEN"] })
})

attack("a group is made and its names are not moved into it", async () => {
  const stage = await forgeRecord({
    by: ana,
    members: [member(ana, "admin"), member(tom, "writer")],
    group: "stage",
  })
  const groups = listing({ prod: prodTip, stage })
  plant(files(stage, await forgeRecord({ by: ana, members: team, parents: [tip], groups, reason: "group" })))
  refuses("SECRET_WRONG_GROUP", "stage/KEY.yaml", { run: ["get", "stage/KEY"] })
  finds("SECRET_WRONG_GROUP", "stage/KEY.yaml")
})

attack("a secret of a group is sealed for the default group, whose readers then see it", () => {
  plant(files(forgeFile({ name: "prod/TOKEN", by: tom, under: tip })))
  refuses("SECRET_WRONG_GROUP", "prod/TOKEN.yaml", { run: ["get", "prod/TOKEN"] })
  refuses("SECRET_WRONG_GROUP", "prod/TOKEN.yaml", { who: "maria", run: ["get", "prod/TOKEN"] })
})

attack("a member of the default group writes into a group that he is not in", () => {
  plant(files(forgeFile({ name: "prod/TOKEN", by: maria, under: prodTip })))
  refuses("WRITER_NOT_ALLOWED", "prod/TOKEN.yaml", { run: ["get", "prod/TOKEN"] })
})

attack("a group's secret is put where its name is not", () => {
  plant({ "API_TOKEN.yaml": files(secrets["prod/TOKEN"])["prod/TOKEN.yaml"]! })
  refuses("SECRET_MOVED", "API_TOKEN.yaml")
})

test.run()
