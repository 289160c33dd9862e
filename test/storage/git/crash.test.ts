/** Writes that are killed, or fail, at every step: done or undone, and never a secret put back to an older version. */
import { spawn } from "node:child_process"
import { cpSync, existsSync, linkSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { blobId } from "../../../src/storage/git/object.js"
import type { Step } from "../../../src/storage/git/write.js"
import {
  codeOf,
  commit,
  copyOf,
  fsck,
  git,
  KINDS,
  type Kind,
  leftovers,
  makeRepository,
  open,
  toFiles,
  write,
} from "./repositories.js"

const STEPS: readonly (readonly [Step, number])[] = [
  ["checked", 0],
  ["objects", 0],
  ["journal", 0],
  ["files-prepared", 0],
  ["index-locked", 0],
  ["index-prepared", 0],
  ["ref-locked", 0],
  ["index", 0],
  ["work-file", 0],
  ["work-file", 1],
  ["work-files", 0],
  ["ref", 0],
  ["index-unlocked", 0],
]

/** What the killed write does to the store, as blob ids: "second" is acknowledged, "third" is on its way. */
const OLD = { A: id("second\n"), B: id("first B\n"), D: undefined }
const NEW = { A: id("third\n"), B: undefined, D: id("D\n") }
const STAGED_BEFORE = { ...OLD, A: id("staged before\n") }
const CHANGE = { "secrets/A.yaml": "third\n", "secrets/B.yaml": null, "secrets/new/D.yaml": "D\n" }

function id(text: string): string {
  return blobId(Buffer.from(text), 40)
}

function makeStore(): string {
  return copyOf("crash", folder => {
    cpSync(makeRepository(), folder, { recursive: true })
    write(folder, "secrets/A.yaml", "second\n")
    git(folder, "commit", "-q", "-am", "second")
    write(folder, "staged", "staged\n")
    git(folder, "add", "staged")
    write(folder, "README", "edited\n")
  })
}

/** What the user has staged and edited beside the store. */
function userWork(folder: string): string {
  return git(folder, "status", "--porcelain=v2", "--", ".", ":(exclude)secrets")
}

/** Runs a writer that kills itself; with children, git's own processes die in the same moment. */
function die(
  folder: string,
  kind: Kind,
  what: "commit" | "stage",
  step: Step,
  count: number,
  withChildren: boolean,
) {
  const script = fileURLToPath(new URL("writer-process.js", import.meta.url))
  const child = spawn(process.execPath, [script, "die", folder, kind, what, step, String(count)], {
    detached: true,
    stdio: "ignore",
    env: { ...process.env, WITH_CHILDREN: withChildren ? "1" : "0" },
  })
  return new Promise<string | null>(resolve => child.on("close", (_, signal) => resolve(signal)))
}

function contents(find: (path: string) => string | undefined) {
  return { A: find("secrets/A.yaml"), B: find("secrets/B.yaml"), D: find("secrets/new/D.yaml") }
}

function inHead(folder: string) {
  const list = git(folder, "ls-tree", "-r", "HEAD", "secrets")
  return contents(path => new RegExp(`([0-9a-f]{40})\t${path}$`, "m").exec(list)?.[1])
}

function inIndex(folder: string) {
  const list = git(folder, "ls-files", "-s", "secrets")
  return contents(path => new RegExp(`([0-9a-f]{40}) 0\t${path}$`, "m").exec(list)?.[1])
}

function inWorkTree(folder: string) {
  return contents(path =>
    existsSync(join(folder, path)) ? id(readFileSync(join(folder, path), "utf8")) : undefined,
  )
}

function removeLocksByHand(folder: string): void {
  for (const lock of ["index.lock", "HEAD.lock", "refs/heads/main.lock"])
    rmSync(join(folder, ".git", lock), { force: true })
}

for (const kind of KINDS) {
  for (const [step, count] of STEPS) {
    const hasChildren = kind === "system" && ["ref-locked", "index", "work-file", "work-files"].includes(step)
    for (const withChildren of hasChildren ? [false, true] : [false]) {
      const name = `${kind}: killed at ${step} ${count}${withChildren ? " with its children" : ""}`
      test(`${name}: the next command recovers`, async () => {
        const folder = makeStore()
        const before = userWork(folder)
        assert.is(await die(folder, kind, "commit", step, count, withChildren), "SIGKILL")
        const isDone = step === "ref" || step === "index-unlocked"
        const opened = await open(folder, kind)
        assert.is(opened.hasJournal(), false)
        for (const found of [inHead(folder), inIndex(folder), inWorkTree(folder)]) {
          assert.equal(found, isDone ? NEW : OLD)
        }
        await commit(opened, { "secrets/A.yaml": "fourth\n" })
        assert.equal(userWork(folder), before)
        assert.equal(leftovers(folder), [])
        if (withChildren) fsck(folder)
      })
    }
    const isVisible = STEPS.findIndex(([name]) => name === step) >= 6
    // What the user then meets is the same from both back ends, the locks on refs apart.
    for (const all of isVisible ? (kind === "system" ? [false, true] : [true]) : []) {
      test(`${kind}: killed at ${step} ${count}: locks removed by hand and git commit${all ? " -a" : ""} put nothing back`, async () => {
        const folder = makeStore()
        await die(folder, kind, "commit", step, count, true)
        const wasDone = inHead(folder).A === NEW.A
        removeLocksByHand(folder)
        git(folder, "commit", "-q", all ? "-am" : "-m", "the user's own")
        const after = inHead(folder)
        const isNew = after.A === NEW.A
        assert.equal(after, isNew ? NEW : OLD, "the whole write, or nothing of it")
        assert.ok(isNew || !wasDone)
        const opened = await open(folder, kind)
        assert.is(opened.hasJournal(), false)
        assert.equal(inIndex(folder), inHead(folder))
        assert.equal(inWorkTree(folder), inHead(folder))
        assert.equal(leftovers(folder), [])
      })
    }
    test(`${kind}: the step after ${step} ${count} fails`, async () => {
      const folder = makeStore()
      const before = userWork(folder)
      let left = count
      const opened = await open(folder, kind, reached => {
        if (reached !== step || left-- !== 0) return
        throw Object.assign(new Error("injected"), { code: "ENOSPC" })
      })
      const outcome = await codeOf(commit(opened, CHANGE))
      const isDone = step === "ref" || step === "index-unlocked"
      assert.is(outcome, isDone ? "no error" : "IO_FAILED")
      for (const found of [inHead(folder), inIndex(folder), inWorkTree(folder)]) {
        assert.equal(found, isDone ? NEW : OLD)
      }
      assert.equal(userWork(folder), before)
      assert.equal(leftovers(folder), [])
    })
  }

  const stageSteps = kind === "system" ? ["journal", "index-locked", "index-prepared"] : []
  stageSteps.push("index", "work-file", "work-files", "index-unlocked")
  for (const [step, count] of STEPS.filter(([name]) => stageSteps.includes(name))) {
    test(`${kind}: a staged change killed at ${step} ${count} is there whole or not at all`, async () => {
      const folder = makeStore()
      const first = await open(folder, kind)
      await first.stage({ files: toFiles({ "secrets/A.yaml": "staged before\n" }) })
      await die(folder, kind, "stage", step, count, true)
      const opened = await open(folder, kind)
      assert.is(opened.hasJournal(), false)
      const found = inIndex(folder)
      assert.equal(found, found.A === NEW.A ? NEW : STAGED_BEFORE)
      assert.equal(inWorkTree(folder), found)
      await opened.exclusively(async () => {})
      assert.equal(inHead(folder), OLD)
      assert.equal(leftovers(folder), [])
    })
  }

  test(`${kind}: killed while the lock on a ref was being made, under both of its names`, async () => {
    const folder = makeStore()
    await die(folder, kind, "commit", "ref-locked", 0, true)
    const head = join(folder, ".git/HEAD.lock")
    const to = JSON.parse(readFileSync(join(folder, ".git/coffer/journal"), "utf8")).commit.to
    if (kind === "embedded") linkSync(head, join(folder, `.git/coffer/ref-lock-${to}`))
    const opened = await open(folder, kind)
    assert.is(existsSync(head), false)
    assert.equal(inHead(folder), OLD)
    assert.is(opened.hasJournal(), false)
    assert.equal(leftovers(folder), [])
  })

  if (kind === "system") {
    test("system: a lock on the ref of a killed fast-import goes with the next write", async () => {
      const folder = makeStore()
      const lock = join(folder, ".git/refs/coffer/write.lock")
      write(folder, ".git/refs/coffer/write.lock", "")
      await commit(await open(folder, kind), { "secrets/A.yaml": "third\n" })
      assert.is(existsSync(lock), false)
    })

    const unwritten: readonly (readonly [string, (branch: string, head: string) => void, boolean])[] = [
      ["both", branch => writeFileSync(branch, ""), true],
      ["HEAD's alone", branch => rmSync(branch), true],
      ["another's beside it", branch => writeFileSync(branch, `${"1".repeat(40)}\n`), false],
      [
        "both, from before",
        (branch, head) => {
          writeFileSync(branch, "")
          for (const lock of [branch, head]) utimesSync(lock, 1e9, 1e9)
        },
        false,
      ],
    ]
    for (const [what, change, areOurs] of unwritten) {
      test(`system: killed while git made its locks on refs: ${what}, empty`, async () => {
        const folder = makeStore()
        await die(folder, kind, "commit", "ref-locked", 0, true)
        const locks = [join(folder, ".git/refs/heads/main.lock"), join(folder, ".git/HEAD.lock")] as const
        change(...locks)
        const before = locks.filter(existsSync)
        const opened = await open(folder, kind)
        assert.equal(locks.filter(existsSync), areOurs ? [] : before)
        assert.equal(inHead(folder), OLD)
        if (areOurs) await commit(opened, { "secrets/A.yaml": "fourth\n" })
      })
    }
  }

  test(`${kind}: recovery leaves alone what the user did meanwhile, and locks that are not ours`, async () => {
    const folder = makeStore()
    await die(folder, kind, "commit", "work-files", 0, true)
    removeLocksByHand(folder)
    write(folder, "secrets/A.yaml", "edited by hand\n")
    git(folder, "reset", "-q", "--", "secrets/new/D.yaml")
    write(folder, ".git/index.lock", "")
    const reader = await open(folder, kind)
    assert.ok(reader.hasJournal())
    assert.is(await codeOf(commit(reader, { "secrets/E.yaml": "E\n" })), "GIT_LOCKED")
    assert.is(readFileSync(join(folder, ".git/index.lock"), "utf8"), "")
    removeLocksByHand(folder)
    const opened = await open(folder, kind)
    assert.not.ok(opened.hasJournal())
    assert.equal(inIndex(folder), OLD)
    assert.equal(inWorkTree(folder), { ...OLD, A: id("edited by hand\n") })
  })
}

test.run()
