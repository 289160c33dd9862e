import { execFileSync } from "node:child_process"
import { existsSync, readFileSync, rmSync, utimesSync } from "node:fs"
import { join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { parseSecretName } from "../../src/format/names.js"
import { deleteSecrets, undeleteSecret } from "../../src/store/secrets.js"
import { acceptChanges } from "../../src/store/trust-change.js"
import { codeOf, type Machine, makeSandbox, nextTime, type Sandbox } from "./sandbox.js"

let box: Sandbox
let ana: Machine
let eva: Machine
let count = 0
/** Branch of the test that runs. */
let main = ""
test.before(async () => {
  box = await makeSandbox()
  ana = box.ana
  await ana.set("A", "a1")
  await ana.set("B", "b1")
  ana.git("push", "-q")
  ana.git("tag", "base")
  eva = await box.clone("eva")
  eva.git("tag", "base")
})
// Seen is kept per branch, so that a branch of its own is a clean start for each test.
test.before.each(async () => {
  main = `t${count++}`
  ana.git("switch", "-qc", main, "base")
  ana.git("push", "-qu", "origin", main)
  eva.git("fetch", "-q")
  eva.git("switch", "-q", main)
  await ana.get("A")
  ana.notes.length = 0
})
test.after(() => box.remove())

const name = parseSecretName
const seenOf = (machine: Machine) => readFileSync(join(machine.repo, ".git/coffer/seen"), "utf8")

/** Reads everything; nothing may be refused and nothing said. */
async function isQuiet(machine: Machine): Promise<void> {
  machine.notes.length = 0
  await machine.get("A")
  await machine.get("B")
  assert.equal(machine.notes, [])
}

/** Commits as somebody who does not use coffer. */
function commitAll(machine: Machine, message: string): void {
  machine.git("add", "-A")
  machine.git("commit", "-qm", message)
}

// Ordinary flows.

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
  await eva.get("A")
  await ana.set("A", "a2")
  ana.git("push", "-q")
  await isQuiet(eva)
  eva.git("pull", "-q")
  assert.is(await eva.get("A"), "a2")
})

// Attacks.

test("an older file put back is ROLLED_BACK, for that secret alone, until accepted", async () => {
  await ana.set("A", "a2")
  await isQuiet(ana)
  ana.git("checkout", "-q", "HEAD~1", "--", ana.path("A"))
  commitAll(ana, "put back")
  assert.is(await codeOf(ana.get("A")), "ROLLED_BACK")
  assert.is(await ana.get("B"), "b1")
  assert.match(ana.notes.join("\n"), /"A" is version 1 here, but version 2/)
  // It stays found: what is out of order is never taken as seen.
  assert.is(await codeOf(ana.get("A")), "ROLLED_BACK")
  assert.is(await codeOf(ana.set("B", "b2")), "ROLLED_BACK")
  const { accepted } = await acceptChanges(await ana.store(), { names: [name("A")] })
  assert.equal(accepted, ["A"])
  assert.is(await ana.get("A"), "a1")
  assert.is(await ana.set("B", "b2"), 2)
})

test("accepting one state of a secret accepts no other", async () => {
  await ana.set("A", "a2")
  await ana.set("A", "a3")
  await isQuiet(ana)
  ana.git("checkout", "-q", "HEAD~1", "--", ana.path("A"))
  commitAll(ana, "put back")
  await ana.set("B", "x").catch(() => {})
  await acceptChanges(await ana.store(), { names: [name("A")] })
  ana.git("checkout", "-q", "HEAD~3", "--", ana.path("A"))
  commitAll(ana, "further back")
  assert.is(await codeOf(ana.get("A")), "ROLLED_BACK")
  assert.is(await codeOf(acceptChanges(await ana.store(), { names: [name("B")] })), "NOT_FOUND")
})

test("a file deleted without a tombstone is SECRET_MISSING", async () => {
  ana.git("rm", "-q", ana.path("A"))
  ana.git("commit", "-qm", "remove")
  assert.is(await codeOf(ana.get("A")), "SECRET_MISSING")
  assert.is(await ana.get("B"), "b1")
  await acceptChanges(await ana.store(), {})
  assert.is(await codeOf(ana.get("A")), "NOT_FOUND")
  assert.is(await ana.set("A", "new"), 1)
})

test("a tombstone that nobody signed explains nothing", async () => {
  await eva.remove("B")
  const text = readFileSync(join(eva.repo, eva.path("B")), "utf8")
  ana.write(ana.path("B"), text.replace('author: "ana"', 'author: "eva"'))
  commitAll(ana, "forged")
  ana.git("rm", "-q", ana.path("B"))
  ana.git("commit", "-qm", "purge")
  assert.is(await codeOf(ana.get("B")), "SECRET_MISSING")
})

test("a published branch that was forced back is HISTORY_REWRITTEN", async () => {
  await ana.set("A", "a2")
  ana.git("push", "-q")
  await isQuiet(ana)
  ana.write("README", "more\n")
  commitAll(ana, "more")
  await isQuiet(ana)
  ana.git("reset", "-q", "--hard", "HEAD~2")
  // The upstream still has it: this is only an older state of the branch.
  await isQuiet(ana)
  assert.is(await ana.get("A"), "a1")
  ana.git("push", "-qf")
  ana.write("README", "other\n")
  commitAll(ana, "other")
  const error = await codeOf(ana.get("B"))
  assert.is(error, "HISTORY_REWRITTEN")
  assert.is(await codeOf(ana.set("B", "b2")), "HISTORY_REWRITTEN")
  await acceptChanges(await ana.store(), {})
  assert.is(await ana.get("B"), "b1")
})

test("two values under one number, one lost, are VERSION_TWICE", async () => {
  await eva.set("A", "eva's")
  await ana.set("A", "ana's")
  await isQuiet(ana)
  ana.write(ana.path("A"), readFileSync(join(eva.repo, eva.path("A"))))
  commitAll(ana, "take hers")
  assert.is(await codeOf(ana.get("A")), "VERSION_TWICE")
})

test("a key record that is changed or gone is refused", async () => {
  const [record] = ana.git("ls-files", "secrets/.coffer/keys").split("\n")
  ana.git("rm", "-q", record!)
  ana.git("commit", "-qm", "remove")
  assert.is(await codeOf(ana.get("A")), "ROLLED_BACK")
})

test("what cannot be written down stops a write and not a read", async () => {
  const lock = join(ana.repo, ".git/coffer/seen.lock")
  ana.write("README", "more\n")
  commitAll(ana, "more")
  ana.write(".git/coffer/seen.lock", "")
  // A live process's lock, however long this takes.
  utimesSync(lock, new Date("2100-01-01"), new Date("2100-01-01"))
  await isQuiet(ana)
  assert.is(await codeOf(ana.set("A", "a2")), "STORE_LOCKED")
  rmSync(lock)
  assert.is(await ana.set("A", "a2"), 2)
})

test("a damaged seen file is refused until everything is accepted", async () => {
  await ana.get("A")
  ana.write(".git/coffer/seen", "nonsense\n")
  assert.is(await codeOf(ana.get("A")), "DAMAGED")
  await acceptChanges(await ana.store(), {})
  assert.is(await ana.get("A"), "a1")
})

test("an unmoved HEAD costs no git, and no git at all is needed to read", async () => {
  await ana.get("A")
  const seen = seenOf(ana)
  const store = await ana.store({
    env: { ...ana.env, PATH: "/nowhere" },
    git: "system",
  })
  const { getSecret } = await import("../../src/store/secrets.js")
  assert.equal(Buffer.from((await getSecret(store, { name: name("A") })).value).toString(), "a1")
  assert.is(seenOf(ana), seen)
  execFileSync("cp", ["-r", join(ana.repo, "secrets"), join(box.root, "tarball")])
  rmSync(join(ana.repo, ".git"), { recursive: true })
  const bare = await ana.store({ env: { ...ana.env, COFFER_PIN: box.pin, PATH: "/nowhere" } })
  assert.equal(Buffer.from((await getSecret(bare, { name: name("A") })).value).toString(), "a1")
  assert.not(existsSync(join(ana.repo, ".git")))
})

test.run()
