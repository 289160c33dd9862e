/** The program starts from what the build left, and does not depend on the bytecode that is kept with it. */
import { spawnSync } from "node:child_process"
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"

const folder = mkdtempSync(join(tmpdir(), "coffer-load-"))
for (const part of ["bin", "dist", "package.json"]) cpSync(part, join(folder, part), { recursive: true })
test.after(() => rmSync(folder, { recursive: true, force: true }))

const caches = readdirSync(join(folder, "dist"))
  .filter(name => name.endsWith(".cache"))
  .map(name => join(folder, "dist", name))

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(folder, "bin/coffer.js"), ...args], {
    cwd: folder,
    encoding: "utf8",
  })
  return { status, stdout, stderr }
}

test("the build keeps bytecode of both bundles", () => {
  assert.is(caches.length, 2)
})

test("bytecode of another V8, cut off, or not there: the program is the same", () => {
  const calls = [["--help"], ["get", "A"], ["list", "--json"]]
  const expected = calls.map(call => run(...call))
  assert.equal(
    expected.map(({ status }) => status),
    [0, 10, 10],
  )
  const whole = caches.map(path => readFileSync(path))
  const others = [
    // The second word is the hash of V8's version.
    (bytes: Buffer) => bytes.fill(0x5a, 4, 8),
    (bytes: Buffer) => bytes.subarray(0, 100),
    () => Buffer.alloc(0),
  ]
  for (const change of others) {
    for (const [index, path] of caches.entries()) writeFileSync(path, change(Buffer.from(whole[index]!)))
    assert.equal(
      calls.map(call => run(...call)),
      expected,
    )
  }
  for (const path of caches) rmSync(path)
  assert.equal(
    calls.map(call => run(...call)),
    expected,
  )
})

test("a program that was not built says so", () => {
  rmSync(join(folder, "dist"), { recursive: true })
  assert.equal(run("list"), {
    status: 1,
    stdout: "",
    stderr: "coffer: error: coffer is not built\ncoffer: hint: in its folder: npm ci && npm run build\n",
  })
})

test.run()
