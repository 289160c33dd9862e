/**
 * A repository that came from elsewhere (an archive, a shared disk) brings settings of git that name
 * programs and hosts. Reading it starts none of them; writing it starts none but hooks and signing.
 */
import { execFileSync, spawnSync } from "node:child_process"
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { files, forgeFile, people } from "./cast.js"
import { attack, clone, coffer, git, plant } from "./world.js"

const marks = mkdtempSync(join(tmpdir(), "coffer-marks-"))
process.on("exit", () => rmSync(marks, { recursive: true, force: true }))

/** A command that leaves a mark if it is ever started. */
function mark(name: string): string {
  return `sh -c 'touch ${marks}/${name}'`
}

const CONFIG = `
[core]
  fsmonitor = ${mark("fsmonitor")}
  pager = ${mark("pager")}
  editor = ${mark("editor")}
  sshCommand = ${mark("ssh")}
  gitProxy = ${mark("proxy")}
  askPass = ${mark("askpass")}
  alternateRefsCommand = ${mark("alternate-refs")}
[diff]
  external = ${mark("diff")}
[diff "coffer"]
  textconv = ${mark("textconv")}
  command = ${mark("diff-command")}
[filter "evil"]
  clean = ${mark("clean")}
  smudge = ${mark("smudge")}
  process = ${mark("process")}
  required = true
[merge "binary"]
  driver = ${mark("merge")}
[merge "coffer"]
  driver = ${mark("merge-coffer")}
[credential]
  helper = !${mark("credential")}
[gpg]
  program = ${mark("gpg")}
[log]
  showSignature = true
[trailer "x"]
  command = ${mark("trailer")}
[alias]
  rev-parse = !${mark("alias")}
  status = !${mark("alias")}
[protocol]
  allow = always
[uploadpack]
  packObjectsHook = ${mark("pack-objects")}
`
/** A partial clone fetches what it lacks, from wherever it is told to. */
const PROMISOR = `
[extensions]
  partialClone = evil
[remote "evil"]
  url = "ext::sh -c touch% ${marks}/transport"
  promisor = true
  uploadpack = ${mark("uploadpack")}
`
const HOOKS = [
  "post-checkout",
  "post-index-change",
  "reference-transaction",
  "pre-commit",
  "post-commit",
  "pre-auto-gc",
  "fsmonitor-watchman",
  "prepare-commit-msg",
  "commit-msg",
  "post-rewrite",
]

function poison(parts: { hooks: boolean; promisor: boolean }): void {
  const folder = join(clone("tom"), ".git")
  appendFileSync(join(folder, "config"), CONFIG + (parts.promisor ? PROMISOR : ""))
  if (parts.promisor) git("tom", "config", "core.repositoryFormatVersion", "1")
  mkdirSync(join(folder, "info"), { recursive: true })
  const attributes = "* filter=evil diff=coffer merge=coffer ident\n"
  writeFileSync(join(folder, "info", "attributes"), attributes)
  writeFileSync(join(clone("tom"), ".gitattributes"), attributes)
  for (const program of ["git", "node", "sh", "age"]) {
    writeFileSync(join(clone("tom"), program), `#!/bin/sh\ntouch ${marks}/program-${program}\n`, {
      mode: 0o755,
    })
  }
  if (!parts.hooks) return
  mkdirSync(join(folder, "hooks"), { recursive: true })
  for (const name of HOOKS) {
    const claim = '# coffer hook: "coffer hooks install" put it here'
    const script = `#!/bin/sh\n${claim}\ntouch ${marks}/hook-${name}\n`
    writeFileSync(join(folder, "hooks", name), script, { mode: 0o755 })
  }
}

/** A version that names a blob which this clone lacks, so that its history cannot be told without a fetch. */
function plantLacking(): void {
  plant(files(forgeFile({ name: "API_TOKEN", by: people.tom, previous: [`2-${"a".repeat(40)}`] })))
}

const canTrace =
  spawnSync("strace", ["-f", "-qq", "-e", "trace=execve", "-o", "/dev/null", "true"]).status === 0

/** Runs coffer with PATH beginning in the repository, and tells what it started and connected to. */
function trace(
  args: readonly string[],
  kind: string,
): { status: number | null; stderr: string; started: string[]; connected: string[] } {
  const log = join(marks, "trace")
  const env = { COFFER_GIT: kind, PATH: `.:${process.env.PATH}` }
  const under = canTrace ? ["strace", "-f", "-qq", "-e", "trace=execve,connect", "-o", log] : []
  const { status, stderr } = coffer("tom", args, { env, input: "value", under })
  const lines = canTrace ? readFileSync(log, "utf8").split("\n") : []
  rmSync(log, { force: true })
  return {
    status,
    stderr,
    started: lines.flatMap(line => /execve\("([^"]*)".* = 0$/.exec(line)?.[1] ?? []),
    connected: lines.filter(line => /connect\(.*AF_INET/.test(line)),
  }
}

function assertQuiet(args: readonly string[], kind: string): void {
  const { status, stderr, started, connected } = trace(args, kind)
  const what = `${kind}: ${args.join(" ")}`
  assert.is(status, 0, `${what} ${stderr}`)
  assert.equal(readdirSync(marks), [], what)
  assert.equal(connected, [], what)
  const others = started.filter(file => file !== process.execPath && !isGit(file))
  assert.equal(others, [], what)
  if (kind === "embedded") assert.equal(started.filter(isGit), [], what)
}

function isGit(file: string): boolean {
  return /^\/.*\/git(-core\/git(-[a-z-]+)?)?$/.test(file) && !file.startsWith(clone("tom"))
}

const READS = [
  ["get", "API_TOKEN"],
  ["get", "API_TOKEN@1"],
  ["check"],
  ["status"],
  ["check", "--since", "now"],
  ["versions", "API_TOKEN"],
  ["export", "-p", "."],
  ["recipients", "list"],
]

attack("the settings are hostile: plain git starts them", () => {
  plantLacking()
  poison({ hooks: true, promisor: true })
  spawnSync("git", ["add", "-A"], { cwd: clone("tom") })
  spawnSync("git", ["cat-file", "-p", "a".repeat(40)], { cwd: clone("tom") })
  const found = readdirSync(marks)
  for (const name of found) rmSync(join(marks, name))
  assert.equal(
    ["fsmonitor", "process", "transport"].filter(name => !found.includes(name)),
    [],
  )
})

attack("reading starts nothing but git, and connects to nothing", () => {
  plant(files(forgeFile({ name: "API_TOKEN", by: people.tom, previous: [`2-${oldBlob()}`] })))
  poison({ hooks: true, promisor: false })
  for (const args of READS) assertQuiet(args, "system")
  for (const args of READS.slice(0, 4)) assertQuiet(args, "embedded")
})

function oldBlob(): string {
  return git("tom", "rev-parse", "HEAD:secrets/API_TOKEN.yaml")
}

attack("what a partial clone lacks is not fetched", () => {
  plantLacking()
  poison({ hooks: true, promisor: true })
  assertQuiet(["get", "API_TOKEN"], "system")
  assertQuiet(["versions", "API_TOKEN"], "system")
  assertQuiet(["get", "API_TOKEN@2"], "system")
})

attack("writing starts no program that only settings name", () => {
  poison({ hooks: false, promisor: false })
  assertQuiet(["set", "API_TOKEN"], "system")
  assertQuiet(["delete", "DB_URL"], "system")
})

attack("no program that coffer starts sees a private key: git, its hooks, the project's own", () => {
  const seen = join(marks, "seen")
  const tell = `env | grep ^COFFER_ >> '${seen}'`
  const real = execFileSync("sh", ["-c", "command -v git"], { encoding: "utf8" }).trim()
  writeFileSync(join(marks, "git"), `#!/bin/sh\n${tell}\nexec '${real}' "$@"\n`, { mode: 0o755 })
  const hooks = join(clone("tom"), ".git/hooks")
  mkdirSync(hooks, { recursive: true })
  for (const name of ["prepare-commit-msg", "commit-msg", "reference-transaction"])
    writeFileSync(join(hooks, name), `#!/bin/sh\n${tell}\n`, { mode: 0o755 })
  const env = {
    PATH: `${marks}:${process.env.PATH}`,
    COFFER_IDENTITY: people.tom.line,
    COFFER_IDENTITY_FILE: join(clone("tom"), "../home/tom/config/coffer/identity.txt"),
    COFFER_STORE: "secrets",
  }
  for (const run of [
    ["set", "API_TOKEN"],
    ["versions", "API_TOKEN"],
    ["hooks", "status"],
  ]) {
    const { status, stderr } = coffer("tom", run, { env, input: "new" })
    assert.is(status, 0, stderr)
  }
  const variables = new Set(
    readFileSync(seen, "utf8")
      .split("\n")
      .map(line => line.split("=")[0]),
  )
  rmSync(join(marks, "git"))
  rmSync(seen)
  assert.ok(variables.has("COFFER_STORE"), "they were started")
  assert.equal(
    [...variables].filter(name => name?.startsWith("COFFER_IDENTITY")),
    [],
  )
})

test.run()
