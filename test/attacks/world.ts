/** One world per test file: clones of one repository on machines of their own, as they were before each attack. */
import { execFileSync, spawnSync } from "node:child_process"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import type { ErrorCode } from "../../src/errors.js"
import { parseSecretName } from "../../src/format/names.js"
import type { RecordNode } from "../../src/keyring/graph.js"
import { getSecret } from "../../src/store/secrets.js"
import { openStore } from "../../src/store/store.js"
import { callCoffer, needsProcess, type Outcome } from "../call.js"
import { type Files, first, type Name, people, pinOf, steps, tip } from "./cast.js"

const PROJECT = process.cwd()
const base = realpathSync(mkdtempSync(join(tmpdir(), "coffer-attack-")))
const root = join(base, "world")
const template = join(base, "template")
process.on("exit", () => rmSync(base, { recursive: true, force: true }))

export interface Call {
  /** COFFER_PIN. Default: none for Ana and Tom, whose machines know the store; the newest pin for all others. */
  readonly pin?: RecordNode | string
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  /** A program, with its arguments, that runs coffer. */
  readonly under?: readonly string[]
}

/** Machines that have read the store before. Every other one is a fresh clone. */
const KNOWING: readonly Name[] = ["ana", "tom"]

export function clone(who: Name): string {
  return join(root, who)
}

function envOf(who: Name, { pin, env }: Call = {}): Record<string, string> {
  const home = join(root, "home", who)
  const trusted = pin ?? (KNOWING.includes(who) ? undefined : tip)
  return {
    PATH: process.env.PATH ?? "",
    HOME: home,
    XDG_CONFIG_HOME: join(home, "config"),
    XDG_STATE_HOME: join(home, "state"),
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: who,
    GIT_AUTHOR_EMAIL: `${who}@example.com`,
    GIT_COMMITTER_NAME: who,
    GIT_COMMITTER_EMAIL: `${who}@example.com`,
    ...(trusted && { COFFER_PIN: typeof trusted === "string" ? trusted : pinOf(trusted) }),
    ...env,
  }
}

/** Whoever can make coffer hang, wins. */
const HANGING_MS = 20_000

/** Runs the built coffer in somebody's clone, on his machine. */
export function coffer(who: Name, args: readonly string[], call: Call = {}): Outcome {
  update(who)
  const given = { cwd: clone(who), env: envOf(who, call), input: call.input ?? "" }
  if (call.under === undefined && !needsProcess(args)) return callCoffer({ argv: args, ...given }, HANGING_MS)
  const words = [...(call.under ?? []), process.execPath, join(PROJECT, "bin/coffer.js"), ...args]
  const { status, stdout, stderr } = spawnSync(words[0]!, words.slice(1), {
    ...given,
    encoding: "utf8",
    timeout: HANGING_MS,
    maxBuffer: 1 << 26,
  })
  return { status, stdout, stderr }
}

export function git(who: Name, ...args: string[]): string {
  return execFileSync("git", args, {
    cwd: clone(who),
    env: envOf(who),
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  }).trim()
}

/** Raw output, such as a blob. */
export function gitBytes(who: Name, ...args: string[]): Buffer {
  return execFileSync("git", args, { cwd: clone(who), env: envOf(who), stdio: ["ignore", "pipe", "pipe"] })
}

/** Writes files of the store in somebody's work tree, whatever they are. */
function write(who: Name, files: Files): void {
  for (const [path, content] of Object.entries(files)) {
    const file = join(clone(who), "secrets", path)
    rmSync(file, { recursive: true, force: true })
    if (content === null) continue
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
  }
}

/** Zoe commits files of the store, and Tom pulls that. */
export function plant(files: Files): void {
  write("tom", files)
  git("tom", "add", "-A")
  git("tom", "commit", "-q", "--author=zoe <zoe@example.com>", "-m", "a change")
}

/** Somebody else gets what Tom has: Ana pulls it; all others have a clone on which coffer never ran. */
function update(who: Name): void {
  if (who === "tom" || tipOf(who) === tipOf("tom")) return
  if (KNOWING.includes(who)) {
    git(who, "pull", "-q", "--ff-only", clone("tom"), "main")
    return
  }
  rmSync(clone(who), { recursive: true, force: true })
  execFileSync("cp", ["-a", clone("tom"), clone(who)])
  rmSync(join(clone(who), ".git/coffer"), { recursive: true, force: true })
}

/** Tom pulls what somebody committed. */
export function publish(who: Name): void {
  git("tom", "pull", "-q", "--ff-only", clone(who), "main")
}

function tipOf(who: Name): string | undefined {
  const ref = join(clone(who), ".git/refs/heads/main")
  return existsSync(ref) ? readFileSync(ref, "utf8") : undefined
}

/** Exit statuses, as CLI.md promises them to scripts. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  USAGE: 2,
  NAME_INVALID: 2,
  SETTING_UNKNOWN: 2,
  SETTING_INVALID: 2,
  CARD_INVALID: 2,
  NOT_A_MEMBER: 11,
  REMOVED: 11,
  ROLE_MISSING: 11,
  BEHIND: 13,
  DIVERGED: 13,
  GIT_REFUSED: 14,
}

export interface Victim extends Call {
  readonly who?: Name
  /** Default: reads API_TOKEN. */
  readonly run?: readonly string[]
  /** Default: the code's own. */
  readonly status?: number
}

/** Tom, or somebody else, is told the code, and the name of what is wrong; and not shown anything. */
export function refuses(
  code: ErrorCode,
  named: string,
  { who = "tom", run = ["get", "API_TOKEN"], status: expected = STATUS[code] ?? 12, ...call }: Victim = {},
): void {
  const { status, stdout, stderr } = coffer(who, ["--json", ...run], call)
  const line = stderr.split("\n").find(text => text.startsWith('{"error"'))
  assert.ok(line, `not refused: ${status} ${stdout} ${stderr}`)
  const { error } = JSON.parse(line)
  assert.is(error.code, code, stderr)
  assert.is(error.exit, expected)
  assert.is(status, expected)
  assert.is(stdout, "")
  assert.ok(`${error.message}`.includes(`"${named}"`), `does not name "${named}": ${error.message}`)
}

/** `check` lists the finding, whose message names the file; errors make it end with 3. */
export function finds(
  code: string,
  named: string,
  { level = "error", who = "tom", run = [], ...call }: Victim & { level?: "error" | "warning" } = {},
): void {
  const { status, stdout, stderr } = coffer(who, ["check", "--json", ...run], call)
  assert.is(status, level === "error" ? 3 : 0, `${stdout}${stderr}`)
  const { problems } = JSON.parse(stdout) as { problems: { code: string; level: string; message: string }[] }
  const found = problems.find(problem => problem.code === code && problem.message.includes(`"${named}"`))
  assert.is(found?.level, level, JSON.stringify(problems))
}

/** What somebody reads, with nothing to be said about it but `notes`. */
export function reads(
  value: string,
  { who = "tom", run = ["get", "API_TOKEN"], notes = /^$/, ...call }: Victim & { notes?: RegExp } = {},
): void {
  const { status, stdout, stderr } = coffer(who, run, call)
  assert.is(status, 0, stderr)
  assert.is(stdout, value)
  assert.match(stderr, notes)
}

/** Registers a test that begins with the world as it was. */
export function attack(name: string, run: () => void | Promise<void>): void {
  test(name, async () => {
    rmSync(root, { recursive: true, force: true })
    execFileSync("cp", ["-a", template, root])
    await run()
  })
}

async function makeWorld(): Promise<void> {
  const origin = join(root, "origin.git")
  for (const name of Object.keys(people) as Name[]) {
    const folder = join(root, "home", name, "config", "coffer")
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeFileSync(join(folder, "identity.txt"), `${people[name].line}\n`, { mode: 0o600 })
  }
  mkdirSync(clone("tom"))
  git("tom", "init", "-q", "--template=", "-b", "main")
  git("tom", "init", "-q", "--template=", "-b", "main", "--bare", origin)
  git("tom", "remote", "add", "origin", origin)
  for (const [tag, files] of Object.entries(steps)) {
    write("tom", files)
    git("tom", "add", "-A")
    git("tom", "commit", "-qm", tag)
    git("tom", "tag", tag)
  }
  git("tom", "push", "-qu", "--tags", "origin", "main")
  git("tom", "clone", "-q", "--template=", origin, clone("ana"))
  // Fewer files to copy before each attack.
  for (const folder of [clone("tom"), clone("ana"), origin]) git("tom", "-C", folder, "repack", "-adq")
  for (const who of KNOWING) {
    const store = await openStore({ directory: clone(who), env: envOf(who) })
    store.updateState({ pin: pinOf(first) })
    await getSecret(store, { name: parseSecretName("API_TOKEN") })
    await getSecret(store, { name: parseSecretName("prod/TOKEN") })
  }
  execFileSync("cp", ["-a", root, template])
}

await makeWorld()
