// What only the embedded back end has to prove: it needs no git, keeps what it does not understand, refuses by name.
import { execFileSync } from "node:child_process"
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { CofferError } from "../../../src/errors.js"
import { openGit } from "../../../src/storage/git/open.js"
import {
  codeOf,
  collect,
  commit,
  env,
  freshFolder,
  fsck,
  git,
  leftovers,
  makeRepository,
  open,
  write,
} from "./repositories.js"

/** As on a machine without git: PATH names an empty folder. */
const withoutGit = { ...env, PATH: freshFolder() }

test("is chosen where there is no git on PATH, and needs none", async () => {
  const folder = makeRepository()
  const opened = await openGit(folder, withoutGit, "auto")
  assert.is(opened.kind, "embedded")
  const id = await commit(opened, { "secrets/A.yaml": "second\n", "secrets/B.yaml": null })
  assert.equal((await collect(opened.log("secrets/A.yaml", id))).length, 2)
  assert.equal(git(folder, "status", "--porcelain"), "")
  fsck(folder)
  assert.is(await codeOf(openGit(folder, withoutGit, "system")), "GIT_UNSUPPORTED")
})

test("keeps names and modes in the folders it rewrites that no other tool would", async () => {
  const folder = makeRepository()
  const blob = git(folder, "rev-parse", "HEAD:README").trim()
  const odd = ["caf\xe9", "a\\b", "tab\there", "new\nline", "\xff"]
  const lines = [
    ...git(folder, "ls-tree", "HEAD").trim().split("\n"),
    ...odd.map(name => `100644 blob ${blob}\t${name}`),
    `120000 blob ${blob}\tlink`,
    `160000 commit ${"1".repeat(40)}\tmodule`,
  ]
  const input = Buffer.from(lines.map(line => `${line}\0`).join(""), "latin1")
  const tree = execFileSync("git", ["mktree", "-z", "--missing"], { cwd: folder, env, input })
    .toString()
    .trim()
  const head = git(folder, "commit-tree", tree, "-p", "HEAD", "-m", "odd").trim()
  git(folder, "reset", "-q", "--hard", head)
  const listed = (at: string) =>
    git(folder, "ls-tree", "-z", at)
      .split("\0")
      .filter(line => !/\tsecrets$/.test(line))
  const before = listed("HEAD")
  await commit(await open(folder, "embedded"), { "secrets/A.yaml": "second\n" })
  assert.equal(listed("HEAD"), before)
  assert.is(before.length, 10)
  assert.equal(git(folder, "status", "--porcelain"), "")
})

test("reads through packs, alternates and a linked work tree, and writes to the repository's own objects", async () => {
  const origin = makeRepository()
  git(origin, "gc", "-q")
  const clone = freshFolder()
  git(origin, "clone", "-q", "--shared", origin, clone)
  const linked = join(freshFolder(), "linked")
  git(clone, "worktree", "add", "-q", linked)
  const opened = await open(linked, "embedded")
  await commit(opened, { "secrets/A.yaml": "second\n" })
  assert.is(readdirSync(join(origin, ".git/objects")).length, 2)
  assert.equal(git(linked, "status", "--porcelain"), "")
  fsck(clone)
})

test("a file in HEAD where a folder is needed is refused", async () => {
  const folder = makeRepository()
  const opened = await open(folder, "embedded")
  for (const path of ["README/x", "secrets"])
    assert.is(await codeOf(commit(opened, { [path]: "x" })), "GIT_DIRTY")
  assert.equal(leftovers(folder), [])
})

test("a new branch takes the folder of a deleted one, and no other branch's name", async () => {
  const folder = makeRepository()
  git(folder, "symbolic-ref", "HEAD", "refs/heads/topic")
  mkdirSync(join(folder, ".git/refs/heads/topic/empty"), { recursive: true })
  git(folder, "rm", "-q", "--cached", "-r", ".")
  rmSync(join(folder, "secrets"), { recursive: true })
  await commit(await open(folder, "embedded"), { "secrets/A.yaml": "first\n" })
  assert.is(git(folder, "rev-list", "--count", "topic").trim(), "1")
  git(folder, "symbolic-ref", "HEAD", "refs/heads/topic/below")
  git(folder, "rm", "-q", "--cached", "-r", "secrets")
  rmSync(join(folder, "secrets"), { recursive: true })
  const clash = await commit(await open(folder, "embedded"), { "secrets/A.yaml": "x" }).catch(error => error)
  assert.match(String(clash), /"refs\/heads\/topic" exists/)
  assert.equal(leftovers(folder), [])
})

test("a packed branch takes the place of a folder that is empty", async () => {
  const folder = makeRepository()
  git(folder, "pack-refs", "--all", "--prune")
  mkdirSync(join(folder, ".git/refs/heads/main/empty"), { recursive: true })
  const id = await commit(await open(folder, "embedded"), { "secrets/A.yaml": "second\n" })
  assert.is(git(folder, "rev-parse", "main").trim(), id)
  assert.equal(leftovers(folder), [])
})

test("shares what it writes with whom git would", async () => {
  const umask = process.umask()
  for (const mask of [0o022, 0o077]) {
    for (const shared of ["umask", "group", "all", "0640", "0664", "true"]) {
      process.umask(mask)
      const [ours, gits] = [makeRepository(), makeRepository()]
      for (const folder of [ours, gits]) git(folder, "config", "core.sharedRepository", shared)
      await commit(await open(ours, "embedded"), { "secrets/A.yaml": "second\n" })
      write(gits, "secrets/A.yaml", "second\n")
      git(gits, "commit", "-q", "-am", "Set A")
      process.umask(umask)
      const blob = git(ours, "rev-parse", "HEAD:secrets/A.yaml").trim()
      const paths = [`objects/${blob.slice(0, 2)}`, `objects/${blob.slice(0, 2)}/${blob.slice(2)}`]
      for (const path of [...paths, "refs/heads/main", "logs/HEAD", "index"]) {
        const [mode, expected] = [ours, gits].map(
          folder => statSync(join(folder, ".git", path)).mode & 0o7777,
        )
        assert.is(mode!.toString(8), expected!.toString(8), `${shared} ${mask.toString(8)} ${path}`)
      }
    }
  }
})

test("what cannot be written is an error that names the file", async () => {
  const folder = makeRepository()
  const opened = await open(folder, "embedded")
  const files = { "secrets/A.yaml": "second\n" }
  const blob = execFileSync("git", ["hash-object", "--stdin"], { env, input: "second\n" }).toString().trim()
  const place = join(folder, ".git/objects", blob.slice(0, 2))
  rmSync(place, { recursive: true, force: true })
  writeFileSync(place, "")
  const error = await commit(opened, files).catch(reason => reason)
  assert.is(error.code, "IO_FAILED")
  assert.ok(error.message.includes(place))
  rmSync(place)
  rmSync(join(folder, ".git/logs/HEAD"))
  mkdirSync(join(folder, ".git/logs/HEAD"))
  assert.is(await codeOf(commit(opened, files)), "IO_FAILED")
  rmSync(join(folder, ".git/logs/HEAD"), { recursive: true })
  assert.equal(git(folder, "status", "--porcelain"), "")
  assert.equal(leftovers(folder), [])
})

test("finds the branch that another follows, however the remote is set up", async () => {
  const folder = makeRepository()
  const follow = async (settings: Record<string, string>) => {
    for (const [key, value] of Object.entries(settings)) git(folder, "config", key, value)
    return Promise.all(
      [open(folder, "embedded"), open(folder, "system")].map(async it => (await it).branchUpstream()),
    )
  }
  for (const settings of [
    { "branch.main.remote": "." },
    { "branch.main.merge": "refs/heads/other" },
    { "branch.main.remote": "origin", "remote.origin.url": "x" },
    { "remote.origin.fetch": "refs/heads/topic/*:refs/remotes/origin/t/*" },
    { "branch.main.merge": "refs/heads/topic/x" },
    { "remote.origin.fetch": "+refs/heads/topic/x:refs/remotes/origin/only" },
  ]) {
    const [ours, gits] = await follow(settings)
    assert.equal(ours, gits, JSON.stringify(settings))
  }
  git(folder, "checkout", "-q", "--detach")
  assert.is(await (await open(folder, "embedded")).branchUpstream(), undefined)
})

test("writes the reflog where git would", async () => {
  const folder = makeRepository()
  const opened = await open(folder, "embedded")
  await commit(opened, { "secrets/A.yaml": "second\n" })
  const logs = ["HEAD", "refs/heads/main"].map(name => readFileSync(join(folder, ".git/logs", name), "utf8"))
  for (const log of logs)
    assert.match(log, /Ann Other <ann@example\.com> 1893553445 [+-]\d{4}\tcommit: Set A\n$/)
  git(folder, "config", "core.logAllRefUpdates", "false")
  rmSync(join(folder, ".git/logs"), { recursive: true })
  await commit(await open(folder, "embedded"), { "secrets/A.yaml": "third\n" })
  assert.equal(git(folder, "reflog"), "")
})

test("many objects are one pack, and its index is the one that git makes of it", async () => {
  const folder = makeRepository()
  const files = Object.fromEntries(
    Array.from({ length: 300 }, (_, number) => [`secrets/S${number}.yaml`, "x".repeat(number ** 2)]),
  )
  await commit(await open(folder, "embedded"), files)
  const packs = join(folder, ".git/objects/pack")
  const [index, pack, ...others] = readdirSync(packs).sort()
  assert.equal(others, [])
  const remade = join(folder, ".git/remade.idx")
  assert.is(`pack-${git(folder, "index-pack", "-o", remade, join(packs, pack!)).trim()}.idx`, index)
  assert.ok(readFileSync(join(packs, index!)).equals(readFileSync(remade)))
  rmSync(remade)
  assert.is(git(folder, "cat-file", "blob", "HEAD:secrets/S299.yaml").length, 299 ** 2)
  fsck(folder)
})

test("packs replaced by a gc meanwhile are looked for again", async () => {
  const folder = makeRepository()
  git(folder, "gc", "-q")
  const opened = await open(folder, "embedded")
  const head = (await opened.head()).commit!
  await opened.entries(head, "src")
  git(folder, "commit", "-q", "--allow-empty", "-m", "more")
  git(folder, "gc", "-q", "--prune=now")
  await opened.entries(head, "")
  const [blob] = await collect(opened.blobs([git(folder, "rev-parse", "HEAD:README").trim()]))
  assert.is(String(blob!.bytes), "read me\n")
})

/** A feature, how to have it, and the words that name it. */
type Refusal = readonly [
  feature: string,
  make: (folder: string) => unknown,
  words: RegExp,
  more?: Record<string, string>,
]

const configured =
  (...settings: string[]) =>
  (folder: string) => {
    for (const setting of settings) git(folder, "config", ...setting.split("="))
  }

const AT_OPENING: readonly Refusal[] = [
  [
    "unknown extension",
    configured("extensions.fancy=1", "core.repositoryFormatVersion=1"),
    /extensions\.fancy/,
  ],
  ["newer format", configured("core.repositoryFormatVersion=2"), /core\.repositoryFormatVersion 2/],
  ["reftable", configured("extensions.refStorage=reftable", "core.repositoryFormatVersion=1"), /reftable/],
  ["bare", configured("core.bare=true"), /core\.bare/],
  ["grafts", folder => write(folder, ".git/info/grafts", `${"1".repeat(40)}\n`), /info\/grafts/],
  ["GIT_DIR", () => undefined, /GIT_DIR/, { GIT_DIR: "/" }],
  ["GIT_OBJECT_DIRECTORY", () => undefined, /GIT_OBJECT_DIRECTORY/, { GIT_OBJECT_DIRECTORY: "/tmp" }],
  [
    "a branch that stands for another",
    folder => {
      git(folder, "branch", "real")
      git(folder, "symbolic-ref", "refs/heads/main", "refs/heads/real")
    },
    /HEAD/,
  ],
]

for (const [feature, make, words, more] of AT_OPENING) {
  test(`refuses at once: ${feature}`, async () => {
    const folder = makeRepository()
    make(folder)
    const error = await openGit(folder, { ...withoutGit, ...more }, "embedded").catch(reason => reason)
    assert.instance(error, CofferError)
    assert.is(error.code, "GIT_UNSUPPORTED")
    assert.match(error.message, words)
    assert.match(error.hint, /install git/)
  })
}

test("is content with GIT_DIR and its kind as hooks get them", async () => {
  const folder = makeRepository()
  const hookEnvironment = { ...withoutGit, GIT_DIR: ".git", GIT_WORK_TREE: folder }
  await commit(await openGit(folder, hookEnvironment, "embedded"), { "secrets/A.yaml": "x" })
})

const AT_WRITING: readonly Refusal[] = [
  ["signing", configured("commit.gpgSign=true"), /commit\.gpgSign/],
  [
    "hooks elsewhere",
    folder => {
      write(folder, "my-hooks/commit-msg", "#!/bin/sh\n")
      chmodSync(join(folder, "my-hooks/commit-msg"), 0o755)
      git(folder, "config", "core.hooksPath", "my-hooks")
    },
    /my-hooks\/commit-msg/,
  ],
  [
    "pack index of version 1",
    folder => {
      git(folder, "gc", "-q")
      const pack = join(folder, ".git/objects/pack")
      for (const name of readdirSync(pack).filter(file => file.endsWith(".idx"))) {
        rmSync(join(pack, name))
        git(folder, "index-pack", "--index-version=1", join(pack, name.replace(".idx", ".pack")))
      }
    },
    /pack index version 1/,
  ],
]

for (const [feature, make, words] of AT_WRITING) {
  test(`refuses to write: ${feature}`, async () => {
    const folder = makeRepository()
    make(folder)
    const head = git(folder, "rev-parse", "HEAD")
    const error = await commit(await open(folder, "embedded"), { "secrets/A.yaml": "x" }).catch(
      reason => reason,
    )
    assert.is(error.code, "GIT_UNSUPPORTED", String(error))
    assert.match(error.message, words)
    assert.is(git(folder, "rev-parse", "HEAD"), head)
    assert.equal(leftovers(folder), [])
  })
}

test("names an object that a partial clone lacks", async () => {
  const origin = makeRepository()
  git(origin, "config", "uploadpack.allowFilter", "true")
  write(origin, "secrets/A.yaml", "second\n")
  git(origin, "commit", "-q", "-am", "second")
  const folder = freshFolder()
  git(origin, "clone", "-q", "--filter=blob:none", `file://${origin}`, folder)
  const opened = await open(folder, "embedded")
  const old = git(origin, "rev-parse", "HEAD~1:secrets/A.yaml").trim()
  assert.equal(await collect(opened.blobs([old])), [{ oid: old }])
  await commit(opened, { "secrets/A.yaml": "third\n" })
  const treeless = freshFolder()
  git(origin, "clone", "-q", "--filter=tree:0", `file://${origin}`, treeless)
  const tree = git(origin, "rev-parse", "HEAD~1^{commit}").trim()
  const reader = await open(treeless, "embedded")
  assert.is(await codeOf(reader.entries(tree, "")), "GIT_MISSING_OBJECT")
})

test("a damaged index is an error of its own", async () => {
  const folder = makeRepository()
  const opened = await open(folder, "embedded")
  renameSync(join(folder, ".git/index"), join(folder, ".git/index.old"))
  writeFileSync(join(folder, ".git/index"), readFileSync(join(folder, ".git/index.old")).subarray(0, 100))
  assert.is(await codeOf(opened.entries("index", "")), "GIT_FAILED")
})

test.run()
