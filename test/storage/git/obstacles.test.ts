/** What lies where coffer keeps its own files in the git directory is never followed, waited for or written through. */
import { execFileSync } from "node:child_process"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { dirname, join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { CofferError } from "../../../src/errors.js"
import { openGit } from "../../../src/storage/git/open.js"
import { codeOf, commit, env, freshFolder, git, KINDS, makeRepository, open, write } from "./repositories.js"

for (const kind of KINDS) {
  test(`${kind}: a file in place of our folder: reading goes on, a write is refused and says what to do`, async () => {
    const folder = makeRepository()
    write(folder, ".git/coffer", "mine\n")
    const opened = await open(folder, kind)
    assert.is(opened.hasJournal(), false)
    assert.ok((await opened.head()).commit)
    try {
      await commit(opened, { "secrets/A.yaml": "second\n" })
      assert.unreachable()
    } catch (error) {
      assert.ok(error instanceof CofferError)
      assert.is(error.code, "IO_FAILED")
      assert.match(error.hint ?? "", /^move it away/)
    }
    assert.is(readFileSync(join(folder, ".git/coffer"), "utf8"), "mine\n")
  })

  test(`${kind}: a link in place of our folder: nothing is written where it leads`, async () => {
    const folder = makeRepository()
    const outside = freshFolder()
    symlinkSync(outside, join(folder, ".git/coffer"))
    const opened = await open(folder, kind)
    assert.is(await codeOf(commit(opened, { "secrets/A.yaml": "second\n" })), "IO_FAILED")
    assert.equal(readdirSync(outside), [])
  })

  for (const name of ["journal", "lock"]) {
    test(`${kind}: a pipe in place of our ${name} is refused without waiting for it`, async () => {
      const folder = makeRepository()
      mkdirSync(join(folder, ".git/coffer"))
      execFileSync("mkfifo", [join(folder, ".git/coffer", name)])
      const done = async () => commit(await open(folder, kind), { "secrets/A.yaml": "second\n" })
      assert.is(await codeOf(done()), "IO_FAILED")
    })
  }

  test(`${kind}: temporary files are new ones, and never a link's target`, async () => {
    const folder = makeRepository()
    const outside = join(freshFolder(), "outside")
    writeFileSync(outside, "outside\n")
    mkdirSync(join(folder, ".git/coffer"))
    for (const name of ["journal.tmp", "COMMIT_EDITMSG"])
      symlinkSync(outside, join(folder, ".git/coffer", name))
    if (kind === "system") {
      write(folder, ".git/hooks/commit-msg", "#!/bin/sh\n:\n")
      chmodSync(join(folder, ".git/hooks/commit-msg"), 0o755)
    }
    await commit(await open(folder, kind), { "secrets/A.yaml": "second\n" })
    assert.is(readFileSync(outside, "utf8"), "outside\n")
    assert.is(git(folder, "show", "HEAD:secrets/A.yaml"), "second\n")
  })

  test(`${kind}: a pipe or a link that takes a work file's place is no file of ours`, async () => {
    for (const make of [
      (path: string) => execFileSync("mkfifo", [path]),
      (path: string) => symlinkSync("/dev/zero", path),
    ]) {
      const folder = makeRepository()
      make(join(folder, "secrets/D.yaml"))
      const opened = await open(folder, kind)
      assert.is(await codeOf(commit(opened, { "secrets/D.yaml": "D\n" })), "GIT_DIRTY")
      assert.is(existsSync(join(folder, ".git/index.lock")), false)
    }
  })

  test(`${kind}: an index that is read-only is replaced, as git does`, async () => {
    const folder = makeRepository()
    const index = join(folder, ".git", "index")
    chmodSync(index, 0o400)
    const opened = await open(folder, kind)
    await commit(opened, { "secrets/A.yaml": "second\n" })
    assert.is(statSync(index).mode & 0o600, 0o600)
    assert.is(git(folder, "status", "--porcelain"), "")
  })

  test(`${kind}: what looks like an option is no revision`, async () => {
    const opened = await open(makeRepository(), kind)
    for (const revision of ["--all", "-q", "--git-dir", "--verify"])
      assert.is(await opened.find(revision), undefined)
    assert.ok(await opened.find("HEAD"))
  })
}

test("a git that cannot be started any more is an error with a code", async () => {
  const folder = makeRepository()
  const program = join(freshFolder(), "git")
  const own = { ...env, PATH: `${dirname(program)}:${env.PATH}` }
  writeFileSync(program, `#!/bin/sh\nPATH='${env.PATH}' exec git "$@"\n`, { mode: 0o755 })
  const opened = await openGit(folder, own, "system")
  const { commit: head } = await opened.head()
  chmodSync(program, 0o644)
  assert.is(await codeOf(opened.entries(head!, "secrets")), "GIT_FAILED")
})

test.run()
