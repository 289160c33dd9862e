/** Questions on a real terminal, which `script` of every Linux gives to the built program. */
import { spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"

const folder = mkdtempSync(join(tmpdir(), "coffer-prompts-"))
process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
const repository = join(folder, "repository")
mkdirSync(repository)

/** Somebody's machine: a home folder of its own, with the same identity. */
function envOf(machine: string): Record<string, string> {
  return {
    PATH: process.env.PATH ?? "",
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, "config"),
    XDG_STATE_HOME: join(folder, machine),
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: "ana",
    GIT_AUTHOR_EMAIL: "ana@example.com",
    GIT_COMMITTER_NAME: "ana",
    GIT_COMMITTER_EMAIL: "ana@example.com",
    TERM: "xterm",
  }
}

/** Types each answer once its question is shown. @returns the exit status and the screen */
function type(
  command: string,
  answers: readonly (readonly [question: string, answer: string])[],
  { machine = "first", editor = "" }: { machine?: string; editor?: string } = {},
): Promise<{ status: number | null; screen: string }> {
  const program = `'${process.execPath}' '${resolve("bin/coffer.js")}' ${command}`
  const child = spawn("script", ["-qec", program, "/dev/null"], {
    cwd: repository,
    env: { ...envOf(machine), EDITOR: editor },
  })
  const left = [...answers]
  let screen = ""
  let from = 0
  child.stdout.on("data", chunk => {
    screen += chunk
    const at = left[0] === undefined ? -1 : screen.indexOf(left[0][0], from)
    if (at < 0) return
    from = at + left[0]![0].length
    child.stdin.write(`${left.shift()![1]}\r`)
  })
  const limit = setTimeout(() => child.kill("SIGKILL"), 30_000)
  return new Promise(done =>
    child.on("close", status => {
      clearTimeout(limit)
      done({ status, screen })
    }),
  )
}

test("a new repository: git init is asked for, then a value", async () => {
  const made = await type("init --no-hooks", [["[y/N]", "y"]])
  assert.is(made.status, 0, made.screen)
  const set = await type("set A", [["A", "first"]])
  assert.is(set.status, 0, set.screen)
  assert.match(set.screen, "A: version 1")
  assert.not.match(set.screen, "first", "what is typed is not shown")
})

test("two questions in one call are both answered: the value, and whether the store is trusted", async () => {
  const { status, screen } = await type(
    "set A",
    [
      ["A", "second"],
      ["[y/N]", "y"],
    ],
    { machine: "new" },
  )
  assert.is(status, 0, screen)
  assert.match(screen, "A: version 2")
})

test("an editor twice, and a deletion that is confirmed", async () => {
  const editor = join(folder, "editor")
  writeFileSync(
    editor,
    `#!/bin/sh\nif test -e '${folder}/again'; then echo '{}' > "$1"; else : > '${folder}/again'; echo 'A: [' > "$1"; fi\n`,
    { mode: 0o755 },
  )
  const { status, screen } = await type(
    "edit -p .",
    [
      ["edit again?", "y"],
      ["[y/N]", "y"],
    ],
    { editor },
  )
  assert.is(status, 0, screen)
  assert.not.match(screen, "unchanged")
  const { status: gone, screen: said } = await type("get A", [])
  assert.is(gone, 10, said)
})

test.run()
