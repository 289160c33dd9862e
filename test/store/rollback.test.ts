import { execFileSync } from "node:child_process"
import { existsSync, readFileSync, rmSync, utimesSync } from "node:fs"
import { join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { parseSecretName } from "../../src/format/names.js"
import { rotateGroups } from "../../src/store/rotate.js"
import { acceptChanges } from "../../src/store/trust-change.js"
import { ana, box, commitAll, eva, isQuiet, publish, startBranches } from "./branches.js"
import { codeOf, type Machine, nextTime } from "./sandbox.js"

startBranches()

const name = parseSecretName

const seenOf = (machine: Machine) => readFileSync(join(machine.repo, ".git/coffer/seen"), "utf8")

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
  const { accepted } = await acceptChanges(await ana.store(), { names: [name("A"), name("A")] })
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
  publish()
  await eva.remove("B")
  const text = readFileSync(join(eva.repo, eva.path("B")), "utf8")
  ana.write(ana.path("B"), text.replace('author: "ana"', 'author: "eva"'))
  commitAll(ana, "forged")
  ana.git("rm", "-q", ana.path("B"))
  ana.git("commit", "-qm", "purge")
  assert.is(await codeOf(ana.get("B")), "SECRET_MISSING")
})

test("a published branch that was forced back is HISTORY_REWRITTEN", async () => {
  publish()
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

test("what was forced back with a key record is HISTORY_REWRITTEN to who writes, too", async () => {
  publish()
  await rotateGroups(await ana.store(), { at: nextTime() })
  ana.git("push", "-q")
  ana.write("README", "more\n")
  commitAll(ana, "more")
  await isQuiet(ana)
  ana.git("reset", "-q", "--hard", "HEAD~2")
  ana.git("push", "-qf")
  ana.write("README", "other\n")
  commitAll(ana, "other")
  assert.is(await codeOf(ana.get("A")), "HISTORY_REWRITTEN")
  assert.is(await codeOf(ana.set("A", "a2")), "HISTORY_REWRITTEN")
  await acceptChanges(await ana.store(), {})
  assert.is(await ana.get("A"), "a1")
})

test("two values under one number, one lost, are VERSION_TWICE", async () => {
  publish()
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

test("an older branch, or a rotation that was reset, is read with a warning and not written", async () => {
  await rotateGroups(await ana.store(), { at: nextTime() })
  await isQuiet(ana)
  ana.git("reset", "-q", "--hard", "HEAD~1")
  assert.is(await ana.get("A"), "a1")
  assert.match(ana.notes.join("\n"), "BEHIND")
  assert.is(await codeOf(ana.set("A", "a2")), "BEHIND")
  await acceptChanges(await ana.store(), {})
  assert.is(await ana.set("A", "a2"), 2)
})

test("a key record replayed on the same branch is ROLLED_BACK", async () => {
  await rotateGroups(await ana.store(), { at: nextTime() })
  await isQuiet(ana)
  ana.git("rm", "-rq", "secrets")
  ana.git("checkout", "-q", "HEAD~1", "--", "secrets")
  ana.git("commit", "-qm", "replay")
  assert.is(await codeOf(ana.get("A")), "ROLLED_BACK")
  await acceptChanges(await ana.store(), {})
  assert.is(await ana.get("A"), "a1")
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
