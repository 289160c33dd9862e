/** One commit in every shape of repository: our paths changed, everything of the user's as it was. */
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, statSync, unlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import {
  AT,
  codeOf,
  commit,
  env,
  freshFolder,
  fsck,
  git,
  KINDS,
  leftovers,
  makeRepository,
  makeUserWork,
  open,
  userState,
  write,
} from "./repositories.js"

/** The folder to work in, and what of the shape the embedded back end refuses by name. */
interface Shape {
  readonly name: string
  readonly make: () => string
  readonly embedded?: "refuses"
}

function configured(...settings: string[]): string {
  const folder = makeRepository()
  for (const setting of settings) git(folder, "config", ...setting.split("="))
  return folder
}

const SHAPES: readonly Shape[] = [
  { name: "plain", make: makeRepository },
  {
    name: "packed refs and objects",
    make() {
      const folder = makeRepository()
      git(folder, "gc", "-q")
      return folder
    },
  },
  {
    name: "detached HEAD",
    make() {
      const folder = makeRepository()
      git(folder, "checkout", "-q", "--detach")
      return folder
    },
  },
  {
    name: "linked worktree",
    make() {
      const folder = `${freshFolder()}/linked`
      git(makeRepository(), "worktree", "add", "-q", folder)
      return folder
    },
  },
  {
    name: "submodule",
    make() {
      const folder = makeRepository()
      git(folder, "submodule", "--quiet", "add", makeRepository(), "sub")
      return join(folder, "sub")
    },
  },
  {
    name: "repository with a submodule",
    make() {
      const folder = makeRepository()
      git(folder, "submodule", "--quiet", "add", makeRepository(), "sub")
      git(folder, "commit", "-q", "-m", "sub")
      return folder
    },
  },
  {
    name: "split index",
    embedded: "refuses",
    make() {
      const folder = configured("core.splitIndex=true")
      git(folder, "update-index", "--split-index")
      return folder
    },
  },
  { name: "index version 4", make: () => configured("index.version=4", "feature.manyFiles=true") },
  {
    name: "untracked cache",
    make() {
      const folder = configured("core.untrackedCache=true")
      git(folder, "update-index", "--untracked-cache")
      git(folder, "status")
      return folder
    },
  },
  {
    name: "sparse checkout",
    make() {
      const folder = makeRepository()
      write(folder, "away/deep/file", "x\n")
      git(folder, "add", "away")
      git(folder, "commit", "-q", "-m", "away")
      git(folder, "sparse-checkout", "set", "--no-sparse-index", "--no-cone", "/*", "!/away/")
      return folder
    },
  },
  {
    name: "sparse index",
    embedded: "refuses",
    make() {
      const folder = makeRepository()
      write(folder, "away/deep/file", "x\n")
      git(folder, "add", "away")
      git(folder, "commit", "-q", "-m", "away")
      git(folder, "sparse-checkout", "set", "--cone", "--sparse-index", "secrets", "src")
      return folder
    },
  },
  { name: "SHA-256", embedded: "refuses", make: () => makeRepository("--object-format=sha256") },
  { name: "shared with a group", make: () => makeRepository("--shared=group") },
  {
    name: "a path with blanks and quotes",
    make() {
      const folder = join(freshFolder(), `a "b" ü'c`)
      mkdirSync(folder)
      git(makeRepository(), "clone", "-q", ".", folder)
      return folder
    },
  },
]

for (const kind of KINDS) {
  test(`${kind}: a git commit that had read the index before puts it back: nothing of the write is undone`, async () => {
    const folder = makeRepository()
    const index = join(folder, ".git/index")
    const read = readFileSync(index)
    const opened = await open(folder, kind, step => {
      if (step === "index-unlocked") writeFileSync(index, read)
    })
    await commit(opened, {
      "secrets/A.yaml": "second\n",
      "secrets/B.yaml": null,
      "secrets/new/D.yaml": "D\n",
    })
    assert.is(git(folder, "status", "--porcelain"), "")
    assert.equal(leftovers(folder), [])
  })

  test(`${kind}: what the user changed in the moment in which the index was written stays changed`, async () => {
    const folder = makeRepository()
    const file = join(folder, "racy")
    // Git compares whole seconds: add and change within one, or it was no race.
    for (let changed = false; !changed; ) {
      writeFileSync(file, "one\n")
      git(folder, "add", "racy")
      writeFileSync(file, "two\n")
      changed = [file, join(folder, ".git/index")].every(
        path => Math.floor(statSync(path).mtimeMs / 1000) === Math.floor(Date.now() / 1000),
      )
    }
    const opened = await open(folder, kind)
    await commit(opened, { "secrets/A.yaml": "second\n" })
    await new Promise(later => setTimeout(later, 1100))
    await commit(opened, { "secrets/A.yaml": "third\n" })
    assert.is(git(folder, "status", "--porcelain"), "AM racy\n")
  })

  for (const shape of SHAPES) {
    test(`${kind}: ${shape.name}`, async () => {
      const folder = shape.make()
      makeUserWork(folder)
      git(folder, "status")
      const before = userState(folder)
      const untouched = userState(folder, "none")
      const head = git(folder, "rev-parse", "HEAD").trim()
      const branch = git(folder, "rev-parse", "--abbrev-ref", "HEAD")
      const files = {
        "secrets/A.yaml": "second A\n",
        "secrets/prod/C.yaml": null,
        "secrets/new/deep/D.yaml": "D\n",
      }
      if (kind === "embedded" && shape.embedded === "refuses") {
        const attempt = async () => commit(await open(folder, kind), files)
        assert.is(await codeOf(attempt()), "GIT_UNSUPPORTED")
        assert.equal([userState(folder, "none"), git(folder, "rev-parse", "HEAD").trim()], [untouched, head])
        assert.equal(leftovers(folder), [])
        return
      }
      const opened = await open(join(folder, "secrets"), kind)
      const id = await commit(opened, files, { message: "Set A\n\nbody\n" })
      // Before anything has refreshed the index: git's own "reset --keep" and "merge --abort" go by it as it is.
      if (shape.embedded !== "refuses")
        assert.is(git(folder, "diff-files", "--name-only", "--", "secrets"), "", "not taken for changed")

      assert.equal(userState(folder), before)
      assert.equal(git(folder, "rev-parse", "HEAD").trim(), id)
      assert.equal(git(folder, "rev-parse", "HEAD^").trim(), head)
      assert.equal(git(folder, "rev-parse", "--abbrev-ref", "HEAD"), branch)
      assert.equal(
        git(folder, "diff-tree", "-r", "--name-status", "--no-renames", head, id),
        "M\tsecrets/A.yaml\nA\tsecrets/new/deep/D.yaml\nD\tsecrets/prod/C.yaml\n",
      )
      assert.equal(git(folder, "status", "--porcelain", "--", "secrets"), "")
      assert.equal(
        git(folder, "log", "-1", "--format=%an <%ae> %cn %at %B").trim(),
        `Ann Other <ann@example.com> Ann Other ${AT.getTime() / 1000} Set A\n\nbody`,
      )
      assert.match(git(folder, "reflog", "-1", "--format=%H %gs"), new RegExp(`^${id} commit: Set A`))
      assert.equal(readFileSync(join(folder, "secrets/A.yaml"), "utf8"), "second A\n")
      assert.not.ok(existsSync(join(folder, "secrets/prod")))
      assert.equal(leftovers(folder), [])
      fsck(folder)
    })
  }

  test(`${kind}: a message is tidied as git does it, and is not empty`, async () => {
    const folder = makeRepository()
    const opened = await open(folder, kind)
    for (const [n, message] of ["Set A", "\n\nSet A  \n\n\n\n  body\t\r\n\n"].entries()) {
      await commit(opened, { "secrets/A.yaml": `${n}\n` }, { message })
      const [, kept] = git(folder, "cat-file", "commit", "HEAD").split(/\n\n(.*)/s)
      assert.is(kept, execFileSync("git", ["stripspace"], { input: message, encoding: "utf8" }))
    }
    for (const message of ["", " \n\t\n"])
      assert.is(await codeOf(commit(opened, { "secrets/A.yaml": "x\n" }, { message })), "VALUE_INVALID")
    assert.equal(git(folder, "status", "--porcelain"), "")
  })

  test(`${kind}: unborn HEAD`, async () => {
    const folder = freshFolder()
    git(folder, "init", "-q")
    write(folder, "staged", "x\n")
    git(folder, "add", "staged")
    const opened = await open(folder, kind)
    assert.equal(await opened.head(), { ref: "refs/heads/main", commit: null })
    const id = await commit(opened, { "secrets/A.yaml": "A\n" })
    assert.equal(git(folder, "rev-list", "HEAD").trim(), id)
    assert.equal(git(folder, "status", "--porcelain"), "A  staged\n")
    assert.match(git(folder, "reflog", "-1"), "commit (initial): Set A")
    await commit(opened, { "secrets/A.yaml": null })
    assert.equal(git(folder, "ls-tree", "-r", "HEAD"), "")
    fsck(folder)
  })

  test(`${kind}: a store that sparse checkout leaves out stays out`, async () => {
    const folder = makeRepository()
    git(folder, "sparse-checkout", "set", "--no-cone", "/src/")
    const opened = await open(folder, kind)
    const id = await commit(opened, { "secrets/A.yaml": "second A\n" })
    assert.not.ok(existsSync(join(folder, "secrets")))
    assert.equal(git(folder, "status", "--porcelain"), "")
    assert.match(git(folder, "ls-files", "-t", "secrets/A.yaml"), "S secrets/A.yaml")
    assert.equal(git(folder, "show", `${id}:secrets/A.yaml`), "second A\n")
  })

  test(`${kind}: many files at once`, async () => {
    const folder = makeRepository()
    makeUserWork(folder)
    const before = userState(folder)
    const names = Array.from({ length: 500 }, (_, n) => `secrets/many/${n % 7}/S${n}.yaml`)
    const opened = await open(folder, kind)
    await commit(opened, Object.fromEntries(names.map(name => [name, `${name}\n`])))
    await commit(
      opened,
      Object.fromEntries(names.map(name => [name, name.includes("/3/") ? null : "again\n"])),
    )
    assert.equal(userState(folder), before)
    assert.equal(git(folder, "status", "--porcelain", "secrets"), "")
    assert.equal(
      git(folder, "ls-files", "secrets/many").split("\n").length - 1,
      names.filter(name => !name.includes("/3/")).length,
    )
    assert.equal(leftovers(folder), [])
    fsck(folder)
  })

  test(`${kind}: files are made as they are written; where one cannot be, nothing has changed`, async () => {
    const folder = makeRepository()
    const opened = await open(folder, kind)
    const { commit: base } = await opened.head()
    const paths = Array.from({ length: 300 }, (_, n) => `secrets/S${n}.yaml`)
    const made: string[] = []
    const change = (until: number) => ({
      base,
      message: "many",
      at: AT,
      verify: true,
      files: {
        keys: () => paths,
        async *entries() {
          for (const path of paths.slice(0, until)) {
            await new Promise(later => setImmediate(later))
            made.push(path)
            // Together more than a pipe holds: git has been given some of it by then.
            yield [path, Buffer.from(`${path}\n`.repeat(100))] as const
          }
          if (until < paths.length) throw new RangeError("cannot be made")
        },
      },
    })
    write(folder, "secrets/S7.yaml", "in the way\n")
    assert.is(await codeOf(opened.commit(change(300))), "GIT_DIRTY")
    assert.equal(made, [], "refused before any file is made")
    unlinkSync(join(folder, "secrets/S7.yaml"))
    assert.match(await codeOf(opened.commit(change(200))), "cannot be made")
    assert.is(git(folder, "rev-parse", "HEAD").trim(), base)
    assert.is(git(folder, "status", "--porcelain"), "")
    assert.equal(leftovers(folder), [])
    await opened.commit(change(300))
    assert.is(git(folder, "show", "HEAD:secrets/S299.yaml"), "secrets/S299.yaml\n".repeat(100))
    assert.is(git(folder, "status", "--porcelain"), "")
    assert.equal(leftovers(folder), [])
    fsck(folder)
  })

  test(`${kind}: shared permissions and the umask are honoured`, async () => {
    const folder = makeRepository("--shared=group")
    const umask = process.umask(0o077)
    try {
      const opened = await open(folder, kind)
      await commit(opened, { "secrets/A.yaml": "second A\n" })
    } finally {
      process.umask(umask)
    }
    const mode = (path: string) => statSync(join(folder, path)).mode & 0o7777
    assert.is(mode("secrets/A.yaml"), 0o600)
    assert.is(mode(".git/index") & 0o060, 0o060)
    assert.is(mode(".git/refs/heads/main") & 0o060, 0o060)
    assert.is(mode(".git/coffer") & 0o2070, 0o2070)
    const blob = git(folder, "rev-parse", "HEAD:secrets/A.yaml").trim()
    assert.is(mode(`.git/objects/${blob.slice(0, 2)}/${blob.slice(2)}`) & 0o040, 0o040)
  })

  test(`${kind}: what it cannot do is refused by name`, async () => {
    if (kind === "system") return
    for (const shape of SHAPES.filter(candidate => candidate.embedded === "refuses")) {
      const folder = shape.make()
      assert.is(
        await codeOf(open(folder, kind).then(opened => commit(opened, { "secrets/A.yaml": "x\n" }))),
        "GIT_UNSUPPORTED",
      )
      assert.equal(git(folder, "status", "--porcelain"), "")
    }
  })
}

test("git is found on absolute paths only, and nothing that a repository names is started", async () => {
  const folder = makeRepository()
  write(folder, "git", `#!/bin/sh\ntouch "${folder}/started"\n`)
  git(folder, "update-index", "--chmod=+x", "--add", "git")
  git(folder, "checkout", "-f", "-q", "--", ".")
  const { openGit } = await import("../../../src/storage/git/open.js")
  await openGit(folder, { ...env, PATH: `:.:bin:${env.PATH}` }, "system")
  git(folder, "config", "core.fsmonitor", `${folder}/git`)
  git(folder, "config", "diff.external", `${folder}/git`)
  git(folder, "config", "core.pager", `${folder}/git`)
  git(folder, "config", "core.hooksPath", folder)
  const opened = await open(folder, "system")
  await opened.changes(null, "index", "")
  await opened.entries("index", "")
  assert.not.ok(existsSync(join(folder, "started")))
})

test.run()
