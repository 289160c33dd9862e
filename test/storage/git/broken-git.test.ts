/** A git program that dies, stops early or says nothing: the repository stays as it was, and nothing is left behind. */
import { writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { test } from "uvu"
import * as assert from "uvu/assert"
import type { Git } from "../../../src/storage/git/git.js"
import { openGit } from "../../../src/storage/git/open.js"
import {
  codeOf,
  commit,
  env,
  freshFolder,
  fsck,
  git,
  leftovers,
  makeRepository,
  write,
} from "./repositories.js"

/** Opens with a git in front of the real one. @param words - what its script does with the command `command`. */
function openBroken(folder: string, command: string, words: string): Promise<Git> {
  const program = join(freshFolder(), "git")
  const real = `PATH='${env.PATH}'; export PATH`
  writeFileSync(
    program,
    `#!/bin/sh\n${real}\ncase " $* " in *" ${command} "*)\n${words}\nesac\nexec git "$@"\n`,
    {
      mode: 0o755,
    },
  )
  return openGit(folder, { ...env, PATH: `${dirname(program)}:${env.PATH}` }, "system")
}

for (const [name, words] of [
  ["reads nothing", "exit 0"],
  ["says nothing", "cat > /dev/null; exit 0"],
] as const) {
  test(`a fast-import that ${name} and reports success makes no commit`, async () => {
    const folder = makeRepository()
    const head = git(folder, "rev-parse", "HEAD")
    const opened = await openBroken(folder, "fast-import", words)
    for (const change of [{ "secrets/A.yaml": null }, { "secrets/A.yaml": "second\n" }])
      assert.is(await codeOf(commit(opened, change)), "GIT_FAILED")
    assert.is(git(folder, "rev-parse", "HEAD"), head)
    assert.is(git(folder, "status", "--porcelain"), "")
    assert.equal(leftovers(folder), [])
  })
}

test("the crash report of a fast-import goes, whichever process git runs it in", async () => {
  const folder = makeRepository()
  const opened = await openBroken(folder, "fast-import", 'head -c 200 | git "$@"; exit $?')
  assert.is(await codeOf(commit(opened, { "secrets/A.yaml": "second\n".repeat(100) })), "GIT_FAILED")
  assert.equal(leftovers(folder), [])
  assert.is(fsck(folder), "")
})

test("objects are asked for again where git dies with many questions open, without a warning of Node's", async () => {
  const folder = makeRepository()
  for (let n = 0; n < 100; n++) write(folder, `many/${n}`, `${n}\n`)
  git(folder, "add", "many")
  const ids = git(folder, "ls-files", "-s", "many").split("\n").filter(Boolean)
  const oids = ids.map(line => line.slice(7, 47))
  const warnings: string[] = []
  const listen = (warning: Error) => warnings.push(warning.message)
  process.on("warning", listen)
  const opened = await openBroken(folder, "cat-file", 'sed -u 20q | git "$@"; exit 1')
  const found: unknown[] = []
  for await (const { bytes } of opened.blobs(oids)) {
    // By then that git has ended, with its answers still to be read.
    if (found.push(bytes) === 1) await sleep(500)
  }
  await sleep(1)
  process.off("warning", listen)
  assert.is(found.filter(bytes => bytes !== undefined).length, 100)
  assert.equal(warnings, [])
})

test.run()
