/** What both back ends read, against what git says. */
import { chmodSync, rmSync, writeFileSync } from "node:fs"
import { devNull } from "node:os"
import { join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { CofferError } from "../../../src/errors.js"
import { openGit } from "../../../src/storage/git/open.js"
import { findRepository, inProgress, readHead } from "../../../src/storage/repository.js"
import {
  codeOf,
  collect,
  commit,
  env,
  freshFolder,
  git,
  KINDS,
  makeRepository,
  makeUserWork,
  open,
  write,
} from "./repositories.js"

const lines = (text: string) => text.split("\n").filter(Boolean)

for (const kind of KINDS) {
  test(`${kind}: entries and changes of commits and of the index`, async () => {
    const folder = makeRepository()
    const [first, opened] = [git(folder, "rev-parse", "HEAD").trim(), await open(folder, kind)]
    makeUserWork(folder)
    const head = git(folder, "rev-parse", "HEAD").trim()
    for (const prefix of ["", "secrets", "secrets/prod", "secrets/A.yaml", "nothing", "secr"]) {
      const paths = prefix === "" ? [] : [prefix]
      const tree = (await opened.entries(head, prefix)).map(e => `${e.mode} blob ${e.oid}\t${e.path}`)
      assert.equal(tree, lines(git(folder, "ls-tree", "-r", head, "--", ...paths)))
      const index = (await opened.entries("index", prefix)).map(
        e => `${e.mode} ${e.oid} ${e.stage}\t${e.path}`,
      )
      assert.equal(index, lines(git(folder, "ls-files", "-s", "--", ...paths)))
      const between = (await opened.changes(first, head, prefix)).map(change => {
        const status = change.from === undefined ? "A" : change.to === undefined ? "D" : "M"
        return `${status}\t${change.path}`
      })
      assert.equal(
        between,
        lines(git(folder, "diff", "--no-renames", "--name-status", first, head, "--", ...paths)),
      )
    }
    const staged = (await opened.changes(head, "index", "")).map(change => {
      if (change.conflicted) return `U ${change.path}`
      return `${change.from?.oid ?? "none"} ${change.to?.oid ?? "none"} ${change.path}`
    })
    const oid = (name: string) => git(folder, "rev-parse", name).trim()
    assert.equal(staged, [
      `${oid("HEAD:README")} ${oid(":README")} README`,
      "U conflicted",
      `${oid("HEAD:removed")} none removed`,
      `none ${oid(":staged")} staged`,
    ])
    assert.is((await opened.changes(null, head, "")).length, lines(git(folder, "ls-tree", "-r", head)).length)
  })

  test(`${kind}: a damaged object is named, and the others are read on`, async () => {
    const folder = makeRepository()
    const opened = await open(folder, kind)
    const oids = ["one", "two", "three"].map(text => {
      write(folder, text, text)
      return git(folder, "hash-object", "-w", text).trim()
    })
    const damaged = join(folder, ".git/objects", oids[1]!.slice(0, 2), oids[1]!.slice(2))
    chmodSync(damaged, 0o600)
    writeFileSync(damaged, "no object")
    const read = opened.blobs([oids[0]!, "0".repeat(40), oids[2]!])
    assert.equal(
      (await collect(read)).map(({ bytes }) => bytes?.length),
      [3, undefined, 5],
    )
    assert.is(await codeOf(collect(opened.blobs(oids))), "GIT_FAILED")
    assert.is((await collect(opened.blobs([oids[2]!])))[0]?.bytes?.length, 5)
  })

  test(`${kind}: an entry that sparse checkout leaves out says so`, async () => {
    const folder = makeRepository()
    git(folder, "sparse-checkout", "set", "--no-cone", "/src/")
    const entries = await (await open(folder, kind)).entries("index", "")
    assert.equal(
      entries.filter(entry => !entry.skipWorktree).map(entry => entry.path),
      ["src/main.c"],
    )
  })

  test(`${kind}: the index that a hook is given`, async () => {
    const folder = makeRepository()
    const other = join(folder, ".git/next-index-1.lock")
    const head = git(folder, "rev-parse", "HEAD").trim()
    git(folder, "read-tree", `--index-output=${other}`, "--empty")
    for (const named of [other, ".git/next-index-1.lock"]) {
      const opened = await openGit(join(folder, "secrets"), { ...env, GIT_INDEX_FILE: named }, kind)
      assert.equal(await opened.entries("index", ""), [])
      assert.is((await opened.changes(head, "index", "secrets")).length, 3)
    }
    const elsewhere = join(makeRepository(), ".git/index")
    const opened = await openGit(folder, { ...env, GIT_INDEX_FILE: elsewhere }, kind)
    assert.is((await opened.entries("index", "secrets")).length, 3)
  })

  test(`${kind}: blobs in order, absent ones marked`, async () => {
    const folder = makeRepository()
    const opened = await open(folder, kind)
    const oids = Array.from({ length: 300 }, (_, n) => {
      write(folder, `many/${n}`, `${n}`.repeat(n * 10))
      return n
    })
    git(folder, "add", "many")
    const ids = lines(git(folder, "ls-files", "-s", "many")).map(line => line.slice(7, 47))
    const missing = "0123456789".repeat(4)
    const found = await collect(opened.blobs([missing, ...ids, missing, ids[0]!]))
    assert.is(found.length, oids.length + 3)
    assert.equal(found[0], { oid: missing })
    assert.equal(
      found.slice(1, 301).map(({ bytes }) => bytes!.length),
      ids.map(id => Number(git(folder, "cat-file", "-s", id))),
    )
    assert.equal(found[302]!.oid, ids[0])
    // A reader that stops early leaves no process behind that keeps this one alive.
    for await (const _ of opened.blobs(ids)) break
  })

  test(`${kind}: history of a path, on both sides of a merge`, async () => {
    const folder = makeRepository()
    const set = (text: string, subject: string) => {
      write(folder, "secrets/A.yaml", text)
      git(folder, "commit", "-q", "-am", subject)
    }
    set("1\n", "1")
    git(folder, "checkout", "-q", "-b", "side")
    set("side\n", "side")
    git(folder, "checkout", "-q", "main")
    set("2\n", "2")
    git(folder, "merge", "-q", "-s", "ours", "-m", "merge", "side")
    git(folder, "rm", "-q", "secrets/A.yaml")
    git(folder, "commit", "-q", "-m", "gone")
    git(folder, "commit", "-q", "--allow-empty", "-m", "beside")
    write(folder, "secrets/A.yaml", "3\n")
    git(folder, "add", "secrets/A.yaml")
    git(folder, "commit", "-q", "-m", "3")
    // What the user's terminal takes is nothing to read.
    git(folder, "config", "i18n.logOutputEncoding", "UTF-16")
    const opened = await open(folder, kind)
    const head = git(folder, "rev-parse", "HEAD").trim()
    const entries = await collect(opened.log("secrets/A.yaml", head))
    git(folder, "config", "--unset", "i18n.logOutputEncoding")
    const subjects = entries.map(entry => git(folder, "log", "-1", "--format=%s", entry.commit).trim())
    assert.equal(
      new Set(subjects),
      new Set(lines(git(folder, "log", "--full-history", "--format=%s", "--", "secrets/A.yaml"))),
    )
    for (const entry of entries) {
      const inTree = lines(git(folder, "ls-tree", entry.commit, "secrets/A.yaml"))[0]?.slice(12, 52)
      assert.is(entry.oid, inTree)
      assert.is(entry.author, "Ann Other")
      assert.equal(
        entry.parents,
        lines(git(folder, "log", "-1", "--format=%P", entry.commit).replaceAll(" ", "\n")),
      )
      assert.is(entry.at.getTime() / 1000, Number(git(folder, "log", "-1", "--format=%ct", entry.commit)))
    }
  })

  test(`${kind}: revisions, merge bases and what a remote lacks`, async () => {
    const upstream = makeRepository()
    const folder = join(freshFolder(), "clone")
    git(upstream, "clone", "-q", upstream, folder)
    const base = git(folder, "rev-parse", "HEAD").trim()
    git(folder, "checkout", "-q", "-b", "side")
    const opened = await open(folder, kind)
    const side = await commit(opened, { "secrets/A.yaml": "side\n" })
    const side2 = await commit(opened, { "secrets/A.yaml": "side 2\n" })
    git(folder, "checkout", "-q", "main")
    const main = await commit(opened, { "secrets/B.yaml": "main\n" })
    git(folder, "tag", "-a", "-m", "tag", "v1", side)
    for (const [name, id] of Object.entries({
      HEAD: main,
      side: side2,
      v1: side,
      "HEAD~1": base,
      [side]: side,
      "origin/main": base,
    })) {
      assert.is(await opened.find(name), id, name)
    }
    for (const name of ["none", "--all", "0".repeat(40)]) assert.is(await opened.find(name), undefined)
    assert.is(await opened.mergeBase(main, side2), base)
    assert.equal(new Set(await opened.missing([main, side2], "origin", [])), new Set([main, side2, side]))
    const known = ["0123456789".repeat(4), side]
    assert.equal(await opened.missing([side2], "origin", known), [side2])
    assert.equal((await opened.missing([side2], upstream, [])).length, 3)
    assert.equal(await opened.branchUpstream(), { ref: "refs/remotes/origin/main", commit: base })
    git(folder, "checkout", "-q", "--detach")
    assert.is(await opened.branchUpstream(), undefined)
    git(folder, "checkout", "-q", "--orphan", "lonely")
    const lonely = await commit(opened, { "secrets/A.yaml": "x\n" }).catch(() => undefined)
    assert.is(lonely, undefined)
    git(folder, "reset", "-q", "--hard")
    assert.is(await opened.mergeBase(await commit(opened, { "secrets/Z.yaml": "x\n" }), main), undefined)
  })

  test(`${kind}: where a commit is not here there is no base, and a way to get it`, async () => {
    const opened = await open(makeRepository(), kind)
    const { commit: head } = await opened.head()
    const error = await opened.mergeBase("1".repeat(40), head!).catch((thrown: unknown) => thrown)
    assert.ok(error instanceof CofferError && error.hint !== undefined)
    assert.is(error.code, "GIT_MISSING_OBJECT")
  })

  test(`${kind}: settings, author, hooks path, ignored and tracked files`, async () => {
    const folder = makeRepository()
    const opened = () => open(folder, kind)
    writeFileSync(join(folder, ".gitignore"), "*.log\n/build/\n")
    git(folder, "config", "branch.Main.x.Merge", "a\nb")
    assert.is(await (await opened()).config("branch.Main.x.merge"), "a\nb")
    assert.is(await (await opened()).config("User.Name"), "Ann Other")
    assert.is(await (await opened()).config("none.such"), undefined)
    assert.equal(await (await opened()).author(), { name: "Ann Other", email: "ann@example.com" })
    assert.is(await (await opened()).hooksPath(), join(folder, ".git/hooks"))
    git(folder, "config", "core.hooksPath", ".husky")
    assert.is(await (await opened()).hooksPath(), join(folder, ".husky"))
    // That turns hooks off for git, and makes its own answer fail.
    git(folder, "config", "core.hooksPath", "")
    assert.is(await (await opened()).hooksPath(), devNull)
    const git2 = await opened()
    const ignored = await Promise.all(
      ["a.log", "x/a.log", "build/x", "README", "secrets/A.yaml"].map(path => git2.isIgnored(path)),
    )
    assert.equal(ignored, [true, true, true, false, false])
    assert.equal([await git2.isTracked("README"), await git2.isTracked("a.log")], [true, false])
    assert.is(git2.shallow, false)
    const shallow = join(freshFolder(), "shallow")
    git(folder, "commit", "-q", "--allow-empty", "-m", "2")
    git(folder, "clone", "-q", "--depth=1", `file://${folder}`, shallow)
    assert.is((await open(shallow, kind)).shallow, true)
  })

  test(`${kind}: what a partial clone lacks is absent, and nothing is fetched`, async () => {
    const folder = makeRepository()
    git(folder, "config", "uploadpack.allowFilter", "true")
    const old = git(folder, "rev-parse", "HEAD:secrets/A.yaml").trim()
    write(folder, "secrets/A.yaml", "2\n")
    git(folder, "commit", "-q", "-am", "2")
    const clone = join(freshFolder(), "partial")
    git(folder, "clone", "-q", "--filter=blob:none", `file://${folder}`, clone)
    const here = git(clone, "rev-parse", "HEAD:secrets/A.yaml").trim()
    const found = await collect((await open(clone, kind)).blobs([old, here, old]))
    assert.equal(
      found.map(({ bytes }) => bytes && Buffer.from(bytes).toString()),
      [undefined, "2\n", undefined],
    )
  })
}

test("a repository and its HEAD are found without git", () => {
  const folder = makeRepository()
  const main = { workTree: folder, gitDir: join(folder, ".git"), commonDir: join(folder, ".git") }
  assert.equal(findRepository(join(folder, "secrets/prod")), main)
  assert.is(findRepository(freshFolder()), undefined)
  const commit = git(folder, "rev-parse", "HEAD").trim()
  assert.equal(readHead(main), { ref: "refs/heads/main", commit })
  git(folder, "pack-refs", "--all")
  assert.equal(readHead(main), { ref: "refs/heads/main", commit })
  const linked = join(freshFolder(), "linked")
  git(folder, "worktree", "add", "-q", "-b", "feature/x", linked)
  const found = findRepository(linked)!
  assert.equal(found, {
    workTree: linked,
    gitDir: join(folder, ".git/worktrees/linked"),
    commonDir: main.commonDir,
  })
  assert.equal(readHead(found), { ref: "refs/heads/feature/x", commit })
  git(linked, "checkout", "-q", "--detach")
  assert.equal(readHead(found), { ref: null, commit })
  assert.is(inProgress(found), "clean")
  git(folder, "checkout", "-q", "-b", "a\u2028b")
  assert.equal(readHead(main), { ref: "refs/heads/a\u2028b", commit })
  git(folder, "checkout", "-q", "--orphan", "none")
  assert.equal(readHead(main), { ref: "refs/heads/none", commit: null })
  writeFileSync(join(folder, ".git/HEAD"), "ref: refs/heads/.invalid\n")
  assert.is(readHead(main), undefined)
  rmSync(join(folder, ".git/HEAD"))
  assert.is(findRepository(folder), undefined)
})

test.run()
