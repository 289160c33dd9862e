import { execFileSync, spawnSync } from "node:child_process"
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { suite } from "uvu"
import * as assert from "uvu/assert"
import type { CofferError } from "../../src/errors.js"
import { openGit } from "../../src/storage/git/open.js"
import { hooksStatus, installHooks, uninstallHooks } from "../../src/store/hooks.js"

/** A repository, and a package folder with the real hooks and a coffer that only writes down how it was called. */
interface Context {
  dir: string
  program: { node: string; folder: string }
  env: Record<string, string | undefined>
  git(...args: string[]): string
  called(): string[]
}

const test = suite<Context>("hooks")

test.before.each(context => {
  const base = realpathSync(mkdtempSync(join(tmpdir(), "coffer hooks' ")))
  const dir = join(base, "repo")
  context.dir = dir
  context.program = { node: process.execPath, folder: makeCoffer(join(base, "package"), "package") }
  context.env = {
    ...process.env,
    LOG: join(base, "log"),
    GIT_CONFIG_GLOBAL: join(base, "global"),
    GIT_CONFIG_NOSYSTEM: "1",
  }
  context.git = (...args) => {
    const { status, stdout, stderr } = spawnSync("git", args, {
      cwd: context.dir,
      env: context.env,
      encoding: "utf8",
    })
    if (status !== 0) throw new Error(stderr)
    return stdout
  }
  context.called = () => {
    const log = join(base, "log")
    const lines = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : []
    rmSync(log, { force: true })
    return lines
  }
  mkdirSync(dir)
  context.git("init", "-q", "-b", "main")
  context.git("config", "--global", "user.name", "ana")
  context.git("config", "--global", "user.email", "ana@example.org")
})

test.after.each(({ dir }) => rmSync(dirname(dir), { recursive: true, force: true }))

function makeCoffer(folder: string, name: string): string {
  mkdirSync(join(folder, "bin"), { recursive: true })
  cpSync("hooks", join(folder, "hooks"), { recursive: true })
  writeFileSync(
    join(folder, "bin", "coffer.js"),
    `const [, , command, hook, ...rest] = process.argv
    const fs = require("node:fs")
    if (process.env.COFFER_HOOK_PROBE) {
      console.error(\`coffer: the \${hook} hook fires\`)
      process.exit(1)
    }
    const stdin = hook === "pre-push" ? fs.readFileSync(0, "utf8").trim() : ""
    fs.appendFileSync(process.env.LOG, ["${name}", command, hook, ...rest, stdin].join(" ").trim() + "\\n")
    process.exit(process.env.REFUSE ? 3 : 0)`,
  )
  mkdirSync(join(folder, "dist"))
  writeFileSync(join(folder, "dist", "cli.cjs"), "")
  return folder
}

const openSystem = ({ dir, env }: Context) => openGit(dir, env, "system")
const install = async (context: Context) =>
  installHooks(await openSystem(context), { stores: ["secrets"], env: context.env, program: context.program })
const status = async (context: Context) =>
  hooksStatus(await openSystem(context), { stores: ["secrets"], env: context.env })

async function failure(promise: Promise<unknown>): Promise<CofferError> {
  return promise.then(
    () => assert.unreachable() as never,
    (error: CofferError) => error,
  )
}

function commit({ dir, git }: Context, name: string): string {
  writeFileSync(join(dir, name), name)
  git("add", name)
  return git("commit", "-q", "-m", name)
}

function writeHook(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, 0o755)
}

/** Every file of the git directory that has to do with hooks or merging. */
function traces(dir: string): string[] {
  const folders = ["hooks", "info", "coffer"]
    .map(name => join(dir, ".git", name))
    .filter(path => existsSync(path))
  const files = [
    join(dir, ".git", "config"),
    ...folders.flatMap(path => readdirSync(path).map(name => join(path, name))),
  ]
  return files.map(path => `${path} ${statSync(path).mode} ${readFileSync(path, "latin1")}`).sort()
}

test("install, fire, uninstall without a trace", async context => {
  const before = traces(context.dir)
  assert.equal((await status(context)).installed, false)
  const report = await install(context)
  assert.is(report.installed, true)
  assert.is(report.live, true)
  assert.is(report.path, join(context.dir, ".git", "hooks"))
  assert.equal(await install(context), report, "a second time changes nothing")
  commit(context, "a")
  assert.equal(context.called(), ["package hook pre-commit"])

  context.git("checkout", "-q", "-b", "side")
  commit(context, "b")
  context.git("checkout", "-q", "main")
  commit(context, "c")
  context.called()
  context.git("merge", "-q", "side")
  assert.equal(context.called(), ["package hook pre-merge-commit"])

  context.git("init", "-q", "--bare", "../remote")
  context.git("push", "-q", "../remote", "main", "side")
  const [line = ""] = context.called()
  const oids = (name: string) =>
    `refs/heads/${name} ${context.git("rev-parse", name).trim()} refs/heads/${name} ${"0".repeat(40)}`
  assert.is(line, `package hook pre-push ../remote ../remote ${oids("main")}`)

  await uninstallHooks(await openSystem(context))
  assert.equal(traces(context.dir), before)
  assert.is((await status(context)).live, false)
})

test("a hook that refuses stops commit, merge and push", async context => {
  commit(context, "a")
  context.git("checkout", "-q", "-b", "side")
  commit(context, "b")
  context.git("checkout", "-q", "main")
  commit(context, "c")
  await install(context)
  context.git("init", "-q", "--bare", "../remote")
  context.env.REFUSE = "1"
  assert.throws(() => commit(context, "d"))
  context.git("reset", "-q", "--hard")
  assert.throws(() => context.git("merge", "-q", "side"))
  assert.throws(() => context.git("push", "-q", "../remote", "main"))
})

test("earlier hooks run first, with their arguments and input, and come back", async context => {
  const hooks = join(context.dir, ".git", "hooks")
  writeHook(join(hooks, "pre-commit"), 'echo "earlier $#" >>"$LOG"')
  writeHook(join(hooks, "pre-push"), 'echo "earlier $1" >>"$LOG"; cat >>"$LOG"')
  const before = traces(context.dir)
  const report = await install(context)
  assert.ok(report.live)
  commit(context, "a")
  assert.equal(context.called(), ["earlier 0", "package hook pre-commit"])
  context.git("init", "-q", "--bare", "../remote")
  context.git("push", "-q", "../remote", "main")
  const oid = context.git("rev-parse", "main").trim()
  const ref = `refs/heads/main ${oid} refs/heads/main ${"0".repeat(40)}`
  assert.equal(context.called(), [
    "earlier ../remote",
    ref,
    `package hook pre-push ../remote ../remote ${ref}`,
  ])

  writeHook(join(hooks, "pre-commit.before-coffer"), "exit 7")
  assert.throws(() => commit(context, "b"))
  assert.equal(context.called(), [], "coffer is not asked when an earlier hook refuses")

  writeHook(join(hooks, "pre-commit.before-coffer"), 'echo "earlier $#" >>"$LOG"')
  await uninstallHooks(await openSystem(context))
  assert.equal(traces(context.dir), before)
})

test("an earlier hook that goes by its own name is called by it, one that looks beside it finds what is there", async context => {
  const before = traces(context.dir)
  const hooks = join(context.dir, ".git", "hooks")
  writeHook(
    join(context.dir, "tools", "dispatch"),
    'case "$(basename "$0")" in pre-commit) echo dispatched >>"$LOG";; esac',
  )
  symlinkSync("../../tools/dispatch", join(hooks, "pre-commit"))
  writeHook(
    join(hooks, "pre-push"),
    '. "$(dirname "$0")/beside"; echo "$(basename "$0" .before-coffer)" >>"$LOG"',
  )
  writeHook(join(hooks, "beside"), 'echo beside >>"$LOG"')
  await install(context)
  commit(context, "a")
  assert.equal(context.called(), ["dispatched", "package hook pre-commit"])
  context.git("init", "-q", "--bare", "../remote")
  context.git("push", "-q", "../remote", "main")
  assert.equal(context.called().slice(0, 2), ["beside", "pre-push"])
  await uninstallHooks(await openSystem(context))
  assert.is(readlinkSync(join(hooks, "pre-commit")), "../../tools/dispatch")
  for (const name of ["pre-commit", "pre-push", "beside"]) rmSync(join(hooks, name))
  assert.equal(traces(context.dir), before)
})

test("a hook that replaced ours is neither run over nor removed", async context => {
  const hook = join(context.dir, ".git", "hooks", "pre-commit")
  writeHook(hook, "echo one")
  await install(context)
  writeHook(hook, "echo two")
  assert.is((await status(context)).live, false)
  assert.is((await failure(install(context))).code, "EXISTS")
  await uninstallHooks(await openSystem(context))
  assert.match(readFileSync(hook, "utf8"), "echo two")
})

test("a hook renamed by pre-commit still leads to coffer and to the one before", async context => {
  const hooks = join(context.dir, ".git", "hooks")
  writeHook(join(hooks, "pre-commit"), 'echo earlier >>"$LOG"')
  await install(context)
  cpSync(join(hooks, "pre-commit"), join(hooks, "pre-commit.legacy"))
  writeHook(join(hooks, "pre-commit"), '"$0.legacy" "$@" || exit; echo framework >>"$LOG"')
  assert.ok((await status(context)).live)
  commit(context, "a")
  assert.equal(context.called(), ["earlier", "package hook pre-commit", "framework"])
})

/** What pre-commit 4 installs, as far as it matters: it runs what it found before from its new place, and no copy of itself. */
const PRE_COMMIT = `# File generated by pre-commit: https://pre-commit.com
if [ "$PRE_COMMIT_RUNNING_LEGACY" ]; then echo "installed in migration mode" >&2; exit 1; fi
here=\${0%/*}
if [ -x "$here/pre-commit.legacy" ]; then PRE_COMMIT_RUNNING_LEGACY=1 "$here/pre-commit.legacy" "$@" || exit; fi
echo framework >>"$LOG"`

/** \`pre-commit install\`: what is there and not its own moves away. */
function installPreCommit(hooks: string, python = "python3"): void {
  const hook = join(hooks, "pre-commit")
  if (existsSync(hook) && !readFileSync(hook, "utf8").includes("File generated by pre-commit"))
    renameSync(hook, `${hook}.legacy`)
  writeHook(hook, `# ${python}\n${PRE_COMMIT}`)
}

test("pre-commit, installed before and again, and coffer run once each and leave one by one", async context => {
  const hooks = join(context.dir, ".git", "hooks")
  installPreCommit(hooks)
  await install(context)
  installPreCommit(hooks, "python4")
  assert.ok((await status(context)).live)
  commit(context, "a")
  assert.equal(context.called(), ["package hook pre-commit", "framework"])

  assert.ok((await install(context)).live, "it is reached from where it is")
  commit(context, "b")
  assert.equal(context.called(), ["package hook pre-commit", "framework"])

  await uninstallHooks(await openSystem(context))
  commit(context, "c")
  assert.equal(context.called(), ["framework"])
  assert.equal(listHooks(hooks), ["pre-commit"])
})

test("uninstalling finds the hook where pre-commit has put it, and gives it the earlier one back", async context => {
  const hooks = join(context.dir, ".git", "hooks")
  writeHook(join(hooks, "pre-commit"), 'echo earlier >>"$LOG"')
  await install(context)
  installPreCommit(hooks)
  await uninstallHooks(await openSystem(context))
  commit(context, "a")
  assert.equal(context.called(), ["earlier", "framework"])
  assert.equal(listHooks(hooks), ["pre-commit", "pre-commit.legacy"])
})

test("lefthook, which puts its hooks over others, is put first again, and coffer leaves nothing", async context => {
  const hooks = join(context.dir, ".git", "hooks")
  const hook = join(hooks, "pre-commit")
  const lefthook = (version: number) => {
    if (existsSync(hook)) renameSync(hook, `${hook}.old`)
    writeHook(
      hook,
      `call_lefthook() { echo lefthook ${version} >>"$LOG"; }\ncall_lefthook run "pre-commit" "$@"`,
    )
  }
  lefthook(1)
  await install(context)
  lefthook(2)
  assert.is((await status(context)).live, false)
  assert.ok((await install(context)).live)
  commit(context, "a")
  assert.equal(context.called(), ["lefthook 2", "package hook pre-commit"])
  assert.not.ok(existsSync(`${hook}.old`), "lefthook wants that name")

  lefthook(3)
  await uninstallHooks(await openSystem(context))
  assert.equal(listHooks(hooks), ["pre-commit"])
})

function listHooks(folder: string): string[] {
  return readdirSync(folder).filter(name => !name.endsWith(".sample"))
}

test("a linked worktree has the same hooks", async context => {
  commit(context, "a")
  context.git("worktree", "add", "-q", "../linked")
  await install(context)
  context.dir = join(dirname(context.dir), "linked")
  assert.ok((await status(context)).live)
  commit(context, "b")
  assert.equal(context.called(), ["package hook pre-commit"])
})

test("core.hooksPath inside the repository is used", async context => {
  context.git("config", "core.hooksPath", ".githooks")
  const report = await install(context)
  assert.is(report.path, join(context.dir, ".githooks"))
  assert.ok(report.live)
  commit(context, "a")
  assert.equal(context.called(), ["package hook pre-commit"])
})

test("uninstalling clears git's own folder too, where core.hooksPath has been set since", async context => {
  const before = traces(context.dir)
  await install(context)
  context.git("config", "core.hooksPath", ".husky/_")
  assert.ok((await uninstallHooks(await openSystem(context))).changed)
  context.git("config", "--unset", "core.hooksPath")
  assert.equal(traces(context.dir), before)
})

test("core.hooksPath outside, set for this repository only, is used", async context => {
  context.git("config", "core.hooksPath", join(dirname(context.dir), "elsewhere"))
  assert.ok((await install(context)).live)
})

test("core.hooksPath of all the user's repositories is not written to", async context => {
  const shared = join(dirname(context.dir), "shared")
  context.git("config", "--global", "core.hooksPath", shared)
  const error = await failure(install(context))
  assert.is(error.code, "GIT_UNSUPPORTED")
  assert.match(error.hint!, 'npx --no-install coffer hook pre-commit "$@" || exit')
  assert.not.ok(existsSync(shared))
})

test("a hooks folder that git tracks is not written to, but a line in it counts", async context => {
  context.git("config", "core.hooksPath", ".husky/_")
  const error = await failure(install(context))
  assert.is(error.code, "GIT_UNSUPPORTED")
  assert.match(error.hint!, ".husky/pre-commit")

  context.git("config", "core.hooksPath", "tools/hooks")
  for (const hook of ["pre-commit", "pre-merge-commit", "pre-push"]) {
    const program = join(context.program.folder, "bin", "coffer.js")
    writeHook(
      join(context.dir, "tools/hooks", hook),
      `node "${program}" hook ${hook} "$@" || exit # coffer hook`,
    )
  }
  assert.ok((await status(context)).live)
  context.git("add", ".")
  context.git("commit", "-qm", "hooks")
  assert.ok((await install(context)).live, "reached by the line in it")
  rmSync(join(context.dir, "tools/hooks/pre-push"))
  assert.match((await failure(install(context))).message, '"tools/hooks" is tracked by git')
})

test("a link to a tracked hooks folder is not written through", async context => {
  writeHook(join(context.dir, "tools/hooks", "post-commit"), "true")
  context.git("add", ".")
  context.git("commit", "-qm", "hooks")
  rmSync(join(context.dir, ".git", "hooks"), { recursive: true })
  symlinkSync("../tools/hooks", join(context.dir, ".git", "hooks"))
  assert.is((await failure(install(context))).code, "GIT_UNSUPPORTED")
  assert.equal(readdirSync(join(context.dir, "tools/hooks")), ["post-commit"])
})

test("the project's own coffer comes first, then the installed one, then PATH, else nothing passes", async context => {
  await install(context)
  const project = makeCoffer(join(context.dir, "node_modules", "coffer"), "project")
  writeFileSync(join(context.dir, ".gitignore"), "node_modules\n")
  commit(context, "a")
  assert.equal(context.called(), ["project hook pre-commit"])
  rmSync(join(project, "dist"), { recursive: true })
  commit(context, "unbuilt")
  assert.equal(context.called(), ["package hook pre-commit"], "one that is not built is none")
  rmSync(project, { recursive: true })
  commit(context, "b")
  assert.equal(context.called(), ["package hook pre-commit"])
  rmSync(context.program.folder, { recursive: true })
  const bin = join(dirname(context.dir), "path")
  writeHook(join(bin, "coffer"), 'echo "path $*" >>"$LOG"')
  const { PATH } = context.env
  context.env.PATH = `${bin}:${PATH}`
  commit(context, "c")
  assert.equal(context.called(), ["path hook pre-commit"])
  context.env.PATH = PATH
  assert.throws(() => commit(context, "d"), /cannot find coffer, so nothing was checked/)
})

test("where there is no node, a hook says that it needs one", async context => {
  await install({ ...context, program: { ...context.program, node: join(context.dir, "no-node") } })
  const bin = join(dirname(context.dir), "bare")
  mkdirSync(bin)
  for (const program of ["sh", "git", "cat"])
    symlinkSync(
      execFileSync("sh", ["-c", `command -v ${program}`], { encoding: "utf8" }).trim(),
      join(bin, program),
    )
  context.env.PATH = bin
  assert.throws(
    () => commit(context, "a"),
    /cannot find node, so nothing was checked\n.*hint: .*coffer hooks install/,
  )
})

test("a coffer that git tracks is never run", async context => {
  await install(context)
  const evil = makeCoffer(join(context.dir, "vendor", "coffer"), "evil")
  mkdirSync(join(context.dir, "node_modules"))

  symlinkSync("../vendor/coffer", join(context.dir, "node_modules", "coffer"))
  context.git("add", "vendor")
  context.git("commit", "-qm", "linked by npm to a package of the repository")
  assert.equal(context.called(), ["package hook pre-commit"])

  rmSync(join(context.dir, "node_modules"), { recursive: true })
  makeCoffer(join(context.dir, "node_modules", "coffer"), "evil")
  context.git("add", "-f", "node_modules")
  context.git("commit", "-qm", "in node_modules itself")
  assert.equal(context.called(), ["package hook pre-commit"])

  rmSync(join(context.dir, "node_modules"), { recursive: true })
  symlinkSync("vendor", join(context.dir, "node_modules"))
  context.git("add", "-f", "node_modules")
  context.git("commit", "-qam", "node_modules is a tracked link")
  assert.equal(context.called(), ["package hook pre-commit"])
  assert.ok(existsSync(evil))
})

test("a forgotten probe variable switches nothing off", async context => {
  await install(context)
  context.env.COFFER_HOOK_PROBE = "1"
  assert.throws(() => commit(context, "a"))
})

test("a tracked copy where coffer was installed from is not run either", async context => {
  const folder = makeCoffer(join(context.dir, "tools"), "tracked")
  context.git("add", ".")
  context.git("commit", "-qm", "tools")
  context.program = { ...context.program, folder }
  assert.is((await install(context)).live, false)
  assert.throws(() => commit(context, "a"), /cannot find coffer/)
  assert.equal(execFileSync("git", ["log", "--format=%s"], { cwd: context.dir, encoding: "utf8" }), "tools\n")
})

test.run()
