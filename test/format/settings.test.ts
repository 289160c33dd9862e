import { test } from "uvu"
import * as assert from "uvu/assert"
import { encodeUtf8 } from "../../src/encoding.js"
import { CofferError, type ErrorCode } from "../../src/errors.js"
import { parseSettings, parseUserConfig } from "../../src/format/settings.js"

const settings = (text: string) => parseSettings(encodeUtf8(text))
const config = (text: string) => parseUserConfig(encodeUtf8(text))

test("settings of a repository", async () => {
  assert.equal(await settings(""), {})
  assert.equal(await settings("# nothing yet\n"), {})
  assert.equal(await settings("store: ops/secrets\n"), { store: "ops/secrets" })
  assert.equal(await settings("store: vault # ours\nscan:\n  allow: [test/**, '*.md']\n"), {
    store: "vault",
    scan: { allow: ["test/**", "*.md"] },
  })
})

test("the short way for one line gives what YAML gives", async () => {
  for (const value of ["secrets", "a.b/c-d", "0x", "1a", "nullable", "e5"]) {
    assert.equal(await settings(`store: ${value}\n`), await settings(`---\nstore: ${value}\n`), value)
  }
  for (const value of ["null", "true", "1e3", "0x1f", "12", "1.5", "~"]) {
    await refused(settings(`store: ${value}\n`), "SETTING_INVALID")
  }
})

test("the user's configuration", async () => {
  assert.equal(await config("editor: [code, --wait]\nidentities: ['~/keys/a.txt']\n"), {
    editor: ["code", "--wait"],
    identities: ["~/keys/a.txt"],
  })
})

test("what names a group, a command, a host or a key is no setting of a repository", async () => {
  for (const field of ["group", "groups", "editor", "identities", "command", "pin", "recipients", "Store"]) {
    const error = await refused(settings(`${field}: x\n`), "SETTING_UNKNOWN")
    assert.match(error.message, `"${field}"`)
    assert.match(error.hint!, field === "Store" ? 'did you mean "store"' : "known here: store, scan")
  }
  const error = await refused(settings("scan:\n  alow: [x]\n"), "SETTING_UNKNOWN")
  assert.match(error.hint!, 'did you mean "allow"')
  await refused(settings('"a\\u001b[2J": 1\n'), "SETTING_UNKNOWN")
  await refused(settings("__proto__: {store: x}\n"), "SETTING_UNKNOWN")
  await refused(settings("constructor: x\n"), "SETTING_UNKNOWN")
})

test("only plain YAML 1.2", async () => {
  const wrong = [
    "store: [a]\n",
    "store: ''\n",
    "scan: x\n",
    "scan: {allow: x}\n",
    "scan: {allow: [1]}\n",
    "- store\n",
    "store: &a x\nscan: {allow: [*a]}\n",
    "store: !run x\n",
    "<<: {store: x}\n",
    "store: a\nstore: b\n",
    "%YAML 1.1\n---\nstore: x\n",
    "store: a\n---\nstore: b\n",
    "store: 'x\n",
    `scan: ${"[".repeat(40)}${"]".repeat(40)}\n`,
    `scan: ${"[".repeat(60_000)}\n`,
  ]
  for (const text of wrong) {
    const error = await settings(text).catch(error => error)
    assert.instance(error, CofferError, text.slice(0, 40))
    const codes: ErrorCode[] = ["SETTING_INVALID", "SETTING_UNKNOWN"]
    assert.ok(codes.includes(error.code), text.slice(0, 40))
  }
  await refused(parseSettings(Buffer.from([0x73, 0xff])), "SETTING_INVALID")
})

async function refused(promise: Promise<unknown>, code: ErrorCode): Promise<CofferError> {
  const error: unknown = await promise.catch(error => error)
  if (!(error instanceof CofferError)) throw new Error(`accepted: ${JSON.stringify(error)}`)
  assert.is(error.code, code, error.message)
  return error
}

test.run()
