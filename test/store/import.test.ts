import { test } from "uvu"
import * as assert from "uvu/assert"
import { type CofferError, hasCode } from "../../src/errors.js"
import { findInGit, importDotenv } from "../../src/store/import.js"
import { getSecret, listSecrets } from "../../src/store/secrets.js"
import { openStore } from "../../src/store/store.js"
import { readVariables } from "../../src/store/variables.js"
import { type Clone, fresh, makeTemplate } from "./clones.js"

test.before(makeTemplate)

const AT = new Date("2030-01-02T03:04:05Z")
const open = (clone: Clone) => openStore({ directory: clone.dir, env: clone.env })

async function importText(
  clone: Clone,
  text: string,
  request: { prefix?: string; force?: boolean; dryRun?: boolean } = {},
) {
  return importDotenv(await open(clone), { content: Buffer.from(text), at: AT, ...request })
}

async function failure(promise: Promise<unknown>): Promise<CofferError> {
  return promise.then(
    () => assert.unreachable() as never,
    (error: CofferError) => error,
  )
}

test("one commit for all; what is the same is not written again", async () => {
  const clone = fresh()
  const before = clone.git("rev-list", "--count", "HEAD")
  const first = await importText(clone, "URL=postgres://x\nTOKEN='a b'\n")
  assert.equal(first.secrets, [
    { name: "URL", version: 1 },
    { name: "TOKEN", version: 1 },
  ])
  assert.is(Number(clone.git("rev-list", "--count", "HEAD")), Number(before) + 1)
  const second = await importText(clone, "URL=postgres://x\nTOKEN='a b'\nNEW=1\n")
  assert.equal(second.secrets, [{ name: "NEW", version: 1 }])
  assert.equal(second.unchanged, ["URL", "TOKEN"])
  const third = await importText(clone, "URL=postgres://x\n")
  assert.equal([third.changed, third.commit, third.secrets], [false, null, []])
})

test("another value is refused, all or nothing, until it is forced", async () => {
  const clone = fresh()
  await importText(clone, "URL=one-5ekr1t\nTOKEN=t\n")
  const head = clone.git("rev-parse", "HEAD")
  const error = await failure(importText(clone, "NEW=1\nURL=two-5ekr1t\nTOKEN=u\n"))
  assert.is(error.code, "EXISTS")
  assert.match(error.message, '"URL", "TOKEN" have another value here')
  assert.not.match(error.message, "5ekr1t")
  assert.is(clone.git("rev-parse", "HEAD"), head)
  const forced = await importText(clone, "NEW=1\nURL=two-5ekr1t\n", { force: true })
  assert.equal(forced.secrets, [
    { name: "NEW", version: 1 },
    { name: "URL", version: 2 },
  ])
})

test("below a prefix; a name that gives another variable keeps it as meta", async () => {
  const clone = fresh()
  await importText(clone, "database_url=x\nPLAIN=y\n", { prefix: "app/dev" })
  const store = await open(clone)
  const names = (await listSecrets(store, { prefix: "app" })).map(({ name, meta }) => [name, meta.get("env")])
  assert.equal(names.sort(), [
    ["app/dev/PLAIN", undefined],
    ["app/dev/database_url", "database_url"],
  ])
  const variables = await readVariables(store, { prefixes: ["app/dev"] })
  assert.equal([...variables.keys()].sort(), ["PLAIN", "database_url"])
})

test("a dry run says what would be done and does nothing", async () => {
  const clone = fresh()
  const head = clone.git("rev-parse", "HEAD")
  const { secrets, commit } = await importText(clone, "A=new\nNEW=1\n", { dryRun: true, force: true })
  assert.equal(secrets, [
    { name: "A", version: 2 },
    { name: "NEW", version: 1 },
  ])
  assert.is(commit, null)
  assert.is(clone.git("rev-parse", "HEAD"), head)
  assert.is(clone.git("status", "--porcelain"), "")
})

test("bytes come back as the file meant them", async () => {
  const clone = fresh()
  await importText(clone, 'K="line one\nline two\n"\nD=a$b$(id)\n')
  const store = await open(clone)
  const value = async (name: string) =>
    Buffer.from((await getSecret(store, { name: name as never })).value).toString()
  assert.is(await value("K"), "line one\nline two\n")
  assert.is(await value("D"), "a$b$(id)")
})

test("what cannot be a secret is refused by its line, without its value", async () => {
  const clone = fresh()
  const cases: [content: string | Uint8Array, message: RegExp][] = [
    ["A=1\nNODE_OPTIONS=--5ekr1t\n", /^line 2 sets NODE_OPTIONS, which decides/],
    ["_UNDER=5ekr1t\n", /^line 1 sets "_UNDER", which gives no name/],
    ["B='5ekr1t\n", /^line 1 opens a quote/],
    [Buffer.from("A=1\n", "utf16le"), /^line 1 |control character|not UTF-8/],
    [Uint8Array.from([65, 61, 255]), /not UTF-8/],
  ]
  for (const [content, message] of cases) {
    const store = await open(clone)
    const error = await failure(importDotenv(store, { content: Buffer.from(content), at: AT }))
    assert.ok(hasCode(error, "IMPORT_INVALID"))
    assert.match(error.message, message)
    assert.not.match(`${error.message}${error.hint}`, "5ekr1t")
  }
})

test("warnings name line and key", async () => {
  const clone = fresh()
  const { warnings } = await importText(clone, "X=1\nY=a$b\n")
  assert.equal(warnings, [{ line: 2, key: "Y", kind: "dollar" }])
})

test("where git has the file", async () => {
  const clone = fresh()
  const store = await open(clone)
  const knows = (path: string) => findInGit(store, `${clone.dir}/${path}`)
  clone.write(".env", "A=1\n")
  assert.is(await knows(".env"), "none")
  assert.is(await knows("../.env"), "none")
  clone.git("add", "-f", ".env")
  assert.is(await knows(".env"), "staged")
  clone.sneak("env")
  assert.is(await knows(".env"), "tracked")
  clone.git("rm", "-q", "--cached", ".env")
  clone.git("commit", "-q", "--no-verify", "-m", "gone")
  assert.is(await knows(".env"), "history")
})

test.run()
