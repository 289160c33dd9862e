import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import {
  forgetStore,
  locateState,
  readLocalState,
  type StateChange,
  type StateLocation,
  type StateRecord,
  updateLocalState,
} from "../../src/storage/local-state.js"
import { codeThrown } from "../code-of.js"

const key = { id: "0".repeat(32), folder: "secrets" }
const other = { id: "1".repeat(32), folder: "secrets" }
const module = new URL("../../src/storage/local-state.js", import.meta.url).href

let home = ""
let location: StateLocation
test.before.each(() => {
  home = mkdtempSync(join(tmpdir(), "coffer-state-"))
  location = locateState({ stateHome: undefined, home, place: home })
})
test.after.each(() => rmSync(home, { recursive: true, force: true }))

function record(text: string, ...parents: StateRecord[]): StateRecord {
  const bytes = Buffer.from(text)
  const sha256 = createHash("sha256").update(bytes).digest("hex")
  return { group: "default", sha256, parents: parents.map(parent => parent.sha256), bytes }
}

function moved(tip: StateRecord, ...rest: StateRecord[]): StateChange {
  return { newest: new Map([["default", [tip.sha256]]]), records: [tip, ...rest], verified: [tip.sha256] }
}

const update = (change: StateChange, as = key) => updateLocalState(location, as, change, 1000)
const newest = () => readLocalState(location, key).newest.get("default")?.[0]

const first = record("first")
const second = record("second", first)
const third = record("third", second)
const fork = record("fork", first)

test("nothing is remembered where nothing was written, and reading writes nothing", () => {
  const state = readLocalState(location, key)
  assert.is(state.pin, undefined)
  assert.is(state.newest.size + state.verified.size + state.records.size, 0)
  assert.not(existsSync(location.path))
})

test("pin, newest records with their ancestors, and verified hashes come back", () => {
  update({ pin: "coffer1-1-abc", ...moved(second, first) })
  const state = readLocalState(location, key)
  assert.is(state.pin, "coffer1-1-abc")
  assert.is(newest(), second.sha256)
  assert.ok(state.verified.has(second.sha256))
  assert.equal([...state.records.keys()].sort(), [first.sha256, second.sha256].sort())
  assert.equal(Buffer.from(state.records.get(first.sha256)!).toString(), "first")
  assert.is(statSync(location.path).mode & 0o777, 0o600)
})

test("newest moves to a descendant only", () => {
  update(moved(second, first))
  update(moved(first))
  assert.is(newest(), second.sha256)
  update(moved(fork, first))
  assert.is(newest(), second.sha256)
  update(moved(third, second, first))
  assert.is(newest(), third.sha256)
  update({ ...moved(first), accept: true })
  assert.is(newest(), first.sha256)
  assert.equal([...readLocalState(location, key).records.keys()], [first.sha256])
})

test("of a diverged keyring no record is newest", () => {
  const tips = [second.sha256, fork.sha256]
  update({ newest: new Map([["default", tips]]), records: [first, second, fork], verified: tips })
  assert.is(newest(), undefined)
  assert.throws(() => update(moved(third)), TypeError)
})

test("a change that says nothing new does not rewrite the file", () => {
  update({ pin: "p", ...moved(first) })
  const before = statSync(location.path).ino
  update({ pin: "p", ...moved(first) })
  assert.is(statSync(location.path).ino, before)
})

test("another store under the same folder is refused until reset, and its id under another folder is known", () => {
  update({ pin: "p", ...moved(first) })
  assert.is(
    codeThrown(() => readLocalState(location, other)),
    "STORE_CHANGED",
  )
  assert.is(
    codeThrown(() => update({ pin: "q" }, other)),
    "STORE_CHANGED",
  )
  assert.is(readLocalState(location, { ...key, folder: "vault" }).pin, "p")
  forgetStore(location, other)
  assert.is(readLocalState(location, other).pin, undefined)
  assert.is(readLocalState(location, key).pin, undefined)
})

test("two stores of one clone are kept apart", () => {
  const beside = { id: other.id, folder: "vault" }
  update({ pin: "p", ...moved(second, first) })
  update({ pin: "q", ...moved(fork, first) }, beside)
  forgetStore(location, key)
  assert.is(readLocalState(location, beside).pin, "q")
  assert.is(readLocalState(location, beside).records.size, 2)
})

test("a clone is known by its real path; XDG_STATE_HOME counts only if absolute", () => {
  mkdirSync(join(home, "a/.git"), { recursive: true })
  symlinkSync(join(home, "a"), join(home, "b"))
  const at = (place: string, stateHome?: string) => locateState({ stateHome, home, place })
  assert.is(at(join(home, "a/.git")).path, at(join(home, "b/.git")).path)
  assert.is(at(home).place, realpathSync(home))
  assert.match(at(home, "/x").path, /^\/x\/coffer\/[0-9a-f]{32}\.jsonl$/)
  assert.match(at(home, "x").path, join(home, ".local/state/coffer"))
  assert.is(
    codeThrown(() => at(join(home, "none"))),
    "IO_FAILED",
  )
})

test("a damaged file is an error that says so, never an empty state; reset is the way out", () => {
  update({ pin: "p", ...moved(second, first) })
  const good = readFileSync(location.path, "utf8")
  const [head, ...lines] = good.trimEnd().split("\n")
  const bad = [
    "",
    "{}\n",
    good.slice(0, head!.length),
    good.replace('"pin":"p"', '"pin":1'),
    good.replace('"folders":{', '"folders":{"x":"y",'),
    good.replace('"verified":["', '"verified":["x'),
    good.replace(`"place":"${location.place}"`, '"place":"/elsewhere"'),
    `null\n`,
    "\u{ff}",
  ]
  for (const text of bad) {
    writeFileSync(location.path, text, "latin1")
    assert.is(
      codeThrown(() => readLocalState(location, key)),
      "DAMAGED",
      text,
    )
    assert.is(
      codeThrown(() => update({ pin: "q" })),
      "DAMAGED",
      text,
    )
  }
  const badRecords = [
    `${head}\n${lines[0]}\n`,
    `${head}\n`,
    `${good}{"store":`,
    good.replace('"text":"first"', '"text":"forged"'),
    good.replace('"parents":["', '"parents":["a'),
  ]
  for (const text of badRecords) {
    writeFileSync(location.path, text)
    assert.is(
      codeThrown(() => readLocalState(location, key).records),
      "DAMAGED",
      text,
    )
  }
  writeFileSync(location.path, good.replace("state/1", "state/2"))
  assert.is(
    codeThrown(() => readLocalState(location, key)),
    "NEWER_FORMAT",
  )
  forgetStore(location, key)
  assert.is(readLocalState(location, key).pin, undefined)
})

test("a folder that cannot be written is an error of the update alone", () => {
  mkdirSync(join(home, ".local/state"), { recursive: true })
  writeFileSync(join(home, ".local/state/coffer"), "in the way")
  assert.is(readLocalState(location, key).pin, undefined)
  assert.is(
    codeThrown(() => update({ pin: "p" })),
    "IO_FAILED",
  )
})

test("a live lock is waited for, one left by a killed process is taken over", () => {
  update({ pin: "p" })
  const lock = `${location.path}.lock`
  writeFileSync(lock, "")
  assert.is(
    codeThrown(() => updateLocalState(location, key, { pin: "q" }, 40)),
    "STORE_LOCKED",
  )
  assert.is(readLocalState(location, key).pin, "p")
  utimesSync(lock, new Date(0), new Date(0))
  update({ pin: "q" })
  assert.is(readLocalState(location, key).pin, "q")
  assert.not(existsSync(lock))
})

test("processes that write at once lose nothing of each other", async () => {
  const hashes = Array.from({ length: 40 }, (_, index) => record(`r${index}`).sha256)
  const script = `
    const { updateLocalState } = await import(${JSON.stringify(module)})
    for (const hash of process.argv.slice(1)) {
      updateLocalState(${JSON.stringify(location)}, ${JSON.stringify(key)}, { verified: [hash] }, 20000)
    }`
  const run = (part: readonly string[]) =>
    new Promise(resolve => {
      spawn(process.execPath, ["--input-type=module", "-e", script, "--", ...part], { stdio: "inherit" }).on(
        "close",
        resolve,
      )
    })
  const statuses = await Promise.all([0, 1, 2, 3].map(part => run(hashes.slice(part * 10, part * 10 + 10))))
  assert.equal(statuses, [0, 0, 0, 0])
  assert.equal([...readLocalState(location, key).verified].sort(), [...hashes].sort())
})

test.run()
