import { rmSync } from "node:fs"
import { join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import type { CofferError } from "../../src/errors.js"
import { openStore } from "../../src/store/store.js"
import { readVariables } from "../../src/store/variables.js"
import { type Clone, fresh, makeTemplate, VALUE } from "./clones.js"

test.before(makeTemplate)

async function read(clone: Clone, ...prefixes: string[]): Promise<Record<string, string>> {
  const store = await openStore({ directory: clone.dir, env: clone.env })
  const variables = await readVariables(store, { prefixes })
  return Object.fromEntries([...variables].map(([name, { value }]) => [name, value]))
}

async function failure(promise: Promise<unknown>): Promise<CofferError> {
  return promise.then(
    () => assert.unreachable() as never,
    (error: CofferError) => error,
  )
}

test("names decide: root names by default, everything below each prefix", async () => {
  const clone = fresh()
  assert.equal(await read(clone), { A: VALUE })
  assert.equal(await read(clone, "prod"), { B: "other-5ekr1t" })
  assert.equal(await read(clone, "."), { A: VALUE, PROD_B: "other-5ekr1t" })
  await clone.set("dev/B", "dev-5ekr1t")
  assert.equal(await read(clone, "dev", "prod"), { B: "other-5ekr1t" })
  assert.equal(await read(clone, "prod", "dev"), { B: "dev-5ekr1t" })
})

test("deleted secrets are none; a prefix without secrets is an error", async () => {
  const clone = fresh()
  clone.coffer(["delete", "prod/B"])
  assert.equal(await read(clone, "."), { A: VALUE })
  assert.is((await failure(read(clone, "prod"))).code, "NOT_FOUND")
  assert.is((await failure(read(clone, "prd"))).code, "NOT_FOUND")
})

test("all or nothing: a binary value, a damaged file, a refused variable", async () => {
  const clone = fresh()
  await clone.set("bin", "a\0b")
  const binary = await failure(read(clone))
  assert.is(binary.code, "VALUE_INVALID")
  assert.match(binary.message, '"bin" is binary')
  assert.equal(await read(clone, "prod"), { B: "other-5ekr1t" })
  await clone.set("prod/path", "x")
  assert.is((await failure(read(clone, "prod"))).code, "NAME_INVALID")
  clone.git("reset", "-q", "--hard", "HEAD~1")
  clone.write("secrets/prod/B.yaml", clone.read("secrets/prod/B.yaml").replace("version: 1", "version: 2"))
  assert.is((await failure(read(clone, "prod"))).code, "DAMAGED")
})

test("all or nothing: a secret that is gone from the work tree, and one that a sparse checkout leaves out", async () => {
  const clone = fresh()
  await clone.set("C", "third")
  rmSync(join(clone.dir, "secrets/A.yaml"))
  const gone = await failure(read(clone))
  assert.is(gone.code, "SECRET_MISSING")
  assert.match(gone.message, "secrets/A.yaml")
  assert.equal(await read(clone, "prod"), { B: "other-5ekr1t" })
  clone.git("update-index", "--skip-worktree", "secrets/A.yaml")
  assert.equal(await read(clone), { A: VALUE, C: "third" })
})

test("all or nothing: a secret that git rm took out of the index too; a staged purge is in order", async () => {
  const clone = fresh()
  await clone.set("C", "third")
  clone.git("rm", "-q", "secrets/A.yaml")
  const gone = await failure(read(clone))
  assert.is(gone.code, "SECRET_MISSING")
  assert.match(gone.message, "secrets/A.yaml")
  assert.match(gone.hint!, "git checkout HEAD -- :/secrets/A.yaml")
  clone.git("checkout", "-q", "HEAD", "--", "secrets/A.yaml")
  clone.coffer(["delete", "C"])
  clone.coffer(["delete", "C", "--purge", "--no-commit"])
  assert.equal(await read(clone), { A: VALUE })
})

test.run()
