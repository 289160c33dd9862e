import { test } from "uvu"
import * as assert from "uvu/assert"
import { GLOBALS } from "../../src/cli/globals.js"
import { startSession } from "../../src/cli/session.js"
import { askHidden, askYesNo } from "../../src/cli/terminal.js"
import { readValue, readValueIfAny } from "../../src/cli/value-input.js"
import { codeOf } from "../code-of.js"
import { type FakeOptions, fakeHost, globals } from "./fake-host.js"

function session(options: FakeOptions, more: object = {}) {
  const host = fakeHost([], options)
  return { host, session: startSession(host, { ...globals, ...more }) }
}

test("the table of global options has no option that this file forgets", () => {
  assert.equal(
    Object.keys(GLOBALS)
      .filter(key => !(key in globals))
      .sort(),
    ["git", "store"],
  )
})

test("only y and yes are a yes", async () => {
  for (const [answer, yes] of [
    ["y\n", true],
    ["YES\n", true],
    ["n\n", false],
    ["\n", false],
    ["", false],
    ["yo\n", false],
  ] as const) {
    assert.is(await askYesNo(session({ tty: true, stdin: [answer] }).session, "sure?"), yes)
  }
})

test("nobody is asked without a terminal, with --no-input or with COFFER_NO_INPUT", async () => {
  assert.is(await codeOf(askYesNo(session({ stdin: ["y\n"] }).session, "?")), "USAGE")
  assert.is(
    await codeOf(askYesNo(session({ tty: true, stdin: ["y\n"] }, { input: false }).session, "?")),
    "USAGE",
  )
  const env = { COFFER_NO_INPUT: "1" }
  assert.is(await codeOf(askYesNo(session({ tty: true, env, stdin: ["y\n"] }).session, "?")), "USAGE")
})

test("a hidden answer is read key by key, and the terminal is put back", async () => {
  const { host, session: asked } = session({
    tty: true,
    stdin: ["hunx", "\u007f", "ter", Buffer.from([0xc3]), Buffer.from([0xa9]), "\r"],
  })
  assert.is(Buffer.from(await askHidden(asked, "value: ")).toString(), "hunteré")
  assert.equal(host.raw, [true, false])
  assert.is(host.printed.stderr, "value: \n")
  assert.is(host.cleanups.size, 0)
})

test("what would be stored in part, or unseen, is refused, and the terminal is put back", async () => {
  for (const [keys, code] of [
    [["line 1\rline 2\r"], "USAGE"],
    [["a\u001b[D", "\r"], "USAGE"],
    [["abc\u0003"], "INTERRUPTED"],
    [["abc\u0004"], "INTERRUPTED"],
    [["abc"], "INTERRUPTED"],
  ] as const) {
    const { host, session: asked } = session({ tty: true, stdin: keys })
    assert.is(await codeOf(askHidden(asked, "value: ")), code)
    assert.equal(host.raw, [true, false])
  }
})

test("one line from stdin loses its one line ending; everything else is kept byte for byte", async () => {
  for (const [given, kept] of [
    ["abc\n", "abc"],
    ["abc\r\n", "abc"],
    ["abc", "abc"],
    ["abc\n\n", "abc\n\n"],
    ["a\nb\n", "a\nb\n"],
    [" a \n", " a "],
    ["\n", ""],
    ["", ""],
    ["a\r", "a\r"],
  ]) {
    const { session: piped, host } = session({ stdin: [given!] })
    const value = await readValue(piped, { name: "A", exact: false })
    assert.is(Buffer.from(value).toString(), kept)
    assert.is(host.printed.stderr !== "", kept === "", "only an empty value warns")
    const { session: exact } = session({ stdin: [given!] })
    assert.is(Buffer.from(await readValue(exact, { name: "A", exact: true })).toString(), given)
  }
})

test("a value is at most 1 MiB, and reading stops there", async () => {
  const chunk = Buffer.alloc(600 * 1024)
  const { session: piped } = session({ stdin: [chunk, chunk, chunk] })
  assert.is(await codeOf(readValue(piped, { name: "A", exact: false })), "LIMIT_EXCEEDED")
  const most = session({ stdin: [Buffer.alloc(1024 * 1024)] })
  assert.is((await readValue(most.session, { name: "A", exact: false })).length, 1024 * 1024)
})

test("on a terminal the value is asked for; where nobody can be asked, that is said", async () => {
  const { session: asked, host } = session({ tty: true, stdin: ["abc\r"] })
  assert.is(Buffer.from(await readValue(asked, { name: "A", exact: false })).toString(), "abc")
  assert.match(host.printed.stderr, '"A"')
  const { session: silent } = session({ tty: true }, { input: false })
  assert.is(await codeOf(readValue(silent, { name: "A", exact: false })), "USAGE")
})

test("with remarks alone no value is asked for, and an empty stdin is none", async () => {
  assert.is(await readValueIfAny(session({ tty: true }).session, { name: "A", exact: false }), undefined)
  assert.is(await readValueIfAny(session({}).session, { name: "A", exact: false }), undefined)
  assert.is((await readValueIfAny(session({ stdin: ["x"] }).session, { name: "A", exact: false }))?.length, 1)
})

test.run()
