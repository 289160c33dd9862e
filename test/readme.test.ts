/** The README is run as written: the library's example, the shell of the CI examples, the tour. */
import { type SpawnSyncReturns, spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"

const readme = readFileSync("README.md", "utf8")
const root = mkdtempSync(join(tmpdir(), "coffer-readme-"))
const home = join(root, "home")
const app = join(root, "app")
const env = {
  PATH: process.env.PATH,
  HOME: home,
  XDG_CONFIG_HOME: join(home, ".config"),
  XDG_STATE_HOME: join(home, ".local", "state"),
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_AUTHOR_NAME: "ana",
  GIT_AUTHOR_EMAIL: "ana@example.com",
  GIT_COMMITTER_NAME: "ana",
  GIT_COMMITTER_EMAIL: "ana@example.com",
}
/** A build machine: no state, no configuration. */
const bare = { PATH: process.env.PATH, HOME: join(root, "nobody"), GIT_CONFIG_NOSYSTEM: "1" }
let machine: { COFFER_IDENTITY: string; COFFER_PIN: string }

/** Fenced blocks of a language, in order. */
function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "gm"))].map(
    ([, text]) => text!,
  )
}

function run(cwd: string, command: string, more: Record<string, string> = {}, base: NodeJS.ProcessEnv = env) {
  return spawnSync("sh", ["-c", command], { cwd, env: { ...base, ...more }, encoding: "utf8" })
}

function must(done: SpawnSyncReturns<string>): string {
  assert.is(done.status, 0, `${done.stdout}${done.stderr}`)
  return done.stdout.trim()
}

/** Puts this build where `npx coffer` finds it, as an installed package would be. */
function installInto(folder: string): void {
  mkdirSync(join(folder, "node_modules", ".bin"), { recursive: true })
  const program = `#!/bin/sh\nexec '${process.execPath}' '${resolve("bin/coffer.js")}' "$@"\n`
  writeFileSync(join(folder, "node_modules", ".bin", "coffer"), program, { mode: 0o755 })
}

test.before(() => {
  mkdirSync(app, { recursive: true })
  const build = `node -e "console.log(process.env.DATABASE_URL ? 'built with secrets' : 'built without')"`
  writeFileSync(
    join(app, "package.json"),
    JSON.stringify({ name: "app", version: "1.0.0", scripts: { build } }),
  )
  writeFileSync(join(app, ".gitignore"), "node_modules\n")
  must(
    run(
      app,
      "git init -q -b main && npm install --package-lock-only --silent && git add -A && git commit -qm start",
    ),
  )
  installInto(app)
  must(run(app, "npx coffer init --name ana"))
  must(run(app, "echo postgres://db/app | npx coffer set prod/DATABASE_URL"))
  machine = {
    COFFER_IDENTITY: must(run(app, "npx coffer recipients add ci --new")),
    COFFER_PIN: must(run(app, "npx coffer trust pin")),
  }
})

test.after(() => rmSync(root, { recursive: true, force: true }))

/** A clone as a runner makes it, with the dependencies that `npm ci` would bring. */
function runnersClone(name: string): string {
  const clone = join(root, name)
  must(run(root, `git clone -q --depth 1 file://${app} ${name}`))
  return clone
}

/** Shell lines of the CI example, with coffer put in place after `npm ci` has emptied node_modules. */
function runSteps(clone: string, steps: readonly string[], more: Record<string, string>): string {
  let output = ""
  for (const step of steps) {
    output += must(run(clone, step, more, bare))
    if (step === "npm ci") installInto(clone)
  }
  return output
}

const github = [...blocks("yaml")[0]!.matchAll(/^ +- run: (.+)$/gm)].map(([, step]) => step!)
const gitlab = [...blocks("yaml")[1]!.matchAll(/^ {4}- (.+)$/gm)].map(([, step]) => step!)

test("both CI examples install, check and build", () => {
  assert.is(github.length, 3)
  assert.equal(gitlab, github)
})

test("a build at depth 1 gets its secrets", () => {
  assert.match(runSteps(runnersClone("runner"), github, machine), /built with secrets/)
})

test("a pull request from a fork builds without them, and says so", () => {
  const clone = runnersClone("fork")
  const output = runSteps(clone, github, { COFFER_IDENTITY: "", COFFER_PIN: machine.COFFER_PIN })
  assert.match(output, /built without/)
  assert.match(run(clone, github[2]!, { COFFER_IDENTITY: "" }, bare).stderr, /warning/)
})

test("a docker build reads from plain files, without .git, with the identity in a mounted file", () => {
  const context = join(root, "context")
  cpSync(app, context, { recursive: true, filter: path => !path.endsWith(".git") })
  const mounted = join(root, "coffer_identity")
  writeFileSync(mounted, machine.COFFER_IDENTITY, { mode: 0o400 })
  const [, command] = /^RUN --mount=\S+ \\\n([\s\S]*)$/m.exec(blocks("dockerfile")[0]!)!
  const step = command!.replace("/run/secrets/coffer_identity", mounted)
  assert.match(must(run(context, step, { COFFER_PIN: machine.COFFER_PIN }, bare)), /built with secrets/)
})

test("a server-side job checks a range, and that nothing went back", () => {
  const clone = join(root, "server")
  must(run(root, `git clone -q file://${app} server`))
  installInto(clone)
  const [range, since] = blocks("sh").at(-1)!.trim().split("\n")
  const commits = {
    BASE: must(run(clone, "git rev-parse HEAD~1")),
    HEAD: must(run(clone, "git rev-parse HEAD")),
  }
  for (const step of [range!, since!]) must(run(clone, `npx ${step}`, commits, bare))
})

test("the library's example runs as it stands", () => {
  const [example] = blocks("ts")
  const file = resolve("build", "readme-example.mjs")
  writeFileSync(file, example!)
  const done = spawnSync(process.execPath, [file], { cwd: app, env, encoding: "utf8" })
  assert.is(must(done), "1 8")
})

test("the tour runs as the package is installed, shows real output, and leaves nothing behind", () => {
  const installed = join(root, "installed")
  for (const part of ["bin", "dist", "docs", "hooks", "package.json"])
    cpSync(part, join(installed, part), { recursive: true })
  // Temporary folders have such names on some machines.
  const folder = join(root, "the $HOME of 'tours'")
  mkdirSync(folder)
  const done = spawnSync("npm", ["run", "--silent", "quickstart"], {
    cwd: installed,
    // From Node 22 on npm keeps bytecode of its own in the temporary folder.
    env: { ...env, TMPDIR: folder, NODE_DISABLE_COMPILE_CACHE: "1" },
    encoding: "utf8",
  })
  const output = must(done)
  assert.match(output, /refused|holds the value of/)
  assert.match(output, /That was the tour/)
  assert.equal(readdirSync(folder), [])
})

test.run()
