// Keeps the bytecode of what most calls run beside the bundles, for bin/load.js: a few commands are run in a
// temporary repository, and V8 is asked for what it has compiled by then. Nothing depends on how they end.
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const SELF = fileURLToPath(import.meta.url)
const [folder] = process.argv.slice(2)
if (folder === undefined) runApart()
else await compile(folder)

/** In a process whose environment and output are its own. */
function runApart() {
  const temporary = mkdtempSync(join(tmpdir(), "coffer-build-"))
  const env = {
    PATH: process.env.PATH ?? "",
    HOME: temporary,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: "build",
    GIT_AUTHOR_EMAIL: "build@example.com",
    GIT_COMMITTER_NAME: "build",
    GIT_COMMITTER_EMAIL: "build@example.com",
  }
  try {
    execFileSync(process.execPath, [SELF, temporary], { cwd: temporary, env, stdio: "ignore" })
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

async function compile(repository) {
  const { entryFor, loaded } = createRequire(import.meta.url)("./bin/load.js")
  writeFileSync(join(repository, "value"), "value")
  const calls = [
    ["init", "--git-init", "--no-hooks"],
    ["set", "A", "--file", "value"],
    ["list"],
    ["get", "A"],
    ["--git", "embedded", "set", "B", "--file", "value"],
  ]
  for (const call of calls) {
    process.argv.splice(2, process.argv.length, ...call)
    await new Promise(resolve => {
      process.exit = resolve
      entryFor(call).main()
    })
  }
  for (const { file, script } of loaded.values()) writeFileSync(`${file}.cache`, script.createCachedData())
  // A program that has not been told to end counts as failed.
  process.exitCode = 0
}
