import { test } from "uvu"
import * as assert from "uvu/assert"
import { parseSecretName } from "../../src/format/names.js"
import { deleteSecrets, undeleteSecret } from "../../src/store/secrets.js"
import { ana, commitAll, eva, isQuiet, main, publish, startBranches } from "./branches.js"
import { codeOf, nextTime } from "./sandbox.js"

startBranches()

const name = parseSecretName

test("switching branches, to an older topic branch and back, is quiet", async () => {
  ana.git("branch", `${main}-topic`, "HEAD~1")
  await ana.set("A", "a2")
  await isQuiet(ana)
  ana.git("switch", "-q", `${main}-topic`)
  assert.is(await ana.get("A"), "a1")
  ana.git("switch", "-q", main)
  assert.is(await ana.get("A"), "a2")
  await isQuiet(ana)
})

test("a topic branch seen before, left behind and fast-forwarded is quiet", async () => {
  ana.git("switch", "-qc", `${main}-topic`)
  await ana.set("B", "b2")
  await isQuiet(ana)
  ana.git("switch", "-q", main)
  await ana.set("A", "a2")
  ana.git("switch", "-q", `${main}-topic`)
  await isQuiet(ana)
  ana.git("merge", "-q", main)
  await isQuiet(ana)
  ana.git("switch", "-q", main)
  ana.git("merge", "-q", `${main}-topic`)
  await isQuiet(ana)
})

test("a release branch from long ago, and a change there, are quiet", async () => {
  ana.git("branch", `${main}-release`, "HEAD~1")
  await ana.set("A", "a2")
  await ana.set("A", "a3")
  ana.git("switch", "-q", `${main}-release`)
  ana.write("fix", "1")
  commitAll(ana, "fix")
  await ana.get("A")
  assert.is(await ana.set("A", "hot"), 2)
  assert.is(await ana.get("A"), "hot")
  ana.git("switch", "-q", main)
  await isQuiet(ana)
})

test("tags, a detached HEAD and bisect are quiet", async () => {
  ana.git("tag", "-f", "v1")
  await ana.set("A", "a2")
  await ana.set("A", "a3")
  await isQuiet(ana)
  ana.git("switch", "-q", "--detach", "v1")
  assert.is(await ana.get("A"), "a1")
  ana.git("switch", "-q", main)
  ana.git("bisect", "start", "HEAD", "v1")
  await ana.get("A")
  ana.git("bisect", "reset")
  await isQuiet(ana)
})

test("resetting, amending and rebasing unpushed commits is quiet", async () => {
  publish()
  await ana.set("A", "a2")
  await isQuiet(ana)
  ana.git("reset", "-q", "--hard", "HEAD~1")
  assert.is(await ana.get("A"), "a1")
  await isQuiet(ana)

  await ana.set("A", "again")
  ana.write("README", "changed\n")
  ana.git("commit", "-qa", "--amend", "-m", "amended")
  await isQuiet(ana)

  await eva.set("B", "b2")
  eva.git("push", "-q")
  ana.git("pull", "-q", "--rebase")
  assert.is(await ana.get("B"), "b2")
  await isQuiet(ana)
})

test("a squash of a published branch that loses nothing is quiet", async () => {
  publish()
  ana.git("switch", "-qc", `${main}-topic`)
  await ana.set("A", "a2")
  ana.git("push", "-qu", "origin", `${main}-topic`)
  ana.write("x", "1")
  commitAll(ana, "x")
  await isQuiet(ana)
  ana.git("reset", "-q", "--soft", main)
  ana.git("commit", "-qm", "squashed")
  ana.git("push", "-qf")
  await isQuiet(ana)
})

test("delete and purge pulled in one go are quiet, and so is a new secret of that name", async () => {
  publish()
  await eva.remove("B")
  await deleteSecrets(await eva.store(), { deletions: [{ name: name("B") }], purge: true, at: nextTime() })
  eva.git("push", "-q")
  ana.git("pull", "-q")
  assert.is(await ana.get("A"), "a1")
  assert.equal(ana.notes, [])
  assert.is(await codeOf(ana.get("B")), "NOT_FOUND")
  await eva.set("B", "anew")
  eva.git("push", "-q")
  ana.git("pull", "-q")
  assert.is(await ana.get("B"), "anew")
  assert.equal(ana.notes, [])
  // All of it at once.
  await eva.set("B", "last")
  await eva.remove("B")
  await deleteSecrets(await eva.store(), { deletions: [{ name: name("B") }], purge: true, at: nextTime() })
  await eva.set("B", "first")
  eva.git("push", "-q")
  ana.git("pull", "-q")
  assert.is(await ana.get("B"), "first")
  assert.equal(ana.notes, [])
})

test("a deletion that was undone does not explain that the file is gone", async () => {
  publish()
  await eva.get("B")
  await ana.remove("B")
  await undeleteSecret(await ana.store(), { name: name("B"), at: nextTime() })
  ana.git("push", "-q")
  eva.git("pull", "-q")
  eva.git("rm", "-q", eva.path("B"))
  eva.git("commit", "-qm", "remove")
  assert.is(await codeOf(eva.get("B")), "SECRET_MISSING")
})

test("a clone that never saw the newer commits is quiet", async () => {
  publish()
  await eva.get("A")
  await ana.set("A", "a2")
  ana.git("push", "-q")
  await isQuiet(eva)
  eva.git("pull", "-q")
  assert.is(await eva.get("A"), "a2")
})

test.run()
