// The embedded back end reads what the system back end reads: each answer is compared with git's own.
import { execFileSync } from "node:child_process"
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import type { Backend } from "../../../src/storage/git/backend.js"
import { openEmbedded } from "../../../src/storage/git/embedded.js"
import { openSystem } from "../../../src/storage/git/system.js"

const root = realpathSync(mkdtempSync(join(tmpdir(), "coffer-embedded-")))
test.after(() => rmSync(root, { recursive: true, force: true }))

const env = {
  PATH: process.env.PATH,
  HOME: root,
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_AUTHOR_NAME: "Ann Author",
  GIT_AUTHOR_EMAIL: "ann@example.org",
  GIT_COMMITTER_NAME: "Cy Committer",
  GIT_COMMITTER_EMAIL: "cy@example.org",
}

let clock = 1_700_000_000

class Sandbox {
  readonly folder = mkdtempSync(join(root, "repo-"))

  constructor() {
    this.git("init", "-q", "-b", "main")
  }

  git(...args: string[]): string {
    clock += 60
    const dates = { GIT_AUTHOR_DATE: `${clock} +0000`, GIT_COMMITTER_DATE: `${clock} +0000` }
    const options = { cwd: this.folder, env: { ...env, ...dates }, stdio: "pipe" } as const
    return execFileSync("git", args, options).toString().trim()
  }

  write(path: string, content: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true })
    writeFileSync(join(this.folder, path), content)
  }

  commit(path: string, content: string | null): string {
    if (content === null) this.git("rm", "-q", path)
    else this.write(path, content)
    this.git("add", "-A")
    this.git("commit", "-qm", `${path} ${content}`)
    return this.git("rev-parse", "HEAD")
  }

  async open(): Promise<{ embedded: Backend; system: Backend }> {
    const system = await openSystem(this.folder, env)
    if (typeof system === "string") throw new Error(system)
    return { embedded: await openEmbedded(this.folder, env), system }
  }
}

/** Branches, criss-cross merges, a file that goes and comes back, one that becomes a folder, packed in part. */
function makeHistory(): Sandbox {
  const sandbox = new Sandbox()
  const { git } = { git: sandbox.git.bind(sandbox) }
  for (let i = 0; i < 30; i++) sandbox.write(`src/${i % 5}/file${i}.txt`, `content ${i}\n`.repeat(20))
  sandbox.commit("secrets/a.yaml", "1")
  sandbox.commit("secrets/prod/b.yaml", "1")
  git("tag", "-a", "-m", "first", "v1")
  git("checkout", "-qb", "side")
  sandbox.commit("secrets/a.yaml", "side")
  sandbox.commit("secrets/c.yaml", "same")
  git("checkout", "-q", "main")
  sandbox.commit("secrets/a.yaml", "2")
  git("gc", "-q")
  sandbox.commit("secrets/c.yaml", "same")
  git("branch", "before-cross")
  git("merge", "-q", "-s", "ours", "-m", "cross one", "side")
  git("checkout", "-q", "side")
  git("merge", "-q", "-s", "ours", "-m", "cross two", "before-cross")
  sandbox.commit("secrets/d.yaml", "d")
  git("checkout", "-q", "main")
  sandbox.commit("secrets/a.yaml", null)
  sandbox.commit("secrets/a.yaml", "back")
  sandbox.commit("plain", "file")
  sandbox.commit("plain", null)
  sandbox.commit("plain/inside", "folder")
  git("update-index", "--chmod=+x", "secrets/c.yaml")
  git("commit", "-qm", "mode")
  git("reset", "-q", "--hard")
  git("checkout", "-q", "--orphan", "unrelated")
  git("commit", "-qm", "another first commit")
  git("checkout", "-q", "main")
  git("update-ref", "refs/remotes/origin/main", "HEAD~3")
  git("update-ref", "refs/remotes/origin/topic/x", "side~1")
  git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
  git("config", "branch.main.remote", "origin")
  git("config", "branch.main.merge", "refs/heads/main")
  git("config", "remote.origin.url", "https://example.org/x.git")
  git("config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
  return sandbox
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

const history = makeHistory()
const commits = history.git("rev-list", "--all").split("\n")

test("head, folders, author, hooks and upstream", async () => {
  const { embedded, system } = await history.open()
  for (const key of ["workTree", "gitDir", "commonDir", "oidHex", "shallow", "foreignIndex"] as const) {
    assert.equal(embedded[key], system[key])
  }
  assert.equal(await embedded.head(), await system.head())
  assert.equal(await embedded.author(), await system.author())
  assert.is(await embedded.hooksPath(), await system.hooksPath())
  assert.equal(await embedded.branchUpstream(), await system.branchUpstream())
  assert.ok(await embedded.branchUpstream())
})

test("revisions", async () => {
  const { embedded, system } = await history.open()
  const head = commits[0]!
  const revisions = [
    "HEAD",
    "@",
    "main",
    "side",
    "v1",
    "v1^{commit}",
    "v1^{}",
    "refs/heads/side",
    "heads/side",
  ]
  revisions.push(
    "origin/main",
    "origin",
    "HEAD~2",
    "HEAD^",
    "main~3^2",
    "HEAD^0",
    "main^3",
    "HEAD~99",
    "nothing",
  )
  revisions.push(
    head,
    head.slice(0, 7),
    head.slice(0, 12).toUpperCase(),
    "main@{upstream}",
    "@{u}",
    "side@{u}",
  )
  revisions.push("0".repeat(40), "abcd", "-n", "", "a..b", "HEAD:secrets", "../../x")
  for (const revision of revisions) {
    const found = await embedded.find(revision).catch(error => error.code)
    if (found === "GIT_UNSUPPORTED") assert.is(revision, "HEAD:secrets")
    else assert.is(found, await system.find(revision), revision)
  }
  for (const commit of commits) assert.is(await embedded.find(commit.slice(0, 10)), commit)
})

test("a damaged pack index is named, whatever is looked up in it", async () => {
  const sandbox = new Sandbox()
  const oid = sandbox.commit("secrets/a.yaml", "1")
  sandbox.git("repack", "-adq")
  const packs = join(sandbox.folder, ".git/objects/pack")
  const index = join(packs, readdirSync(packs).find(name => name.endsWith(".idx"))!)
  const whole = readFileSync(index)
  const { embedded } = await sandbox.open()
  const firstByte = Number.parseInt(oid.slice(0, 2), 16)
  const damages: Record<string, Buffer> = {
    "cut in its table of counts": whole.subarray(0, 500),
    "cut in its ids": whole.subarray(0, 8 + 4 * 256 + 10),
    "counts that go down": withCount(whole, firstByte - 1, 0xffff_ffff),
    "more ids than fit": withCount(whole, firstByte, 0xffff_ffff),
  }
  for (const [what, bytes] of Object.entries(damages)) {
    chmodSync(index, 0o644)
    writeFileSync(index, bytes)
    const error = await embedded.find(oid.slice(0, 7)).catch(caught => caught)
    assert.is(error?.code, "GIT_FAILED", what)
    assert.ok(error.message.includes(index), what)
  }
})

/** A pack index with another count at one first byte. */
function withCount(index: Buffer, byte: number, count: number): Buffer {
  const changed = Buffer.from(index)
  changed.writeUInt32BE(count, 8 + 4 * byte)
  return changed
}

test("entries and lookups in trees", async () => {
  const { embedded, system } = await history.open()
  for (const prefix of ["", "secrets", "secrets/prod", "secrets/a.yaml", "plain", "src/1", "none/x"]) {
    for (const commit of commits.slice(0, 4)) {
      assert.equal(await embedded.entries(commit, prefix), await system.entries(commit, prefix))
    }
  }
  const paths = [
    "secrets/a.yaml",
    "secrets",
    "plain",
    "plain/inside",
    "src/1/file1.txt",
    "x",
    "secrets/a.yaml/b",
  ]
  for (const commit of commits.slice(0, 4)) {
    const ours = await embedded.lookup(commit, paths)
    // A folder is no file; git lists what is in it.
    assert.equal([...ours].sort(), [...(await system.lookup(commit, paths))].sort())
  }
})

test("changes between commits", async () => {
  const { embedded, system } = await history.open()
  for (const from of [null, ...commits.filter((_, at) => at % 4 === 0)]) {
    for (const prefix of ["", "secrets", "plain", "secrets/c.yaml"]) {
      const to = commits[(commits.indexOf(from ?? "") + 4) % commits.length]!
      assert.equal(await embedded.changes(from, to, prefix), await system.changes(from, to, prefix))
    }
  }
})

test("log with full history", async () => {
  const { embedded, system } = await history.open()
  for (const tip of ["main", "side", "unrelated"]) {
    const from = (await system.find(tip))!
    for (const path of ["secrets/a.yaml", "secrets/c.yaml", "secrets", "plain"]) {
      assert.equal(await all(embedded.log(path, from)), await all(system.log(path, from)), `${tip} ${path}`)
    }
  }
})

test("merge bases", async () => {
  const { embedded, system } = await history.open()
  for (const a of commits.filter((_, at) => at % 3 === 1)) {
    for (const b of commits.filter((_, at) => at % 5 === 0)) {
      const expected = await system.mergeBase(a, b)
      const several = expected === undefined ? [] : history.git("merge-base", "--all", a, b).split("\n")
      const found = await embedded.mergeBase(a, b)
      if (several.length > 1 && expected !== undefined) assert.ok(several.includes(found!))
      else assert.is(found, expected)
    }
  }
})

test("commits a remote does not have", async () => {
  const { embedded, system } = await history.open()
  const tips = await Promise.all(["main", "side", "unrelated"].map(async name => (await system.find(name))!))
  const known = [commits[6]!, "1".repeat(40)]
  for (const remote of ["origin", "other", "https://example.org/x.git"]) {
    for (const list of [[], known]) {
      const ours = await embedded.missing(tips, remote, list)
      assert.equal(ours, await system.missing(tips, remote, list), remote)
    }
  }
})

test("blobs, in order, with what is not there", async () => {
  const { embedded, system } = await history.open()
  const entries = await system.entries(commits[0]!, "")
  const oids = [...entries.map(({ oid }) => oid), "1".repeat(40), commits[0]!]
  const bytesOf = async (backend: Backend) =>
    (await all(backend.blobs(oids))).map(({ oid, bytes }) => [
      oid,
      bytes === undefined ? null : String(bytes),
    ])
  assert.equal(await bytesOf(embedded), await bytesOf(system))
})

test("the index: staged, conflicted, to be added, left out", async () => {
  const sandbox = new Sandbox()
  sandbox.commit("secrets/a.yaml", "base")
  sandbox.commit("secrets/b.yaml", "base")
  sandbox.git("checkout", "-qb", "side")
  sandbox.commit("secrets/a.yaml", "side")
  sandbox.git("checkout", "-q", "main")
  sandbox.commit("secrets/a.yaml", "main")
  assert.throws(() => sandbox.git("merge", "-q", "side"))
  sandbox.write("secrets/new.yaml", "new")
  sandbox.git("add", "secrets/new.yaml")
  sandbox.write("secrets/later.yaml", "later")
  sandbox.git("add", "-N", "secrets/later.yaml")
  sandbox.git("update-index", "--skip-worktree", "secrets/b.yaml")
  const { embedded, system } = await sandbox.open()
  assert.is(await embedded.state(), "merge")
  const paths = ["secrets/a.yaml", "secrets/b.yaml", "secrets/new.yaml", "secrets/none.yaml"]
  assert.equal(
    [...(await embedded.lookup("index", paths))].sort(),
    [...(await system.lookup("index", paths))].sort(),
  )
  const head = await system.find("HEAD")
  for (const prefix of ["", "secrets", "secrets/a.yaml", "secrets/later.yaml"]) {
    assert.equal(await embedded.entries("index", prefix), await system.entries("index", prefix))
    for (const from of [null, head!]) {
      assert.equal(await embedded.changes(from, "index", prefix), await system.changes(from, "index", prefix))
    }
  }
  for (const path of [...paths, "secrets"]) {
    assert.is(await embedded.isTracked(path), await system.isTracked(path))
  }
})

test("ignore rules", async () => {
  const sandbox = new Sandbox()
  sandbox.write("ignored/tracked.txt", "x")
  sandbox.git("add", ".")
  sandbox.write(
    ".gitignore",
    "*.log\n!keep.log\n/top\nfolder/\na/**/z\n**/deep\n\\#hash\nsp\\ \nx[0-9].[!a]\nignored\n# c\n\nq?.txt\n/w/*\n!/w/in\n",
  )
  sandbox.write("sub/.gitignore", "*.tmp\n!*.log\n/only-here\n")
  appendFileSync(join(sandbox.folder, ".git/info/exclude"), "excluded\n")
  sandbox.git("config", "core.excludesFile", "~/my-ignores")
  writeFileSync(join(root, "my-ignores"), "*.global\n!excluded\n")
  mkdirSync(join(sandbox.folder, "folder/in"), { recursive: true })
  const { embedded, system } = await sandbox.open()
  const paths = [
    "a.log",
    "keep.log",
    "top",
    "sub/top",
    "folder",
    "folder/in/x",
    "a/z",
    "a/b/c/z",
    "x/deep",
    "deep/y",
  ]
  paths.push(
    "#hash",
    "sp ",
    "x1.b",
    "x1.a",
    "xx.b",
    "sub/a.tmp",
    "a.tmp",
    "sub/a.log",
    "sub/only-here",
    "only-here",
  )
  paths.push(
    "sub/x/only-here",
    "excluded",
    "e/excluded",
    "a.global",
    "ignored/tracked.txt",
    "ignored/new.txt",
  )
  paths.push("q1.txt", "q/.txt", "w/in", "w/out", "w/in/x", "plain", "file/folder", "sub/keep.log", "ignored")
  for (const path of paths) assert.is(await embedded.isIgnored(path), await system.isIgnored(path), path)
})

test("linked work tree, submodule, alternates, shallow, unborn and detached", async () => {
  const places: Record<string, string> = {}
  history.git("worktree", "add", "-q", join(root, "linked"), "side")
  places.linked = join(root, "linked")
  history.git("clone", "-q", "--shared", history.folder, join(root, "shared"))
  places.alternates = join(root, "shared")
  history.git("clone", "-q", "--depth", "3", `file://${history.folder}`, join(root, "shallow"))
  places.shallow = join(root, "shallow")
  const superproject = new Sandbox()
  superproject.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", history.folder, "sub/module")
  superproject.git("commit", "-qm", "with submodule")
  places.superproject = superproject.folder
  places.submodule = join(superproject.folder, "sub/module")
  const detached = new Sandbox()
  detached.commit("secrets/a.yaml", "1")
  detached.git("checkout", "-q", "--detach")
  places.detached = detached.folder
  places.unborn = new Sandbox().folder
  for (const [name, place] of Object.entries(places)) {
    const [embedded, system] = [await openEmbedded(place, env), await openSystem(place, env)]
    if (typeof system === "string") throw new Error(system)
    for (const key of ["workTree", "gitDir", "commonDir", "shallow"] as const) {
      assert.equal(embedded[key], system[key], `${name} ${key}`)
    }
    const head = await embedded.head()
    assert.equal(head, await system.head(), name)
    assert.equal(await embedded.changes(head.commit, "index", ""), [], name)
    if (head.commit === null) continue
    assert.equal(await embedded.entries(head.commit, ""), await system.entries(head.commit, ""), name)
    const log = await all(embedded.log("secrets/a.yaml", head.commit))
    assert.equal(log, await all(system.log("secrets/a.yaml", head.commit)), name)
  }
})

test.run()
