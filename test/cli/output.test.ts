import { test } from "uvu"
import * as assert from "uvu/assert"
import { type Command, defineCommand } from "../../src/cli/command.js"
import { runMain } from "../../src/cli/main.js"
import { reportError, runCommand } from "../../src/cli/output.js"
import { type Session, startSession } from "../../src/cli/session.js"
import { askYesNo } from "../../src/cli/terminal.js"
import { CofferError } from "../../src/errors.js"
import { type FakeOptions, fakeHost, globals } from "./fake-host.js"

const sample = defineCommand({
  name: "sample",
  summary: "a command that returns what a hostile repository could hold",
  errors: [],
  examples: [],
  run: async () => ({ name: "a\u001b[31m\u202eb", bytes: new Uint8Array([27, 0, 255]) }),
  text: ({ name }) => `${name}\n`,
  json: ({ name }) => ({ name }),
  complaints: () => [
    new CofferError("CONFLICTED", "a\n\u001b]0;title\u0007coffer: error: forged", { hint: "b" }),
  ],
  status: () => 13,
})

async function run(command: Command, options: FakeOptions = {}, more: object = {}) {
  const host = fakeHost([], options)
  const status = await runCommand(startSession(host, { ...globals, ...more }), command, () => ({}))
  return { status, ...host.printed }
}

test("text is made safe, and lines of others cannot pose as ours", async () => {
  const { status, stdout, stderr } = await run(sample)
  assert.is(status, 13)
  assert.is(stdout, "a\\u{1b}[31m\\u{202e}b\n")
  assert.is(stderr, "coffer: error: a\n  \\u{1b}]0;title\\u{7}coffer: error: forged\ncoffer: hint: b\n")
})

test("bytes are printed as they are", async () => {
  const { bytes } = await run({ ...sample, text: ({ bytes }: { bytes: Uint8Array }) => bytes })
  assert.equal([...Buffer.concat(bytes)], [27, 0, 255])
})

test("JSON is one line that means the same, and nothing where there is nothing to say", async () => {
  const { stdout, stderr } = await run(sample, {}, { json: true })
  assert.is(stdout, '{"name":"a\\u001b[31m\\u202eb"}\n')
  assert.is(stderr, "")
  assert.is((await run({ ...sample, json: () => undefined }, {}, { json: true })).stdout, "")
})

test("a fault of the disk that nothing names is no bug of ours", () => {
  const fault = Object.assign(new Error("EIO: i/o error, fsync"), {
    code: "EIO",
    syscall: "fsync",
    errno: -5,
  })
  const host = fakeHost([])
  assert.is(reportError(host, fault, { json: false, debug: false }), 14)
  assert.match(host.printed.stderr, /^coffer: error: cannot fsync "a file": EIO\ncoffer: hint: /)
  const wrong = Object.assign(new TypeError("wrong"), { code: "ERR_INVALID_ARG_TYPE" })
  assert.is(reportError(fakeHost([]), wrong, { json: false, debug: false }), 1)
})

test("an error is told in one form for people and in one for programs", () => {
  const error = new CofferError("NOT_FOUND", "there is no secret", { hint: "coffer list" })
  const host = fakeHost([])
  assert.is(reportError(host, error, { json: false, debug: false }), 10)
  assert.is(host.printed.stderr, "coffer: error: there is no secret\ncoffer: hint: coffer list\n")
  const other = fakeHost([])
  assert.is(reportError(other, error, { json: true, debug: false, status: 125 }), 125)
  assert.equal(JSON.parse(other.printed.stderr), {
    error: { code: "NOT_FOUND", message: "there is no secret", hint: "coffer list", exit: 125 },
  })
})

test("any other error is a bug, whose text is not shown: it may quote a value", () => {
  for (const debug of [false, true]) {
    const host = fakeHost([])
    const error = new SyntaxError('Unexpected token in "hunter2"')
    assert.is(reportError(host, error, { json: false, debug }), 1)
    assert.match(host.printed.stderr, "please report it")
    assert.not.match(host.printed.stderr, "hunter2")
    assert.is(/output\.test/.test(host.printed.stderr), debug)
  }
})

test("colour only on a terminal that wants it", () => {
  const shown = (options: FakeOptions) => {
    const host = fakeHost([], options)
    reportError(host, new CofferError("USAGE", "x"), { json: false, debug: false })
    return host.printed.stderr.includes("\u001b[")
  }
  assert.equal(
    [{}, { tty: true }, { tty: true, env: { NO_COLOR: "1" } }, { tty: true, env: { TERM: "dumb" } }].map(
      shown,
    ),
    [false, true, false, false],
  )
})

test("notes are for people who watch, warnings for everybody", () => {
  const said = (options: FakeOptions, more: object = {}) => {
    const host = fakeHost([], options)
    const session = startSession(host, { ...globals, ...more })
    session.note("note")
    session.warn("warning")
    session.openOptions().note?.("note: from the store")
    return host.printed.stderr
  }
  assert.is(said({}), "coffer: warning: warning\ncoffer: note: from the store\n")
  assert.match(said({ tty: true }), /^note\n/)
  assert.not.match(said({ tty: true }, { quiet: true }), /^note\n/)
})

test("with --json notes are kept: an error has them, a result is followed by them", async () => {
  const noting = (end: () => object) => ({
    ...sample,
    run: async ({ warn, openOptions }: Session) => {
      warn("a\u001b[31m")
      openOptions().note?.("note: from the store")
      return end()
    },
    complaints: () => [],
  })
  const fails = noting(() => {
    throw new CofferError("NOT_FOUND", "there is no secret", { hint: "coffer list" })
  })
  const failed = await run(fails, {}, { json: true })
  assert.is(failed.stdout, "")
  assert.equal(JSON.parse(failed.stderr), {
    error: {
      code: "NOT_FOUND",
      message: "there is no secret",
      hint: "coffer list",
      exit: 10,
      notes: ["warning: a\u001b[31m", "note: from the store"],
    },
  })
  assert.is(failed.stderr.split("\n").length, 2)
  const done = await run(
    noting(() => ({ name: "A" })),
    {},
    { json: true },
  )
  assert.is(done.stdout, '{"name":"A"}\n')
  assert.is(done.stderr, "coffer: warning: a\\u{1b}[31m\ncoffer: note: from the store\n")
})

test("kept notes are said when a signal ends the program, and at once after a question", async () => {
  const host = fakeHost([])
  const session = startSession(host, { ...globals, json: true })
  session.warn("first")
  assert.is(host.printed.stderr, "")
  for (const cleanup of host.cleanups) cleanup()
  assert.is(host.printed.stderr, "coffer: warning: first\n")
  session.warn("second")
  assert.is(host.printed.stderr, "coffer: warning: first\ncoffer: warning: second\n")
  const asked = fakeHost([], { tty: true, stdin: ["y\n"] })
  const other = startSession(asked, { ...globals, json: true })
  other.warn("know this")
  await askYesNo(other, "go on?")
  assert.match(asked.printed.stderr, /know this\ngo on\? /)
  assert.is(asked.cleanups.size, 0)
})

test("the program never throws: what is typed wrong before any command is told too", async () => {
  const host = fakeHost(["--json", "nonsense=1"])
  assert.is(await runMain(host), 2)
  assert.is(JSON.parse(host.printed.stderr).error.code, "USAGE")
  const help = fakeHost(["set", "--help"])
  assert.is(await runMain(help), 0)
  assert.match(help.printed.stdout, "coffer set")
  const version = fakeHost(["--version"])
  assert.is(await runMain(version), 0)
  assert.match(version.printed.stdout, /^coffer \d+\.\d+\.\d+\n$/)
})

test.run()
