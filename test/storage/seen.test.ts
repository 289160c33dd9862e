import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { describeOwner } from "../../src/storage/owned-lock.js"
import { readSeen, type SeenBranch, writeSeen } from "../../src/storage/seen.js"
import { codeThrown } from "../code-of.js"

const store = "0".repeat(32)
const other = "f".repeat(32)
const main = "refs/heads/main"
const a = "a".repeat(40)
const b = "b".repeat(64)

let dir = ""
test.before.each(() => {
  dir = mkdtempSync(join(tmpdir(), "coffer-seen-"))
})
test.after.each(() => rmSync(dir, { recursive: true, force: true }))

const path = () => join(dir, "coffer/seen")
const branch = (commit: string, upstream?: string, accepted: [string, string][] = []): SeenBranch => ({
  commit,
  upstream,
  accepted: new Map(accepted),
})
const write = (value: SeenBranch, { id = store, ref = main, repair = false } = {}) =>
  writeSeen(dir, { store: id, ref }, value, { patienceMs: 100, repair })

/** A lock as another process would have left it, `ageMs` ago. */
function plantLock(text: string, ageMs = 0): void {
  mkdirSync(join(dir, "coffer"), { recursive: true })
  writeFileSync(lock(), text)
  const then = new Date(Date.now() - ageMs)
  utimesSync(lock(), then, then)
}
const lock = () => `${path()}.lock`
const ownedBy = (change: object) => JSON.stringify({ ...describeOwner(), token: "other", ...change })

test("branches and stores are kept side by side", () => {
  assert.is(readSeen(dir, store, main), undefined)
  write(branch(a))
  write(branch(b, b, [["prod/X", "3-abc"]]), { ref: "refs/heads/fix/#1" })
  write(branch(b, a), { id: other })
  write(branch(a, b))
  assert.equal(readSeen(dir, store, main), branch(a, b))
  assert.equal(readSeen(dir, store, "refs/heads/fix/#1"), branch(b, b, [["prod/X", "3-abc"]]))
  assert.equal(readSeen(dir, other, main), branch(b, a))
  assert.is(readSeen(dir, other, "refs/heads/fix/#1"), undefined)
  // git refuses no white space but ASCII's in the name of a branch.
  const spaces = "refs/heads/a\u00a0b\u3000c\u2028d\ufeff"
  write(branch(a, b, [["A", "1-abc"]]), { ref: spaces })
  assert.equal(readSeen(dir, store, spaces), branch(a, b, [["A", "1-abc"]]))
})

test("a file that is not exactly ours is an error, not an empty one; repair starts anew", () => {
  write(branch(a, b, [["X", "missing"]]))
  const good = readFileSync(path(), "utf8")
  const bad = [
    "",
    good.trimEnd(),
    good.replace("seen/1", "seen/x"),
    good.replace(a, a.slice(1)),
    good.replace("branch ", "branches "),
    `${good}${good.split("\n")[1]}\n`,
    `${good}accepted ${other} ${main} X missing\n`,
    `${good}\n`,
  ]
  for (const text of bad) {
    writeFileSync(path(), text)
    assert.is(
      codeThrown(() => readSeen(dir, store, main)),
      "DAMAGED",
      text,
    )
    assert.is(
      codeThrown(() => write(branch(b))),
      "DAMAGED",
      text,
    )
  }
  writeFileSync(path(), good.replace("seen/1", "seen/2"))
  assert.is(
    codeThrown(() => readSeen(dir, store, main)),
    "NEWER_FORMAT",
  )
  write(branch(b), { repair: true })
  assert.equal(readSeen(dir, store, main), branch(b))
})

test("a process that has ended holds nobody up, and leaves no lock", () => {
  const { pid } = spawnSync(process.execPath, ["-e", "0"])
  plantLock(ownedBy({ pid }))
  write(branch(a))
  assert.equal(readSeen(dir, store, main), branch(a))
  assert.not.ok(existsSync(lock()))
})

test("one that has ended and was not waited for by its parent does not either", async () => {
  // Where pid 1 of a container waits for nobody, killed processes stay in the list like this one.
  const parent = spawn("sh", ["-c", "sleep 0 & echo $!; exec sleep 60"], {
    stdio: ["ignore", "pipe", "ignore"],
  })
  const [line] = await once(parent.stdout, "data")
  const pid = Number(line)
  const stat = () => readFileSync(`/proc/${pid}/stat`, "latin1").slice(-400).split(") ")[1]!.split(" ")
  while (stat()[0] !== "Z") await delay(10)
  plantLock(ownedBy({ pid, started: stat()[19] }))
  write(branch(a))
  parent.kill()
  assert.equal(readSeen(dir, store, main), branch(a))
})

test("a living one's lock is waited for, one that nobody can look at for five seconds", () => {
  for (const text of [ownedBy({}), ownedBy({ host: "elsewhere" }), ownedBy({ space: "pid:[1]" }), ""]) {
    plantLock(text)
    assert.is(
      codeThrown(() => write(branch(a))),
      "STORE_LOCKED",
      text,
    )
    assert.is(readFileSync(lock(), "utf8"), text)
    plantLock(text, 6_000)
    write(branch(b))
    assert.equal(readSeen(dir, store, main), branch(b))
    assert.not.ok(existsSync(lock()))
  }
})

test("it is as private as the git directory: others may use the clone, root in a container among them", () => {
  for (const mode of [0o755, 0o700, 0o770]) {
    rmSync(join(dir, "coffer"), { recursive: true, force: true })
    chmodSync(dir, mode)
    write(branch(a))
    assert.is(statSync(join(dir, "coffer")).mode & 0o777, mode)
    assert.is(statSync(path()).mode & 0o777, mode & 0o666)
  }
})

test("an unwritable folder is a typed error", () => {
  writeFileSync(join(dir, "coffer"), "in the way")
  assert.is(readSeen(dir, store, main), undefined)
  assert.is(
    codeThrown(() => write(branch(a))),
    "IO_FAILED",
  )
})

test.run()
