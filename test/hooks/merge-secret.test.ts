/** The merge driver against the rule that `coffer resolve` uses, and as git runs it. */
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { suite } from "uvu"
import * as assert from "uvu/assert"
import { installMergeDriver } from "../../src/storage/merge-driver.js"
import { compareRules, DRIVER, plainSide, printSide, runDriver, type Side } from "./merge-triples.js"

const test = suite<{ dir: string }>("merge-secret")
const SEED = 20260103

test.before.each(context => {
  context.dir = realpathSync(mkdtempSync(join(tmpdir(), "coffer merge ")))
})
test.after.each(({ dir }) => rmSync(dir, { recursive: true, force: true }))

test("settles what the rule settles, as the rule does", ({ dir }) => {
  const { taken, differ } = compareRules(dir, 200, SEED)
  assert.equal(differ, [], `seed ${SEED}`)
  assert.ok(
    [...taken.values()].length === 3 && [...taken.values()].every(count => count > 8),
    "all outcomes occur",
  )
})

test("what is no secret file is a conflict, with ours whole", ({ dir }) => {
  const good = fc.sample(plainSide, 1)[0]!
  const other = printSide({ ...good, version: 3 })
  const text = printSide(good)
  const broken = [
    "",
    `coffer: secret/2\n${text.slice(text.indexOf("\n") + 1)}`,
    text.replaceAll("\n", "\r\n"),
    `\uFEFF${text}`,
    ` ${text}`,
    text.replace(/^key: .*$/m, 'key: "1x-aa"'),
    text.replace(/^key: .*$/m, ""),
    "coffer: key/1\n",
    "\0\0\0",
  ]
  const results = runDriver(dir, [
    ...broken.map(ours => [text, ours, text] as const),
    ...broken.map(theirs => [text, text, theirs] as const),
    ...broken.map(base => [base, text, other] as const),
  ])
  results.forEach(({ status, result }, index) => {
    const ours = index < broken.length ? broken[index] : text
    assert.equal({ status, result }, { status: 1, result: ours }, `case ${index}`)
  })
})

test("a broken key number on both sides is no tie", ({ dir }) => {
  const text = printSide(fc.sample(plainSide, 1)[0]!).replace(/^key: .*$/m, 'key: "1x-aa"')
  assert.equal(runDriver(dir, [[text, text, text]]), [{ status: 1, result: text }])
})

test("variables of the caller's environment do not reach the rule", ({ dir }) => {
  const [side] = fc.sample(plainSide, 1)
  const [ours, theirs] = [printSide({ ...side!, version: 1 }), printSide({ ...side!, version: 2 })]
  writeFileSync(join(dir, "base"), "")
  writeFileSync(join(dir, "ours"), ours)
  writeFileSync(join(dir, "theirs"), theirs)
  const [secret] = [`store: "${side!.store}" name: "${side!.name}" `]
  const env = { ...process.env, base_secret: secret, base_value: `version: 1 digest: "${side!.digest}" ` }
  assert.is(spawnSync("sh", [DRIVER, "base", "ours", "theirs"], { cwd: dir, env }).status, 1)
})

test("git merges by it: one side rotated, the other set", ({ dir }) => {
  const git = (...args: string[]) => {
    const run = spawnSync("git", ["-c", "user.name=a", "-c", "user.email=a@b", ...args], {
      cwd: dir,
      encoding: "utf8",
      // The user's own settings may sign commits or run hooks.
      env: { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null" },
    })
    return { status: run.status, output: run.stdout + run.stderr }
  }
  git("init", "-q", "-b", "main")
  installMergeDriver(join(dir, ".git"), ["secrets"], process.cwd())
  mkdirSync(join(dir, "secrets"))
  const side = { ...fc.sample(plainSide, 1)[0]!, name: "A", version: 1, digest: "d1", key: "1-aaaaaaaa" }
  const write = (change: Partial<Side>) => {
    writeFileSync(join(dir, "secrets/A.yaml"), printSide({ ...side, ...change }))
    git("add", ".")
    git("commit", "-qm", "x")
  }
  write({})
  git("checkout", "-qb", "rotated")
  write({ key: "2-bbbbbbbb", sealed: 5 })
  git("checkout", "-qb", "set", "main")
  write({ version: 2, digest: "d2" })
  git("checkout", "-qb", "other", "main")
  write({ version: 2, digest: "d3" })

  git("checkout", "-q", "rotated")
  assert.is(git("merge", "-q", "set").status, 0)
  assert.is(
    readFileSync(join(dir, "secrets/A.yaml"), "utf8"),
    printSide({ ...side, version: 2, digest: "d2" }),
  )
  const { status, output } = git("merge", "-q", "other")
  assert.is(status, 1)
  assert.match(output, "CONFLICT")
  assert.is(
    readFileSync(join(dir, "secrets/A.yaml"), "utf8"),
    printSide({ ...side, version: 2, digest: "d2" }),
  )
})

test.run()
