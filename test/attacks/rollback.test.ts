import { execFileSync } from "node:child_process"
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { printStoreFile, STORE_FILE_PATH } from "../../src/format/store-file.js"
import { makePerson, member } from "../keyring/graphs.js"
import {
  type Files,
  files,
  first,
  forgeFile,
  forgeRecord,
  people,
  pinOf,
  prodTip,
  steps,
  tip,
  tokenOne,
  without,
} from "./cast.js"
import { attack, clone, coffer, finds, git, plant, reads, refuses } from "./world.js"

const { tom } = people

/** The whole store as it was before the removal. */
const before = { ...steps.start, ...without(tip, prodTip) }

attack("an older record set is replayed: against state, and against a pin", () => {
  plant(before)
  refuses("ROLLED_BACK", tip.path)
  refuses("ROLLED_BACK", tip.path, { run: ["set", "API_TOKEN"] })
  refuses("PIN_MISMATCH", ".coffer/keys/default", { who: "maria", pin: tip })
  // What the threat model says: a fresh clone cannot tell a state that still holds its pin.
  reads("token one", { who: "maria", pin: first })
})

attack("the same branch is force-pushed back", () => {
  git("tom", "push", "-qf", "origin", "removal^{commit}:refs/heads/main")
  git("tom", "fetch", "-q", "origin")
  git("tom", "reset", "-q", "--hard", "origin/main")
  refuses("HISTORY_REWRITTEN", "API_TOKEN")
  refuses("HISTORY_REWRITTEN", "API_TOKEN", { run: ["set", "API_TOKEN"] })
})

for (const how of [["-b", "older"], ["--detach"]]) {
  attack(`an older state is checked out with ${how[0]}: reads say so once, writes refuse`, () => {
    git("tom", "checkout", "-q", ...how, "start")
    reads("token one", { notes: /^coffer: warning: [^\n]*"default"[^\n]*\(BEHIND\)\n$/ })
    const head = git("tom", "rev-parse", "HEAD")
    refuses("BEHIND", "default", { run: ["set", "API_TOKEN"] })
    assert.is(git("tom", "rev-parse", "HEAD"), head)
  })
}

attack("an old file is put back after a removal", () => {
  const old = { "API_TOKEN.yaml": steps.start["API_TOKEN.yaml"]! }
  plant(old)
  refuses("KEY_RETIRED", "API_TOKEN.yaml", { who: "maria" })
  refuses("ROLLED_BACK", "API_TOKEN")
})

attack("an older version is put back", () => {
  plant(files(tokenOne))
  refuses("ROLLED_BACK", "API_TOKEN")
  reads("token one", { who: "maria" })
  finds("ROLLED_BACK", "API_TOKEN", { who: "zoe", run: ["--since", "now"] })
})

attack("another value under the same version", () => {
  plant(files(forgeFile({ name: "API_TOKEN", by: tom, version: 2 })))
  refuses("VERSION_TWICE", "API_TOKEN")
  finds("VERSION_TWICE", "API_TOKEN", { who: "zoe", run: ["--since", "now"] })
})

attack("a file is deleted", () => {
  plant({ "API_TOKEN.yaml": null })
  refuses("SECRET_MISSING", "API_TOKEN")
  refuses("SECRET_MISSING", "API_TOKEN", { run: ["run", "-p", ".", "--", "true"], status: 125 })
  finds("SECRET_MISSING", "API_TOKEN", { who: "zoe", run: ["--since", "now"] })
})

/** Zoe moves the store to another folder, changes what lies there, and has the settings name it. */
function moveStore(change: Files): void {
  git("tom", "mv", "secrets", "vault")
  for (const [path, content] of Object.entries(change)) {
    const file = join(clone("tom"), "vault", path)
    if (content === null) rmSync(file)
    else writeFileSync(file, content)
  }
  writeFileSync(join(clone("tom"), ".coffer.yaml"), "store: vault\n")
  git("tom", "add", "-A")
  git("tom", "commit", "-q", "--author=zoe <zoe@example.com>", "-m", "a move")
}

attack("the store is moved to another folder, with all that is in it", () => {
  moveStore({})
  reads("token two")
  reads("token two", { who: "ana" })
  assert.is(coffer("tom", ["check", "--since", "now"]).status, 0)
})

attack("the store is moved to another folder, and an older version put back there", () => {
  moveStore(files(tokenOne))
  refuses("ROLLED_BACK", "API_TOKEN")
  refuses("ROLLED_BACK", "API_TOKEN", { run: ["set", "API_TOKEN"] })
  finds("ROLLED_BACK", "API_TOKEN", { who: "zoe", run: ["--since", "now"] })
  finds("ROLLED_BACK", "API_TOKEN", { who: "zoe", run: ["--range", "now..main"] })
})

attack("the store is moved to another folder without one of its files", () => {
  moveStore({ "API_TOKEN.yaml": null })
  refuses("SECRET_MISSING", "API_TOKEN")
  finds("SECRET_MISSING", "API_TOKEN", { who: "zoe", run: ["--since", "now"] })
})

attack("the store is moved to another folder as it was before the removal", () => {
  moveStore(before)
  refuses("ROLLED_BACK", tip.path)
})

attack("a copy of the store, left behind, takes its place later", () => {
  execFileSync("cp", ["-a", "secrets", "vault"], { cwd: clone("tom") })
  plant({})
  reads("token two")
  plant(files(forgeFile({ name: "API_TOKEN", by: tom, version: 3 })))
  reads("forged")
  writeFileSync(join(clone("tom"), ".coffer.yaml"), "store: vault\n")
  plant({})
  assert.match(coffer("tom", ["list"]).stderr, /ROLLED_BACK/)
  git("tom", "checkout", "-q", "--detach")
  reads("token two")
  git("tom", "checkout", "-q", "main")
  refuses("ROLLED_BACK", "API_TOKEN")
  assert.is(coffer("tom", ["trust", "accept", "API_TOKEN"]).status, 0)
  reads("token two")
})

attack("a deleted file is made anew as version 1", () => {
  plant(files(forgeFile({ name: "API_TOKEN", by: tom, version: 1 })))
  refuses("ROLLED_BACK", "API_TOKEN")
})

attack("another store lies under the same path", async () => {
  const stranger = await makePerson("ana")
  const store = "f".repeat(32)
  const root = await forgeRecord({
    by: stranger,
    members: [member(stranger, "admin"), member(tom, "writer")],
    store,
  })
  const planted = forgeFile({ name: "API_TOKEN", by: tom, store, under: root, version: 1 })
  plant({
    ...without(first, tip, prodTip),
    [STORE_FILE_PATH]: printStoreFile({ store }),
    ...files(root, planted),
  })
  refuses("STORE_CHANGED", "secrets")
  refuses("STORE_CHANGED", "secrets", { run: ["set", "API_TOKEN"] })
  refuses("PIN_MISMATCH", ".coffer/keys/default", { who: "maria", pin: tip })
})

attack("a wrong pin, and one that is none", () => {
  refuses("PIN_MISMATCH", ".coffer/keys/default", { pin: pinOf(first).replace("coffer1-1", "coffer1-2") })
  refuses("PIN_MISMATCH", ".coffer/keys/default", { pin: pinOf(prodTip), run: ["set", "API_TOKEN"] })
  const { status, stderr } = coffer("tom", ["get", "API_TOKEN"], { pin: "coffer1-1-abc" })
  assert.is(status, 2)
  assert.match(stderr, /this is not a pin/)
})

attack("no pin and nobody to ask: looking only", () => {
  const { status, stdout, stderr } = coffer("maria", ["--json", "get", "API_TOKEN"], { pin: "" })
  assert.is(status, 12)
  assert.is(stdout, "")
  assert.is(JSON.parse(stderr).error.code, "UNPINNED")
  assert.match(coffer("maria", ["list"], { pin: "" }).stderr, /^coffer: warning: .*\(UNPINNED\)\n$/)
})

attack("COFFER_PIN=tofu reads with a warning and never writes", () => {
  reads("token two", { who: "maria", pin: "tofu", notes: /^coffer: warning: [^\n]*\(UNPINNED\)\n$/ })
  const head = git("tom", "rev-parse", "HEAD")
  const writes = [
    ["set", "API_TOKEN"],
    ["delete", "API_TOKEN"],
    ["rollback", "API_TOKEN@1"],
    ["rotate"],
    ["recipients", "remove", "maria"],
    ["group", "create", "stage"],
  ]
  for (const run of writes) {
    const { status, stderr } = coffer("tom", ["--json", ...run], { pin: "tofu", input: "value" })
    assert.is(status, 12, `${run.join(" ")}: ${stderr}`)
    assert.match(stderr, /^\{"error":\{"code":"UNPINNED"/m)
  }
  assert.is(git("tom", "rev-parse", "HEAD"), head)
  assert.is(git("tom", "status", "--porcelain"), "")
})

attack("COFFER_PIN=tofu settles no conflict", () => {
  git("tom", "checkout", "-qb", "side")
  plant(files(forgeFile({ name: "API_TOKEN", by: tom, text: "theirs" })))
  git("tom", "checkout", "-q", "main")
  plant(files(forgeFile({ name: "API_TOKEN", by: tom, text: "ours" })))
  assert.throws(() => git("tom", "merge", "-q", "side"))
  const before = git("tom", "ls-files", "-s")
  for (const run of [["resolve"], ["resolve", "API_TOKEN", "--ours"]]) {
    const { status, stderr } = coffer("tom", ["--json", ...run], { pin: "tofu" })
    assert.is(status, 12, stderr)
    assert.match(stderr, /^\{"error":\{"code":"UNPINNED"/m)
  }
  assert.is(git("tom", "ls-files", "-s"), before)
})

test.run()
