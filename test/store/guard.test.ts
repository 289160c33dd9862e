/** Where plaintext and damage are stopped, with the real hooks, the built coffer and real git. */
import { spawnSync } from "node:child_process"
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { suite } from "uvu"
import * as assert from "uvu/assert"
import { encodeBech32 } from "../../src/encoding/bech32.js"
import { guardCommit } from "../../src/store/guard.js"
import { guardRange, parsePushedRefs } from "../../src/store/guard-commits.js"

const CLI = resolve("bin/coffer.js")
const VALUE = "canary-5ekr1t-value"
const AGE_KEY = encodeBech32(
  "age-secret-key-",
  Uint8Array.from({ length: 32 }, (_, i) => i),
).toUpperCase()
const scratch = realpathSync(mkdtempSync(join(tmpdir(), "coffer-guard-")))
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }))

const env: Record<string, string> = {
  PATH: process.env.PATH!,
  HOME: join(scratch, "home"),
  XDG_CONFIG_HOME: join(scratch, "home", "config"),
  XDG_STATE_HOME: join(scratch, "home", "state"),
  GIT_CONFIG_GLOBAL: join(scratch, "gitconfig"),
  GIT_CONFIG_NOSYSTEM: "1",
  LC_ALL: "C",
  ...(process.env.NODE_V8_COVERAGE === undefined ? {} : { NODE_V8_COVERAGE: process.env.NODE_V8_COVERAGE }),
}

interface Run {
  status: number
  stdout: string
  stderr: string
}

/** A clone with hooks; `run` shows what a command did, `git` and `coffer` expect success. */
class Clone {
  readonly dir: string
  readonly env: Record<string, string>

  constructor(dir: string, extra: Record<string, string> = {}) {
    this.dir = dir
    this.env = { ...env, ...extra }
  }
  run(program: string, args: readonly string[], input = ""): Run {
    const { status, stdout, stderr } = spawnSync(program, args, {
      cwd: this.dir,
      env: this.env,
      input,
      encoding: "utf8",
    })
    assert.not.match(stderr, VALUE, "no value on stderr")
    return { status: status ?? -1, stdout, stderr }
  }
  git(...args: string[]): string {
    const { status, stdout, stderr } = this.run("git", args)
    if (status !== 0) throw new Error(`git ${args.join(" ")}: ${stderr}`)
    return stdout
  }
  tryGit(...args: string[]): Run {
    return this.run("git", args)
  }
  coffer(args: readonly string[], input = ""): string {
    const { status, stdout, stderr } = this.run(process.execPath, [CLI, ...args], input)
    if (status !== 0) throw new Error(`coffer ${args.join(" ")}: ${stderr}`)
    return stdout
  }
  write(path: string, content: string | Uint8Array): void {
    mkdirSync(dirname(join(this.dir, path)), { recursive: true })
    writeFileSync(join(this.dir, path), content)
  }
  read(path: string): string {
    return readFileSync(join(this.dir, path), "utf8")
  }
  /** A commit that nothing looks at. */
  sneak(message: string): void {
    this.git("add", "-A")
    this.git("commit", "-q", "--no-verify", "-m", message)
  }
}

function refusedWith(run: Run, code: string, path: string): void {
  assert.is.not(run.status, 0, "refused")
  assert.match(run.stderr, `(${code})`)
  assert.match(run.stderr, path)
}

const template = join(scratch, "template")
let pin = ""

function makeTemplate(): void {
  mkdirSync(env.HOME!, { recursive: true })
  mkdirSync(template)
  writeFileSync(
    env.GIT_CONFIG_GLOBAL!,
    "[user]\nname = ana\nemail = ana@example.org\n[init]\ndefaultBranch = main\n[advice]\ndetachedHead = false\n",
  )
  const clone = new Clone(template)
  clone.git("init", "-q")
  clone.coffer(["init"])
  clone.coffer(
    ["set", "--batch"],
    `{"name":"A","value":"${VALUE}"}\n{"name":"prod/B","value":"other-5ekr1t"}\n`,
  )
  clone.write("app.js", "one\n\n\n\n\n\ntwo\n")
  clone.write("README", "read me\n")
  clone.git("add", "-A")
  clone.git("commit", "-q", "-m", "app")
  pin = clone.coffer(["trust", "pin"]).trim()
}

let clones = 0
function fresh(extra: Record<string, string> = {}): Clone {
  const dir = join(scratch, `clone-${++clones}`)
  cpSync(template, dir, { recursive: true, verbatimSymlinks: true })
  return new Clone(dir, { COFFER_PIN: pin, ...extra })
}

const test = suite("guard")
test.before(makeTemplate)

test("an ordinary commit passes, and says nothing", () => {
  const clone = fresh()
  clone.write("src/new.js", "nothing special, AGE-SECRET-KEY-1... and .env in words\n")
  clone.write(".env.example", "A=\n")
  clone.git("add", "-A")
  assert.equal(clone.tryGit("commit", "-q", "-m", "x"), { status: 0, stdout: "", stderr: "" })
})

test("commit: own value, age key, .env", () => {
  const clone = fresh()
  clone.write("x", `A=${VALUE}\n`)
  clone.write("deep/key.txt", AGE_KEY)
  clone.write("deep/.env.local", "A=1\n")
  clone.git("add", "-A")
  const run = clone.tryGit("commit", "-m", "x")
  refusedWith(run, "OWN_VALUE", '"x" holds the value of A')
  refusedWith(run, "PRIVATE_KEY", '"deep/key.txt" holds an age private key')
  refusedWith(run, "DOTENV_FILE", '"deep/.env.local" is a file of settings')
  assert.is(clone.git("log", "--format=%s", "-1"), "app\n")
})

test("commit: what is staged counts, not what lies in the work tree", () => {
  const clone = fresh()
  clone.write("app.js", VALUE)
  clone.git("add", "app.js")
  clone.write("app.js", "clean again\n")
  refusedWith(clone.tryGit("commit", "-m", "x"), "OWN_VALUE", "app.js")
  clone.git("reset", "-q", "--hard")
  clone.write("app.js", VALUE)
  clone.write("README", "changed\n")
  clone.git("add", "README")
  assert.is(clone.tryGit("commit", "-q", "-m", "x").status, 0)
})

test("commit -a, commit -- path, commit -p: the index that git makes for them", () => {
  const clone = fresh()
  clone.write("README", Buffer.from(VALUE).toString("base64"))
  refusedWith(clone.tryGit("commit", "-a", "-m", "x"), "OWN_VALUE", "README")
  clone.write("app.js", "fine\n")
  assert.is(clone.tryGit("commit", "-q", "-m", "x", "--", "app.js").status, 0, "the other file is not in it")
  refusedWith(clone.tryGit("commit", "-m", "x", "--", "README"), "OWN_VALUE", "README")
  refusedWith(clone.run("git", ["commit", "-p", "-m", "x"], "y\n"), "OWN_VALUE", "README")
})

test("commit --amend, and a .env that is renamed into place", () => {
  const clone = fresh()
  clone.git("mv", "README", ".env")
  refusedWith(clone.tryGit("commit", "--amend", "--no-edit"), "DOTENV_FILE", ".env")
  clone.git("mv", ".env", ".env.sample")
  assert.is(clone.tryGit("commit", "-q", "--amend", "--no-edit").status, 0)
})

test("git rm of a secret; a tombstone and its purge are in order", () => {
  const clone = fresh()
  clone.git("rm", "-q", "secrets/A.yaml")
  refusedWith(clone.tryGit("commit", "-m", "x"), "SECRET_MISSING", "secrets/A.yaml")
  clone.git("reset", "-q", "--hard")
  clone.coffer(["delete", "A", "--no-commit"])
  assert.is(clone.tryGit("commit", "-q", "-m", "x").status, 0)
  clone.git("rm", "-q", "secrets/A.yaml")
  assert.is(clone.tryGit("commit", "-q", "-m", "purged by hand").status, 0)
})

test("git mv of a secret, an older version put back, another version's digest", () => {
  const clone = fresh()
  clone.git("mv", "secrets/A.yaml", "secrets/Z.yaml")
  const moved = clone.tryGit("commit", "-m", "x")
  refusedWith(moved, "SECRET_MOVED", "secrets/Z.yaml")
  refusedWith(moved, "SECRET_MISSING", "secrets/A.yaml")
  clone.git("reset", "-q", "--hard")
  clone.coffer(["set", "A"], "second-5ekr1t")
  clone.git("checkout", "-q", "HEAD~1", "--", "secrets/A.yaml")
  refusedWith(clone.tryGit("commit", "-m", "x"), "ROLLED_BACK", "secrets/A.yaml")
})

test("key records: changed, removed; the store's own files; the whole store", () => {
  const clone = fresh()
  const record = clone.git("ls-files", "secrets/.coffer/keys").trim()
  appendFileSync(join(clone.dir, record), "# x\n")
  refusedWith(clone.tryGit("commit", "-a", "-m", "x"), "NOT_CANONICAL", record)
  clone.git("reset", "-q", "--hard")
  clone.git("rm", "-q", record)
  refusedWith(clone.tryGit("commit", "-m", "x"), "GROUP_MISSING", "keys/default")
  clone.git("reset", "-q", "--hard")
  clone.write("secrets/prod/.gitattributes", "* text\n")
  clone.git("add", "-A")
  refusedWith(clone.tryGit("commit", "-m", "x"), "NOT_CANONICAL", "secrets/prod/.gitattributes")
  clone.git("reset", "-q", "--hard")
  clone.write("secrets/.gitattributes", "* text\n")
  refusedWith(clone.tryGit("commit", "-a", "-m", "x"), "NOT_CANONICAL", "secrets/.gitattributes")
  clone.git("reset", "-q", "--hard")
  clone.git("rm", "-q", "-r", "secrets")
  refusedWith(clone.tryGit("commit", "-m", "x"), "SECRET_MISSING", 'the store "secrets" is removed')
  clone.git("reset", "-q", "--hard")
  clone.git("mv", "secrets", "vault")
  assert.is(clone.tryGit("commit", "-q", "-m", "renamed").status, 0)
})

/** Files that pretend to be secrets, or lie where only secrets may. */
const disguises: Record<
  string,
  [path: string, content: (real: string) => string | Uint8Array, code: string]
> = {
  "plaintext in the store": ["secrets/notes.txt", () => "plain\n", "NOT_CANONICAL"],
  "plaintext in a secret's place": ["secrets/C.yaml", () => "password: plain\n", "NOT_CANONICAL"],
  "a folder that coffer does not know": ["secrets/.coffer/notes/a.txt", () => "plain\n", "CHECK_INCOMPLETE"],
  "a magic first line with plaintext below": [
    "secrets/C.yaml",
    () => "coffer: secret/1\npassword: plain\n",
    "NOT_CANONICAL",
  ],
  "a real secret with plaintext behind it": [
    "secrets/A.yaml",
    real => `${real}password: plain\n`,
    "NOT_CANONICAL",
  ],
  "a real secret with a comment": [
    "secrets/A.yaml",
    real => real.replace("\n", "\n# plain\n"),
    "NOT_CANONICAL",
  ],
  "a byte order mark": ["secrets/A.yaml", real => `\uFEFF${real}`, "NOT_CANONICAL"],
  CRLF: ["secrets/A.yaml", real => real.replaceAll("\n", "\r\n"), "NOT_CANONICAL"],
  "an empty file": ["secrets/A.yaml", () => "", "NOT_CANONICAL"],
  "a binary file": ["secrets/A.yaml", () => Uint8Array.from([0, 255, 0, 1]), "NOT_CANONICAL"],
  "a changed value": ["secrets/A.yaml", real => real.replace(/(nonce: \|\n {2}).{4}/, "$1AAAA"), "DAMAGED"],
}

for (const [title, [path, content, code]] of Object.entries(disguises)) {
  test(`commit: ${title}`, () => {
    const clone = fresh()
    clone.write(path, content(clone.read("secrets/A.yaml")))
    clone.git("add", "-A")
    refusedWith(clone.tryGit("commit", "-m", "x"), code, path)
  })
}

test("a link and an executable in the store", () => {
  const clone = fresh()
  rmSync(join(clone.dir, "secrets/A.yaml"))
  symlinkSync("prod/B.yaml", join(clone.dir, "secrets/A.yaml"))
  refusedWith(clone.tryGit("commit", "-a", "-m", "x"), "NOT_CANONICAL", "120000")
  clone.git("reset", "-q", "--hard")
  chmodSync(join(clone.dir, "secrets/A.yaml"), 0o755)
  refusedWith(clone.tryGit("commit", "-a", "-m", "x"), "NOT_CANONICAL", "100755")
})

test("a linked worktree and a subfolder", () => {
  const clone = fresh()
  clone.git("worktree", "add", "-q", "../linked")
  const linked = new Clone(join(scratch, "linked"), clone.env)
  linked.write("x", VALUE)
  linked.git("add", "-A")
  refusedWith(linked.tryGit("commit", "-m", "x"), "OWN_VALUE", '"x"')
  clone.write("sub/x", VALUE)
  const sub = new Clone(join(clone.dir, "sub"), clone.env)
  sub.git("add", "x")
  refusedWith(sub.tryGit("commit", "-m", "x"), "OWN_VALUE", '"sub/x"')
})

test("merge: plaintext that the merge itself adds, damage that it brings, values that it drops", () => {
  const clone = fresh()
  clone.git("checkout", "-q", "-b", "side")
  clone.coffer(["set", "A"], "theirs-5ekr1t")
  clone.git("checkout", "-q", "-b", "bad")
  clone.write("secrets/notes.txt", "plain\n")
  clone.sneak("bad")
  clone.git("checkout", "-q", "main")
  clone.coffer(["set", "A"], "ours-5ekr1t")
  refusedWith(clone.tryGit("merge", "-q", "-Xours", "--no-edit", "bad"), "NOT_CANONICAL", "secrets/notes.txt")
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

  clone.git("merge", "-q", "--no-commit", "--no-ff", "bad~1")
  clone.git("checkout", "-q", "-b", "again", "main~1")
  clone.git("merge", "-q", "--no-commit", "--no-ff", "side~1")
})

test("merge: a .env that the other side has had for long is not this merge's", () => {
  const clone = fresh()
  clone.git("checkout", "-q", "-b", "old")
  clone.write(".env", "A=1\n")
  clone.sneak("old")
  clone.git("checkout", "-q", "main")
  clone.write("README", "changed\n")
  clone.git("commit", "-qam", "main")
  assert.is(clone.tryGit("merge", "-q", "--no-edit", "old").status, 0)
})

function withRemote(clone: Clone): Clone {
  clone.git("init", "-q", "--bare", `${clone.dir}-remote`)
  clone.git("remote", "add", "origin", `${clone.dir}-remote`)
  clone.git("push", "-q", "-u", "origin", "main")
  return clone
}

test("push: what --no-verify, rebase and cherry-pick let through", () => {
  const clone = withRemote(fresh())
  clone.write("key.txt", AGE_KEY)
  clone.sneak("key")
  refusedWith(clone.tryGit("push", "-q"), "PRIVATE_KEY", "key.txt")
  clone.git("rm", "-q", "key.txt")
  clone.git("commit", "-q", "-m", "gone again")
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
  clone.git("commit", "-qam", "main")
  clone.git("checkout", "-q", "side")
  assert.is(clone.tryGit("rebase", "-q", "main").status, 0, "no hook there")
  refusedWith(clone.tryGit("push", "-q", "origin", "side"), "DOTENV_FILE", ".env")
})

test("push: damage in the store, a removed secret, a new branch, a deletion", () => {
  const clone = withRemote(fresh())
  clone.git("push", "-q", "origin", "main:other")
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
  clone.git("commit", "-qam", "fine")
  assert.equal(clone.tryGit("push", "-q", "origin", "new"), { status: 0, stdout: "", stderr: "" })
})

test("push: a remote that nothing is known of, and a shallow clone", () => {
  const clone = fresh()
  clone.git("init", "-q", "--bare", "../unknown")
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

test("push: a merge that dropped a value behind the hook's back", () => {
  const clone = withRemote(fresh())
  clone.git("checkout", "-q", "-b", "side")
  clone.coffer(["set", "A"], "theirs-5ekr1t")
  clone.git("checkout", "-q", "main")
  clone.coffer(["set", "A"], "ours-5ekr1t")
  clone.git("merge", "-q", "-s", "ours", "--no-verify", "--no-edit", "side")
  refusedWith(clone.tryGit("push", "-q"), "VERSION_TWICE", "A")
})

test("a clone without an identity checks all but the values, and says so", () => {
  const clone = fresh({ XDG_CONFIG_HOME: join(scratch, "nobody") })
  clone.write("x", VALUE)
  clone.git("add", "-A")
  const run = clone.tryGit("commit", "-q", "-m", "x")
  assert.is(run.status, 0)
  assert.match(run.stderr, 'note: no identity here opens "secrets", so its values were not looked for')
  clone.write("key.txt", AGE_KEY)
  clone.write("secrets/A.yaml", "plain\n")
  clone.git("add", "-A")
  const refused = clone.tryGit("commit", "-m", "x")
  refusedWith(refused, "PRIVATE_KEY", "key.txt")
  refusedWith(refused, "NOT_CANONICAL", "secrets/A.yaml")
})

test("the allow list of the state that is committed", () => {
  const clone = fresh()
  clone.write("test/.env", AGE_KEY)
  clone.write(".coffer.yaml", "scan:\n  allow:\n    - test/**\n")
  clone.git("add", "test")
  refusedWith(clone.tryGit("commit", "-m", "x"), "PRIVATE_KEY", "test/.env")
  clone.git("add", ".coffer.yaml")
  assert.is(clone.tryGit("commit", "-q", "-m", "x").status, 0)
  clone.write("secrets/plain", "x")
  clone.write(".coffer.yaml", "scan:\n  allow:\n    - secrets/**\n")
  clone.git("add", "-A")
  refusedWith(clone.tryGit("commit", "-m", "x"), "NOT_CANONICAL", "secrets/plain")
})

test("check --range finds what was pushed without hooks", async () => {
  const clone = withRemote(fresh())
  clone.write("key.txt", AGE_KEY)
  clone.sneak("key")
  clone.git("rm", "-q", "secrets/A.yaml")
  clone.sneak("removed")
  clone.git("push", "-q", "--no-verify")
  const options = { directory: clone.dir, env: clone.env }
  for (const git of ["system", "embedded"] as const) {
    const report = await guardRange({ ...options, git }, { range: "HEAD~2..HEAD" })
    assert.equal(
      report.findings.map(({ code, path }) => `${code} ${path}`),
      ["SECRET_MISSING secrets/A.yaml", "PRIVATE_KEY key.txt"],
    )
    assert.equal(report.checked, { files: 1, commits: 2 })
    assert.ok(report.failed)
    const clean = await guardRange({ ...options, git }, { range: "HEAD~2..HEAD~2" })
    assert.equal([clean.failed, clean.findings, clean.notes], [false, [], []])
    const all = await guardRange({ ...options, git }, { range: `${"0".repeat(40)}..HEAD~2` })
    assert.is(all.checked.commits, 3)
    assert.match(all.notes.join(), "all of it was looked at")
  }
  const failure = async (range: string) => guardRange(options, { range }).catch(error => error.code)
  assert.is(await failure("HEAD"), "USAGE")
  assert.is(await failure("a...b"), "USAGE")
  assert.is(await failure("nowhere..HEAD"), "HISTORY_MISSING")
})

test("check --staged looks at the same with both back ends", async () => {
  const clone = fresh()
  clone.write("x", VALUE)
  clone.write("secrets/plain.txt", "plain\n")
  clone.git("add", "-A")
  for (const git of ["system", "embedded"] as const) {
    const report = await guardCommit({ directory: clone.dir, env: clone.env, git })
    assert.equal(report.findings.map(({ code, path }) => `${code} ${path}`).sort(), [
      "NOT_CANONICAL secrets/plain.txt",
      "OWN_VALUE x",
    ])
  }
  assert.ok(existsSync(join(clone.dir, "secrets/plain.txt")), "nothing is changed")
})

test("an open journal stands against a commit", async () => {
  const clone = fresh()
  clone.write("x", "fine\n")
  clone.git("add", "-A")
  assert.not.ok((await guardCommit({ directory: clone.dir, env: clone.env })).failed)
})

test("lines of the pre-push hook", () => {
  const oid = "a".repeat(40)
  assert.equal(parsePushedRefs(`refs/heads/a ${oid} refs/heads/b ${oid}\n\n`), [
    { localRef: "refs/heads/a", localOid: oid, remoteRef: "refs/heads/b", remoteOid: oid },
  ])
  assert.equal(parsePushedRefs("junk\n"), [])
})

test.run()
