import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { editUntilAccepted, splitWords } from "../../src/cli/editor.js"
import { restoreLineEnding, withLineEnding } from "../../src/cli/line-ending.js"
import { startSession } from "../../src/cli/session.js"
import { CofferError } from "../../src/errors.js"
import { makeTemporaryFolder } from "../../src/storage/temporary-folder.js"
import { fakeHost, globals } from "./fake-host.js"

const root = mkdtempSync(join(tmpdir(), "coffer-editor-"))
test.after(() => rmSync(root, { recursive: true }))

/** An editor that is a shell script; `$1` is the file. */
function editor(script: string, name = "editor"): string {
  const folder = mkdtempSync(join(root, "bin-"))
  const path = join(folder, name)
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
  return path
}

function start(
  EDITOR: string,
  options: { tty?: boolean; stdin?: string[]; env?: Record<string, string> } = {},
) {
  const env = { PATH: process.env.PATH ?? "", TMPDIR: root, EDITOR, ...options.env }
  const host = fakeHost([], {
    env,
    cwd: root,
    ...(options.tty ? { tty: true } : {}),
    ...(options.stdin ? { stdin: options.stdin } : {}),
  })
  return { host, session: startSession(host, globals) }
}

function freshFolder(): string {
  return mkdtempSync(join(root, "folder-"))
}

const request = { fileName: "value", content: Buffer.from("old\n"), maxBytes: 1000 }

function leftovers(): string[] {
  return [root, "/dev/shm"]
    .filter(existsSync)
    .flatMap(folder => readdirSync(folder).filter(name => name.startsWith(`coffer-edit-${process.pid}.`)))
}

test("the editor gets a private file in a private folder, and both are gone after", async () => {
  const seen = join(root, "seen")
  const { host, session } = start(
    editor(
      `stat -c '%a' "$1" "$(dirname "$1")" > ${seen}; echo "$1" >> ${seen}; cat "$1" >> ${seen}; echo new > "$1"`,
    ),
  )
  const text = await editUntilAccepted(session, request, edited => Buffer.from(edited).toString())
  assert.is(text, "new\n")
  const [file, folder, path = "", content] = readFileSync(seen, "utf8").split("\n")
  assert.equal([file, folder, content], ["600", "700", "old"])
  assert.not.ok(existsSync(dirname(path)))
  assert.equal(leftovers(), [])
  assert.is(host.cleanups.size, 0)
})

test("the file is in memory where there is such storage", async () => {
  const { path, inMemory, remove } = makeTemporaryFolder({ TMPDIR: root })
  assert.is(inMemory, path.startsWith("/dev/shm/"))
  remove()
  const shared = makeTemporaryFolder({ XDG_RUNTIME_DIR: join(root, "absent"), TMPDIR: root })
  assert.is(shared.path.startsWith(root) || shared.path.startsWith("/dev/shm/"), true)
  shared.remove()
})

test("what a killed process left is swept; what a running one has stays", () => {
  const base = existsSync("/dev/shm") ? "/dev/shm" : root
  const living = makeTemporaryFolder({ TMPDIR: root })
  const [, , mark = ""] = living.path.slice(living.path.lastIndexOf("/") + 1).split("-")
  const [, start = "", namespace = ""] = mark.split(".")
  const dead = join(base, `coffer-edit-4194304.${start}.${namespace}-aaaaaa`)
  const elsewhere = join(base, `coffer-edit-4194304.${start}.1-bbbbbb`)
  const reused = join(base, `coffer-edit-${process.pid}.1.${namespace}-cccccc`)
  for (const folder of [dead, elsewhere, reused]) mkdirSync(folder)
  makeTemporaryFolder({ TMPDIR: root }).remove()
  assert.equal([dead, elsewhere, reused, living.path].map(existsSync), [false, true, false, true])
  living.remove()
  rmSync(elsewhere, { recursive: true })
})

test("an editor that fails, vanishes or is not there changes nothing and leaves nothing", async () => {
  for (const script of ["exit 3", 'rm "$1"', "kill -TERM $$"]) {
    const { session } = start(editor(script))
    await refused(editUntilAccepted(session, request, () => assert.unreachable()))
  }
  await refused(editUntilAccepted(start("/no/such/editor").session, request, () => assert.unreachable()))
  assert.equal(leftovers(), [])
})

test("a signal to coffer is cleaned up after", async () => {
  const { session, host } = start(editor("exit 0"))
  await editUntilAccepted(session, request, () => {
    assert.is(host.cleanups.size, 1)
    for (const cleanup of host.cleanups) cleanup()
    assert.equal(leftovers(), [])
  })
})

test("a person may go on editing what was not accepted; without one it is an error", async () => {
  const append = editor('echo more >> "$1"')
  let tries = 0
  const accept = (edited: Uint8Array) => {
    tries++
    if (tries < 3) throw new CofferError("VALUE_INVALID", "line 1: not that")
    return Buffer.from(edited).toString()
  }
  const { session, host } = start(append, { tty: true, stdin: ["y\n", "y\n"] })
  assert.is(await editUntilAccepted(session, request, accept), "old\nmore\nmore\nmore\n")
  assert.match(host.printed.stderr, "line 1: not that")
  tries = 0
  await refused(editUntilAccepted(start(append).session, request, accept))
  assert.is(tries, 1)
})

test("whatever refuses what was typed, a person may have it in the editor again", async () => {
  const append = editor('echo more >> "$1"')
  for (const code of ["VERSION_CONFLICT", "GIT_REFUSED", "STORE_LOCKED"] as const) {
    let tries = 0
    const accept = (edited: Uint8Array) => {
      if (++tries === 1) throw new CofferError(code, "not now")
      return Buffer.from(edited).toString()
    }
    const { session, host } = start(append, { tty: true, stdin: ["y\n"] })
    assert.is(await editUntilAccepted(session, request, accept), "old\nmore\nmore\n", code)
    assert.match(host.printed.stderr, "not now")
  }
})

test("a text that is too long is what was typed, too", async () => {
  const grow = editor(
    'if [ -e "$0.done" ]; then echo short > "$1"; else touch "$0.done"; head -c 2000 /dev/zero > "$1"; fi',
  )
  const { session, host } = start(grow, { tty: true, stdin: ["y\n"] })
  assert.is(await editUntilAccepted(session, request, edited => Buffer.from(edited).toString()), "short\n")
  assert.match(host.printed.stderr, "longer than")
  await refused(
    editUntilAccepted(start(editor('head -c 2000 /dev/zero > "$1"')).session, request, () =>
      assert.unreachable(),
    ),
  )
})

test("vim is told to leave no backups, others get nothing but the file", async () => {
  for (const [name, more] of [
    ["vim", true],
    ["nano", false],
  ] as const) {
    const seen = join(root, `args-${name}`)
    const { session } = start(`${editor(`echo "$*" > ${seen}`, name)} -x`)
    await editUntilAccepted(session, request, () => {})
    const words = readFileSync(seen, "utf8")
    assert.match(words, /^-x /)
    assert.is(/noundofile/.test(words), more)
  }
})

test("vim is known under its other names, on the PATH too", async () => {
  for (const [name, real, more] of [
    ["vi", "vim.basic", true],
    ["editor", "nvim", true],
    ["vi", "nvi", false],
    ["vi", "busybox", false],
  ] as const) {
    const seen = join(freshFolder(), "args")
    const program = editor(`echo "$*" > ${seen}`, real)
    const bin = freshFolder()
    symlinkSync(program, join(bin, name))
    for (const options of [
      { EDITOR: join(bin, name) },
      { EDITOR: name, PATH: `${bin}:${process.env.PATH}` },
    ]) {
      const { session } = start(options.EDITOR, { env: options })
      await editUntilAccepted(session, request, () => {})
      assert.is(/noundofile/.test(readFileSync(seen, "utf8")), more, `${name} -> ${real}`)
    }
  }
})

test("without an editor by name, and without a terminal, vi is not started: it would wait for ever", async () => {
  const bin = freshFolder()
  symlinkSync(editor("exit 0"), join(bin, "vi"))
  const env = { EDITOR: "", PATH: `${bin}:${process.env.PATH}`, HOME: bin }
  await refused(editUntilAccepted(start("", { env }).session, request, () => assert.unreachable()))
  await editUntilAccepted(start("", { env, tty: true }).session, request, () => {})
  assert.equal(leftovers(), [])
})

test("an editor with arguments is split as a shell would, without one", () => {
  assert.equal(splitWords("code --wait"), ["code", "--wait"])
  assert.equal(splitWords(`"/my apps/ed" -c 'set x=1' a\\ b "q\\"q" x'y z'w`), [
    "/my apps/ed",
    "-c",
    "set x=1",
    "a b",
    'q"q',
    "xy zw",
  ])
  assert.equal(splitWords("$(reboot) `x` ; y"), ["$(reboot)", "`x`", ";", "y"])
  assert.equal(splitWords("  "), [])
})

test("an editor's name with a quote that is not closed is refused: what it holds would be taken apart", async () => {
  for (const EDITOR of [`"/my apps/ed`, "it's", `vi "a\\"`, "ed \\"]) {
    const { session } = start("", { env: { EDITOR } })
    await refused(
      editUntilAccepted(session, request, () => assert.unreachable()),
      "EDITOR has a quote",
    )
  }
  assert.equal(leftovers(), [])
})

test("line endings that an editor adds do not become part of a value", () => {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
  const edit = (before: string | undefined, after: string) =>
    text(restoreLineEnding(before === undefined ? undefined : Buffer.from(before), Buffer.from(after)))
  assert.is(text(withLineEnding(Buffer.from("a"))), "a\n")
  assert.is(text(withLineEnding(Buffer.from("a\n"))), "a\n")
  assert.is(text(withLineEnding(Buffer.from(""))), "")
  for (const unchanged of ["a", "a\n", "a\nb", "a\nb\n", "a\r\nb", "a\r", "a\nb\r", "\r", ""]) {
    assert.is(edit(unchanged, text(withLineEnding(Buffer.from(unchanged)))), unchanged)
  }
  assert.is(edit(undefined, "new\n"), "new")
  assert.is(edit("old", "-----BEGIN\nkey\n"), "-----BEGIN\nkey\n")
  assert.is(edit("a\nb", "a\nb\nc\n"), "a\nb\nc")
})

/** @param words - what the message holds. */
async function refused(promise: Promise<unknown>, words = ""): Promise<void> {
  try {
    await promise
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
    assert.is(error.exit, 2)
    return assert.match(error.message, words)
  }
  assert.unreachable()
}

test.run()
