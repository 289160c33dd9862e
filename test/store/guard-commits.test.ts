/** What the hooks stop at a merge and at a push, and what `check --range` finds after both. */
import { join } from "node:path"
import { suite } from "uvu"
import * as assert from "uvu/assert"
import { guardRange, parsePushedRefs } from "../../src/store/guard-commits.js"
import { AGE_KEY, Clone, fresh, makeTemplate, refusedWith, scratch } from "./clones.js"

const test = suite("guard-commits")
test.before(makeTemplate)

test("merge: damage that it brings, values that it drops", async () => {
  const clone = fresh()
  clone.git("checkout", "-q", "-b", "bad")
  clone.write("secrets/notes.txt", "plain\n")
  clone.sneak("bad")
  clone.git("checkout", "-q", "-b", "side", "main")
  await clone.set("A", "theirs-5ekr1t")
  clone.git("checkout", "-q", "main")
  await clone.set("A", "ours-5ekr1t")
  refusedWith(clone.tryGit("merge", "-q", "--no-edit", "bad"), "NOT_CANONICAL", "secrets/notes.txt")
  clone.git("merge", "--abort")

  refusedWith(clone.tryGit("merge", "-q", "-s", "ours", "--no-edit", "side"), "VERSION_TWICE", "A")
  clone.git("reset", "-q", "--hard")
  assert.is(clone.tryGit("merge", "-q", "side").status, 1, "a true conflict")
  clone.git("checkout", "--ours", "secrets/A.yaml")
  clone.git("add", "secrets/A.yaml")
  refusedWith(clone.tryGit("commit", "--no-edit"), "VERSION_TWICE", "A")
  clone.git("merge", "--abort")
  clone.tryGit("merge", "-q", "side")
  clone.coffer(["resolve", "A", "--theirs"])
  assert.is(clone.tryGit("commit", "-q", "--no-edit").status, 0)
})

test("merge: a .env that the other side has had for long is not this merge's", () => {
  const clone = fresh()
  clone.git("checkout", "-q", "-b", "old")
  clone.write(".env", "A=1\n")
  clone.sneak("old")
  clone.git("checkout", "-q", "main")
  clone.write("README", "changed\n")
  clone.sneak("main")
  assert.is(clone.tryGit("merge", "-q", "--no-edit", "old").status, 0)
})

function withRemote(clone: Clone): Clone {
  clone.git("init", "-q", "--bare", "--template=", `${clone.dir}-remote`)
  clone.git("remote", "add", "origin", `${clone.dir}-remote`)
  clone.git("push", "-q", "--no-verify", "-u", "origin", "main")
  return clone
}

test("push: what --no-verify, rebase and cherry-pick let through", () => {
  const clone = withRemote(fresh())
  clone.write("key.txt", AGE_KEY)
  clone.sneak("key")
  clone.git("rm", "-q", "key.txt")
  clone.sneak("gone again")
  const run = clone.tryGit("push", "-q")
  refusedWith(run, "PRIVATE_KEY", "key.txt")
  assert.match(run.stderr, `commit ${clone.git("rev-parse", "HEAD~1").slice(0, 7)}`, "it is in history still")
  clone.git("reset", "-q", "--hard", "origin/main")

  clone.git("checkout", "-q", "-b", "side")
  clone.write(".env", "A=1\n")
  clone.sneak("env")
  clone.git("checkout", "-q", "main")
  assert.is(clone.tryGit("cherry-pick", "side").status, 0, "no hook there")
  refusedWith(clone.tryGit("push", "-q"), "DOTENV_FILE", ".env")
  clone.git("reset", "-q", "--hard", "origin/main")
  clone.write("README", "changed\n")
  clone.sneak("main")
  clone.git("checkout", "-q", "side")
  assert.is(clone.tryGit("rebase", "-q", "main").status, 0, "no hook there")
  refusedWith(clone.tryGit("push", "-q", "origin", "side"), "DOTENV_FILE", ".env")
})

test("push: damage in the store, a removed secret, a new branch, a deletion", () => {
  const clone = withRemote(fresh())
  clone.git("push", "-q", "--no-verify", "origin", "main:other")
  assert.is(clone.tryGit("push", "-q", "origin", ":other").status, 0, "a deletion publishes nothing")
  clone.git("checkout", "-q", "-b", "new")
  clone.git("rm", "-q", "secrets/A.yaml")
  clone.sneak("removed")
  refusedWith(clone.tryGit("push", "-q", "origin", "new"), "SECRET_MISSING", "secrets/A.yaml")
  clone.git("reset", "-q", "--hard", "main")
  clone.write("secrets/A.yaml", "plain\n")
  clone.sneak("plain")
  refusedWith(clone.tryGit("push", "-q", "origin", "new"), "NOT_CANONICAL", "secrets/A.yaml")
  clone.git("reset", "-q", "--hard", "main")
  clone.write("README", "changed\n")
  clone.sneak("fine")
  assert.equal(clone.tryGit("push", "-q", "origin", "new"), { status: 0, stdout: "", stderr: "" })
})

test("push: a store that is removed, or only its store.yaml", async () => {
  for (const path of ["secrets", "secrets/.coffer/store.yaml"]) {
    const clone = withRemote(fresh())
    clone.git("rm", "-rq", path)
    clone.sneak("gone")
    refusedWith(clone.tryGit("push", "-q"), "SECRET_MISSING", "secrets/.coffer/store.yaml")
    const { findings } = await guardRange({ directory: clone.dir, env: clone.env }, { range: "HEAD~1..HEAD" })
    assert.equal(
      findings.map(({ level, code, path }) => [level, code, path]),
      [["error", "SECRET_MISSING", "secrets/.coffer/store.yaml"]],
    )
  }
  const clone = withRemote(fresh())
  clone.git("mv", "secrets", "vault")
  clone.sneak("moved")
  assert.is(clone.tryGit("push", "-q").status, 0)
})

test("push: a tag of what is no commit is named, since nothing looks at it", () => {
  const clone = withRemote(fresh())
  const blob = clone.git("hash-object", "-w", "secrets/A.yaml").trim()
  clone.git("tag", "odd", blob)
  const run = clone.tryGit("push", "origin", "odd")
  assert.is(run.status, 0)
  assert.match(run.stderr, 'coffer: note: "refs/tags/odd" is no commit: what it holds was not looked at')
})

test("push: a remote that nothing is known of, and a shallow clone", () => {
  const clone = fresh()
  clone.git("init", "-q", "--bare", "--template=", "../unknown")
  const run = clone.tryGit("push", "-q", "../unknown", "main")
  assert.is(run.status, 0)
  assert.match(run.stderr, /all of it was looked at \(3 commits\)/)
  const shallow = join(scratch, "shallow")
  clone.git("clone", "-q", "--depth", "1", `file://${clone.dir}`, shallow)
  const other = new Clone(shallow, clone.env)
  other.coffer(["hooks", "install"])
  const pushed = other.tryGit("push", "-q", "../unknown", "main:again")
  assert.match(pushed.stderr, "checked to the boundary")
})

test("push: a merge that dropped a value behind the hook's back", async () => {
  const clone = withRemote(fresh())
  clone.git("checkout", "-q", "-b", "side")
  await clone.set("A", "theirs-5ekr1t")
  clone.git("checkout", "-q", "main")
  await clone.set("A", "ours-5ekr1t")
  clone.git("merge", "-q", "-s", "ours", "--no-verify", "--no-edit", "side")
  refusedWith(clone.tryGit("push", "-q"), "VERSION_TWICE", "A")
})

test("push: a value that came from the other side, was sealed again and then changed is not lost", async () => {
  const clone = withRemote(fresh())
  clone.git("clone", "-q", "--template=", `${clone.dir}-remote`, `${clone.dir}-other`)
  const other = new Clone(`${clone.dir}-other`, clone.env)
  await other.set("A", "theirs-5ekr1t")
  other.git("push", "-q")
  clone.coffer(["rotate", "default"])
  clone.git("pull", "-q", "--no-rebase", "--no-edit")
  clone.coffer(["rotate", "default"])
  await clone.set("A", "newer-5ekr1t")
  const run = clone.tryGit("push", "-q")
  assert.equal([run.status, run.stderr], [0, ""])
})

test("range: finds what was pushed without hooks, with both back ends", async () => {
  const clone = withRemote(fresh())
  clone.write("key.txt", AGE_KEY)
  clone.sneak("key")
  clone.git("rm", "-q", "secrets/A.yaml")
  clone.sneak("removed")
  clone.git("push", "-q", "--no-verify")
  const options = { directory: clone.dir, env: clone.env }
  for (const git of ["system", "embedded"] as const) {
    const report = await guardRange({ ...options, git }, { range: "HEAD~2..HEAD" })
    const found = report.findings.map(({ code, path }) => `${code} ${path}`)
    assert.equal(found, ["SECRET_MISSING secrets/A.yaml", "PRIVATE_KEY key.txt"])
    assert.equal(report.checked, { files: 1, commits: 2 })
    assert.ok(report.failed)
    const clean = await guardRange({ ...options, git }, { range: "HEAD~2..HEAD~2" })
    assert.equal([clean.failed, clean.findings, clean.notes], [false, [], []])
    const all = await guardRange({ ...options, git }, { range: `${"0".repeat(40)}..HEAD~2` })
    assert.is(all.checked.commits, 3)
    assert.match(all.notes.join(), "all of it was looked at")
  }
})

test("range: what is no range, and commits that are not here", async () => {
  const options = { directory: fresh().dir, env: { PATH: process.env.PATH } }
  const failure = async (range: string) => guardRange(options, { range }).catch(error => error.code)
  for (const range of ["HEAD", "a...b", "..HEAD", ""]) assert.is(await failure(range), "USAGE", range)
  assert.is(await failure("nowhere..HEAD"), "HISTORY_MISSING")
  assert.is(await failure("--all..HEAD"), "HISTORY_MISSING")
})

test("lines of the pre-push hook", () => {
  const oid = "a".repeat(40)
  assert.equal(parsePushedRefs(`refs/heads/a ${oid} refs/heads/b ${oid}\n\n`), [
    { localRef: "refs/heads/a", localOid: oid, remoteRef: "refs/heads/b", remoteOid: oid },
  ])
  assert.equal(parsePushedRefs("junk\n"), [])
})

test.run()
