import { test } from "uvu"
import * as assert from "uvu/assert"
import type { Introduced } from "../../../src/storage/git/git.js"
import { openGit } from "../../../src/storage/git/open.js"
import { env, freshFolder, git, KINDS, makeRepository, write } from "./repositories.js"

function commitFile(folder: string, path: string, text: string): string {
  write(folder, path, text)
  git(folder, "add", "-A")
  git(folder, "commit", "-q", "-m", path)
  return git(folder, "rev-parse", "HEAD").trim()
}

async function gather(
  folder: string,
  kind: (typeof KINDS)[number],
  commits: string[],
): Promise<readonly Introduced[]> {
  return (await openGit(folder, env, kind)).introduced(commits)
}

/** A side branch, a merge that changes things by itself, a deletion, a mode and a link. */
function makeHistory(): { folder: string; commits: string[] } {
  const folder = makeRepository()
  const first = git(folder, "rev-parse", "HEAD").trim()
  git(folder, "checkout", "-q", "-b", "side")
  const side = commitFile(folder, "src/side name\tü", "side")
  git(folder, "checkout", "-q", "main")
  const main = commitFile(folder, "README", "changed\n")
  git(folder, "merge", "-q", "--no-commit", "side")
  const merge = commitFile(folder, "evil", "made by the merge")
  git(folder, "rm", "-q", "README")
  git(folder, "update-index", "--chmod=+x", "evil")
  git(folder, "commit", "-q", "-m", "gone")
  git(folder, "reset", "-q", "--hard")
  const gone = git(folder, "rev-parse", "HEAD").trim()
  git(folder, "checkout", "-q", "-b", "clean", "side")
  const other = commitFile(folder, "d/e", "x")
  git(folder, "merge", "-q", "-m", "clean", "main")
  const clean = git(folder, "rev-parse", "HEAD").trim()
  return { folder, commits: [clean, other, gone, merge, main, side, first] }
}

test("both back ends tell what each commit brought", async () => {
  const { folder, commits } = makeHistory()
  const [system, embedded] = [
    await gather(folder, "system", commits),
    await gather(folder, "embedded", commits),
  ]
  assert.equal(embedded, system)
  assert.equal(
    system.map(({ commit }) => commit),
    commits,
  )
  const paths = system.map(({ files }) => files.map(({ path, mode }) => `${mode} ${path}`))
  assert.equal(paths.slice(0, -1), [
    [],
    ["100644 d/e"],
    ["100755 evil"],
    ["100644 evil"],
    ["100644 README"],
    ["100644 src/side name\tü"],
  ])
  assert.is(paths.at(-1)!.length, 5, "a first commit brings everything")
  assert.equal(
    system.map(({ parents }) => parents.length),
    [2, 1, 1, 2, 1, 1, 0],
  )
})

for (const kind of KINDS) {
  test(`${kind}: at the edge of a shallow clone a commit brings everything`, async () => {
    const { folder } = makeHistory()
    const clone = freshFolder()
    git(clone, "clone", "-q", "--depth", "1", "--branch", "main", `file://${folder}`, "c")
    const at = `${clone}/c`
    const [only, none] = await gather(at, kind, [git(at, "rev-parse", "HEAD").trim()])
    assert.is(none, undefined)
    assert.equal(only!.parents, [])
    assert.ok(only!.files.length > 3)
  })

  test(`${kind}: nothing is asked for nothing`, async () => {
    assert.equal(await gather(makeRepository(), kind, []), [])
  })
}

test.run()
