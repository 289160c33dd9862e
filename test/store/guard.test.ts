/** What the hooks stop before it is a commit, with real hooks and real git where git's way to them matters. */
import { appendFileSync, chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { suite } from "uvu"
import * as assert from "uvu/assert"
import { withStoreLock } from "../../src/storage/git/store-lock.js"
import { guardCommit } from "../../src/store/guard.js"
import { AGE_KEY, Clone, fresh, makeTemplate, refusedWith, scratch, VALUE } from "./clones.js"

const test = suite("guard")
test.before(makeTemplate)

test("an ordinary commit passes, and nothing is said", () => {
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

test("what is staged counts, not what lies in the work tree", async () => {
  const clone = fresh()
  clone.write("app.js", VALUE)
  clone.git("add", "app.js")
  clone.write("app.js", "clean again\n")
  assert.equal(await clone.staged(), ["OWN_VALUE app.js"])
  clone.git("reset", "-q", "--hard")
  clone.write("app.js", VALUE)
  clone.write("README", "changed\n")
  clone.git("add", "README")
  assert.equal(await clone.staged(), [])
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

test("git rm of a secret; a tombstone and its purge are in order", async () => {
  const clone = fresh()
  clone.git("rm", "-q", "secrets/A.yaml")
  refusedWith(clone.tryGit("commit", "-m", "x"), "SECRET_MISSING", "secrets/A.yaml")
  clone.git("reset", "-q", "--hard")
  clone.coffer(["delete", "A", "--no-commit"])
  assert.is(clone.tryGit("commit", "-q", "-m", "x").status, 0)
  clone.git("rm", "-q", "secrets/A.yaml")
  assert.equal(await clone.staged(), [])
})

test("git mv of a secret, and an older version put back", async () => {
  const clone = fresh()
  clone.git("mv", "secrets/A.yaml", "secrets/Z.yaml")
  assert.equal(await clone.staged(), ["SECRET_MISSING secrets/A.yaml", "SECRET_MOVED secrets/Z.yaml"])
  clone.git("reset", "-q", "--hard")
  await clone.set("A", "second-5ekr1t")
  clone.git("checkout", "-q", "HEAD~1", "--", "secrets/A.yaml")
  assert.equal(await clone.staged(), ["ROLLED_BACK secrets/A.yaml"])
})

test("key records: changed, removed; the store's own files; the whole store", async () => {
  const clone = fresh()
  const record = clone.git("ls-files", "secrets/.coffer/keys").trim()
  const stage = async (change: () => void) => {
    clone.git("reset", "-q", "--hard")
    change()
    clone.git("add", "-A")
    return clone.staged()
  }
  const changed = await stage(() => appendFileSync(join(clone.dir, record), "# x\n"))
  assert.ok(changed.includes(`NOT_CANONICAL ${record}`), changed.join())
  const removed = await stage(() => rmSync(join(clone.dir, record)))
  assert.match(removed.join(), /PIN_MISMATCH/)
  const attributes = "secrets/prod/.gitattributes"
  assert.equal(await stage(() => clone.write(attributes, "* text\n")), [`NOT_CANONICAL ${attributes}`])
  rmSync(join(clone.dir, attributes))
  const own = "secrets/.gitattributes"
  assert.equal(await stage(() => clone.write(own, "* text\n")), [`NOT_CANONICAL ${own}`])
  const store = "SECRET_MISSING secrets/.coffer/store.yaml"
  assert.equal(await stage(() => rmSync(join(clone.dir, "secrets"), { recursive: true })), [store])
  assert.equal(await stage(() => clone.git("mv", "secrets", "vault")), [], "renamed whole")
})

type Disguise = [path: string, content: (real: string) => string | Uint8Array, code: string]

/** Files that pretend to be secrets, or lie where only secrets may. */
const disguises: Record<string, Disguise> = {
  "plaintext in the store": ["secrets/notes.txt", () => "plain\n", "NOT_CANONICAL"],
  "plaintext in a secret's place": ["secrets/C.yaml", () => "password: plain\n", "NOT_CANONICAL"],
  "attributes in a folder of another coffer": [
    "secrets/.coffer/notes/.gitattributes",
    () => "* text\n",
    "NOT_CANONICAL",
  ],
  "attributes where case does not count": [
    "secrets/.coffer/.GitAttributes",
    () => "* text\n",
    "NOT_CANONICAL",
  ],
  "an unknown folder": ["secrets/.coffer/notes/a.txt", () => "plain\n", "CHECK_INCOMPLETE"],
  "a magic first line": ["secrets/C.yaml", () => "coffer: secret/1\npassword: plain\n", "NEWER_FORMAT"],
  "plaintext behind a secret": ["secrets/A.yaml", real => `${real}password: plain\n`, "NEWER_FORMAT"],
  "a comment": ["secrets/A.yaml", real => real.replace("\n", "\n# plain\n"), "NOT_CANONICAL"],
  "a byte order mark": ["secrets/A.yaml", real => `\uFEFF${real}`, "NOT_CANONICAL"],
  CRLF: ["secrets/A.yaml", real => real.replaceAll("\n", "\r\n"), "NOT_CANONICAL"],
  "an empty file": ["secrets/A.yaml", () => "", "NOT_CANONICAL"],
  "a binary file": ["secrets/A.yaml", () => Uint8Array.from([0, 255, 0, 1]), "NOT_CANONICAL"],
  "a changed nonce": ["secrets/A.yaml", real => real.replace(/(nonce: \|\n {2}).{4}/, "$1AAAA"), "DAMAGED"],
}

test("files that are no secrets, in every disguise", async () => {
  const clone = fresh()
  const real = clone.read("secrets/A.yaml")
  for (const [title, [path, content, code]] of Object.entries(disguises)) {
    clone.write(path, content(real))
    clone.git("add", "-A")
    const { findings } = await guardCommit({ directory: clone.dir, env: clone.env })
    const found = findings.find(finding => finding.path === path)
    assert.equal([found?.level, found?.code], ["error", code], title)
    assert.match(found!.message, `"${path}"`, title)
    clone.git("reset", "-q", "--hard")
  }
})

test("a link and an executable in the store", async () => {
  const clone = fresh()
  rmSync(join(clone.dir, "secrets/A.yaml"))
  symlinkSync("prod/B.yaml", join(clone.dir, "secrets/A.yaml"))
  refusedWith(clone.tryGit("commit", "-a", "-m", "x"), "NOT_CANONICAL", "120000")
  clone.git("reset", "-q", "--hard")
  chmodSync(join(clone.dir, "secrets/A.yaml"), 0o755)
  clone.git("add", "-A")
  assert.equal(await clone.staged(), ["NOT_CANONICAL secrets/A.yaml"])
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

test("a clone without an identity checks all but the values, and says so", async () => {
  const clone = fresh({ XDG_CONFIG_HOME: join(scratch, "nobody") })
  clone.write("x", VALUE)
  clone.git("add", "-A")
  const run = clone.tryGit("commit", "-q", "-m", "x")
  assert.is(run.status, 0)
  assert.match(run.stderr, 'note: no identity here opens "secrets", so its values were not looked for')
  clone.write("key.txt", AGE_KEY)
  clone.write("secrets/A.yaml", "plain\n")
  clone.git("add", "-A")
  assert.equal(await clone.staged(), ["NOT_CANONICAL secrets/A.yaml", "PRIVATE_KEY key.txt"])
})

test("values too plain to be looked for are named", async () => {
  const clone = fresh()
  await clone.set("PLAIN", "production")
  clone.write("x", "production\n")
  clone.git("add", "-A")
  const { findings, notWatched, notes } = await guardCommit({ directory: clone.dir, env: clone.env })
  assert.equal({ findings, notWatched, notes }, { findings: [], notWatched: ["PLAIN"], notes: [] })
})

test("the allow list of the state that is committed; it does not cover the store", async () => {
  const clone = fresh()
  clone.write("test/.env", AGE_KEY)
  clone.write(".coffer.yaml", "scan:\n  allow:\n    - test/**\n    - secrets/**\n")
  clone.git("add", "test")
  assert.equal(await clone.staged(), ["DOTENV_FILE test/.env", "PRIVATE_KEY test/.env"])
  clone.git("add", "-A")
  assert.equal(await clone.staged(), [])
  clone.write("secrets/plain", "x")
  clone.git("add", "-A")
  assert.equal(await clone.staged(), ["NOT_CANONICAL secrets/plain"])
})

test("a repository without a store, and one before its first commit", async () => {
  const clone = new Clone(join(scratch, "empty"))
  mkdirSync(clone.dir)
  clone.git("init", "-q", "--template=")
  clone.write("key.txt", AGE_KEY)
  clone.git("add", "-A")
  assert.equal(await clone.staged(), ["PRIVATE_KEY key.txt"])
})

test("a write of coffer's that is not finished stands against a commit", async () => {
  const clone = fresh()
  clone.write("x", "fine\n")
  clone.git("add", "-A")
  const commonDir = join(clone.dir, ".git")
  await withStoreLock({ commonDir }, async () => {
    writeFileSync(join(commonDir, "coffer/journal"), '{"format":1,"token":"t","commit":null,"files":[]}')
    refusedWith(clone.tryGit("commit", "-m", "x"), "STORE_LOCKED", "not finished")
  })
  assert.is(clone.tryGit("commit", "-q", "-m", "x").status, 0, "the next one finishes it")
})

test("both back ends see the same", async () => {
  const clone = fresh()
  clone.write("x", VALUE)
  clone.write("secrets/plain.txt", "plain\n")
  clone.git("add", "-A")
  for (const git of ["system", "embedded"] as const) {
    const { findings } = await guardCommit({ directory: clone.dir, env: clone.env, git })
    const found = findings.map(({ code, path }) => `${code} ${path}`)
    assert.equal(found.sort(), ["NOT_CANONICAL secrets/plain.txt", "OWN_VALUE x"])
  }
})

test.run()
