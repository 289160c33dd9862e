/** Running the git binary: found on absolute paths only, with an environment and settings that start nothing else. */
import { type ChildProcessWithoutNullStreams, type SpawnOptionsWithoutStdio, spawn } from "node:child_process"
import { accessSync, constants, statSync } from "node:fs"
import { devNull } from "node:os"
import { delimiter, isAbsolute, join } from "node:path"
import { CofferError } from "../../errors.js"
import { type Environment, withoutIdentities } from "../environment.js"

/** A git binary, ready to run. */
export interface GitProgram {
  /** What commands run with, before anything is added. */
  readonly environment: Environment
  /** Runs a command and collects what it says. */
  run(args: readonly string[], options?: RunOptions): Promise<Output>
  /** The same where any other status than 0 is a failure. @throws CofferError `GIT_FAILED` with git's words */
  text(args: readonly string[], options?: RunOptions): Promise<string>
  /** Starts a command whose input and output are streams. */
  start(args: readonly string[], options?: RunOptions): ChildProcessWithoutNullStreams
}

export interface RunOptions {
  readonly cwd?: string
  /** Added to the environment. */
  readonly env?: Environment
  /** Settings (`name=value`) for this one command. */
  readonly settings?: readonly string[]
  readonly input?: string | Uint8Array | undefined
  /** What the command may start: nothing by default, the user's hooks and signing program in a write. */
  readonly programs?: "none" | "hooks"
}

export interface Output {
  readonly status: number
  readonly stdout: Buffer
  readonly stderr: string
}

/** Finds the git binary on PATH. */
export function findGit(env: Environment): GitProgram | undefined {
  const file = findOnPath(env)
  return file === undefined ? undefined : programAt(file, plainEnvironment(env))
}

/** git's own words for an error, on one line. */
export function wordsOf(stderr: string): string {
  return stderr
    .replace(/^warning: core\.fsyncObjectFiles .*\n/gm, "")
    .replace(/^(fatal|error): /gm, "")
    .trim()
    .replace(/:\n\s+/g, ": ")
    .replace(/\s*\n\s*/g, "; ")
}

function programAt(file: string, plain: Record<string, string | undefined>): GitProgram {
  const start = (args: readonly string[], options: RunOptions = {}) => {
    const isQuiet = options.programs !== "hooks"
    const settings = [...(isQuiet ? QUIET_SETTINGS : []), ...(options.settings ?? [])]
    const child = startProcess(file, [...settings.flatMap(setting => ["-c", setting]), ...args], {
      cwd: options.cwd,
      env: { ...plain, ...(isQuiet ? QUIET_ENVIRONMENT : {}), ...options.env },
      windowsHide: true,
    })
    // A command that ends early breaks the pipe, one that cannot start has no status: both are seen elsewhere.
    child.stdin.on("error", () => {})
    child.on("error", () => {})
    return isQuiet ? child : leaveOthers(child)
  }
  const run = (args: readonly string[], options: RunOptions = {}) => {
    const child = start(args, options)
    child.stdin.end(options.input)
    return collect(child)
  }
  return {
    environment: plain,
    start,
    run,
    async text(args, options) {
      const { status, stdout, stderr } = await run(args, options)
      if (status === 0) return stdout.toString()
      throw new CofferError("GIT_FAILED", `git ${args[0]}: ${wordsOf(stderr) || `status ${status}`}`)
    },
  }
}

/** Node tells of some errors by an event, and of others, such as a folder that is none, at once. @throws CofferError `GIT_FAILED` */
export function startProcess(
  file: string,
  args: readonly string[],
  options: SpawnOptionsWithoutStdio,
): ChildProcessWithoutNullStreams {
  try {
    return spawn(file, args, options)
  } catch (error) {
    throw notStarted(error)
  }
}

function notStarted(cause: unknown): CofferError {
  return new CofferError("GIT_FAILED", "git could not be started", {
    hint: "git status in the same folder says why, if the folder is there",
    cause,
  })
}

/** As git: a process that a hook leaves behind is not waited for, though it may keep the command's output open. */
export function leaveOthers(child: ChildProcessWithoutNullStreams): ChildProcessWithoutNullStreams {
  const close = () => {
    child.stdout.destroy()
    child.stderr.destroy()
  }
  // What the command itself has written is there by now; setImmediate comes after it was read.
  return child.once("exit", () => setTimeout(() => setImmediate(close), OTHERS_MS).unref())
}

const OTHERS_MS = 200

/** Waits for a started command, whose input somebody else writes. */
export function collect(child: ChildProcessWithoutNullStreams): Promise<Output> {
  return new Promise((resolve, reject) => {
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk))
    child.on("error", error => reject(notStarted(error)))
    child.on("close", status =>
      resolve({
        status: status ?? -1,
        stdout: Buffer.concat(stdout),
        stderr: Buffer.concat(stderr).toString(),
      }),
    )
  })
}

/**
 * Settings in a repository's `config` can name programs. A repository from elsewhere (an archive, a shared disk)
 * brings its own: reading it must start none of them.
 */
const QUIET_SETTINGS = ["core.fsmonitor=false", `core.hooksPath=${devNull}`]

const QUIET_ENVIRONMENT: Environment = {
  GIT_LITERAL_PATHSPECS: "1",
  GIT_NO_REPLACE_OBJECTS: "1",
  // A partial clone would fetch what it lacks, through whatever transport its config names.
  GIT_NO_LAZY_FETCH: "1",
  GIT_ALLOW_PROTOCOL: "none",
}

/**
 * The caller's environment without git's own variables, as `git rev-parse --local-env-vars` advises for any other
 * repository than the one a hook runs in; who the user is and which settings are his own is kept.
 */
function plainEnvironment(env: Environment): Record<string, string | undefined> {
  const kept = Object.entries(withoutIdentities(env)).filter(
    ([name]) => !DROPPED.test(name) || KEPT.test(name),
  )
  const folders = absolutePath(env)
  return {
    ...Object.fromEntries(kept),
    PATH: folders.join(delimiter),
    GIT_TERMINAL_PROMPT: "0",
    GIT_OPTIONAL_LOCKS: "0",
  }
}

/** PATH is set anew; on Windows it may be spelt otherwise. */
const DROPPED = /^(GIT_.*|path)$/i
const KEPT =
  /^GIT_((AUTHOR|COMMITTER)_(NAME|EMAIL)|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+)|CEILING_DIRECTORIES|DISCOVERY_ACROSS_FILESYSTEM|EXEC_PATH)$/

/** Never the current folder and nothing relative to it: a repository could hold a "git". */
function absolutePath(env: Environment): string[] {
  const path = env.PATH ?? env.Path ?? ""
  return path.split(delimiter).filter(folder => isAbsolute(folder))
}

function findOnPath(env: Environment): string | undefined {
  const name = process.platform === "win32" ? "git.exe" : "git"
  return absolutePath(env)
    .map(folder => join(folder, name))
    .find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return statSync(file).isFile()
  } catch {
    return false
  }
}
