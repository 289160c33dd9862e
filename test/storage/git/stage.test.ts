/** Changes without a commit: for `--no-commit`, and for settling conflicts in the middle of a merge. */
import { readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import {
  codeOf,
  git,
  gitFails,
  KINDS,
  leftovers,
  makeRepository,
  makeUserWork,
  open,
  toFiles,
  userState,
  write,
} from "./repositories.js"

for (const kind of KINDS) {
  test(`${kind}: stages, and the next one replaces it`, async () => {
    const folder = makeRepository()
    makeUserWork(folder)
    const [before, head] = [userState(folder), git(folder, "rev-parse", "HEAD")]
    const opened = await open(folder, kind)
    await opened.stage({
      files: toFiles({ "secrets/A.yaml": "second\n", "secrets/B.yaml": null, "secrets/D.yaml": "D\n" }),
    })
    await opened.stage({ files: toFiles({ "secrets/A.yaml": "third\n", "secrets/D.yaml": "D2\n" }) })
    assert.equal(userState(folder), before)
    assert.equal(git(folder, "rev-parse", "HEAD"), head)
    assert.equal(
      git(folder, "status", "--porcelain", "--no-renames", "secrets"),
      "M  secrets/A.yaml\nD  secrets/B.yaml\nA  secrets/D.yaml\n",
    )
    assert.equal(git(folder, "show", ":secrets/A.yaml"), "third\n")
    assert.equal(leftovers(folder), [])
  })

  test(`${kind}: what is staged already is not written again, what is so only in part is`, async () => {
    const folder = makeRepository()
    const opened = await open(folder, kind)
    const change = { files: toFiles({ "secrets/A.yaml": "second\n", "secrets/B.yaml": null }) }
    assert.is(await opened.stage(change), true)
    const index = readFileSync(join(folder, ".git/index"))
    assert.is(await opened.stage(change), false)
    assert.equal(readFileSync(join(folder, ".git/index")), index)
    assert.equal(leftovers(folder), [])
    rmSync(join(folder, "secrets/A.yaml"))
    assert.is(await opened.stage(change), true)
    assert.is(readFileSync(join(folder, "secrets/A.yaml"), "utf8"), "second\n")
    git(folder, "update-index", "--chmod=+x", "secrets/A.yaml")
    assert.is(await opened.stage(change), true)
    assert.match(git(folder, "ls-files", "-s", "secrets/A.yaml"), /^100644 /)
  })

  test(`${kind}: paths are clean where index and work tree are as HEAD has them`, async () => {
    const folder = makeRepository()
    const opened = await open(folder, kind)
    const { commit: base } = await opened.head()
    const paths = ["secrets/A.yaml", "secrets/prod/C.yaml"]
    await opened.requireClean(base, paths)
    await opened.requireClean(base, ["secrets/NONE.yaml"])
    write(folder, "secrets/A.yaml", "edited\n")
    assert.is(await codeOf(opened.requireClean(base, paths)), "GIT_DIRTY")
    git(folder, "add", "secrets/A.yaml")
    assert.is(await codeOf(opened.requireClean(base, paths)), "GIT_DIRTY")
    await opened.requireClean(base, ["secrets/prod/C.yaml"])
    git(folder, "commit", "-q", "-m", "edited")
    assert.is(await codeOf(opened.requireClean(base, paths)), "GIT_MOVED")
  })

  test(`${kind}: an edit that git has no copy of is not written over`, async () => {
    const folder = makeRepository()
    write(folder, "secrets/A.yaml", "edited\n")
    const opened = await open(folder, kind)
    assert.is(await codeOf(opened.stage({ files: toFiles({ "secrets/A.yaml": "second\n" }) })), "GIT_DIRTY")
    assert.is(readFileSync(join(folder, "secrets/A.yaml"), "utf8"), "edited\n")
  })

  test(`${kind}: settles a conflict in a merge, which git then completes`, async () => {
    const folder = makeRepository()
    git(folder, "checkout", "-q", "-b", "other")
    write(folder, "secrets/A.yaml", "theirs\n")
    git(folder, "rm", "-q", "secrets/B.yaml")
    git(folder, "commit", "-q", "-am", "theirs")
    git(folder, "checkout", "-q", "main")
    write(folder, "secrets/A.yaml", "ours\n")
    write(folder, "secrets/B.yaml", "ours\n")
    git(folder, "commit", "-q", "-am", "ours")
    gitFails(folder, "merge", "other")
    const opened = await open(folder, kind)
    const stages = []
    for (const entry of await opened.entries("index", "secrets")) stages.push(`${entry.path} ${entry.stage}`)
    assert.equal(stages, [
      "secrets/A.yaml 1",
      "secrets/A.yaml 2",
      "secrets/A.yaml 3",
      "secrets/B.yaml 1",
      "secrets/B.yaml 2",
      "secrets/prod/C.yaml 0",
    ])
    await opened.stage({ files: toFiles({ "secrets/A.yaml": "merged\n", "secrets/B.yaml": null }) })
    assert.equal(git(folder, "ls-files", "-u"), "")
    git(folder, "commit", "-q", "-m", "merge")
    assert.equal(git(folder, "show", "HEAD:secrets/A.yaml"), "merged\n")
    assert.equal(git(folder, "rev-list", "--parents", "-1", "HEAD").split(" ").length, 3)
  })
}

test.run()
