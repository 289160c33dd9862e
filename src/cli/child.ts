/** Programs that coffer starts for the user: they get the terminal, the signals and the last word on the status. */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process"
import { CofferError } from "../errors.js"
import type { Environment } from "../storage/environment.js"
import { withoutIdentities } from "../storage/environment.js"
import { errnoOf } from "../storage/files.js"
import { type Host, type Signal, signalStatus } from "./host.js"

export interface ChildRequest {
  /** A path, or a name that is looked up on PATH. No shell is involved. */
  readonly file: string
  readonly args: readonly string[]
  readonly env: Environment
  readonly cwd: string
  /** What it prints goes to stderr where stdout is no terminal: it is not what coffer was asked for. */
  readonly aside?: boolean
  /** Called once the program runs: from then on stderr is its own too. */
  readonly started?: () => void
}

/** A signal where one that coffer got too ended the program; else its status, 128+n where another signal did. */
export type ChildEnd = { readonly status: number } | { readonly signal: NodeJS.Signals }

export interface Child {
  /** Rejects with a {@link StartError} if the program could not be started. */
  readonly ended: Promise<ChildEnd>
  /** Sends SIGTERM, and SIGKILL where that has not helped after `graceMs`. @returns how it ended */
  stop(graceMs: number): Promise<ChildEnd>
  /**
   * Whether somebody else wants it ended: SIGTERM came at some time, or another signal that ends programs since
   * {@link stop}. Before that an interrupt or a hangup may mean something else to the program.
   */
  isStopped(): boolean
}

/** Starts a program with coffer's own stdin, stdout and stderr. Until it ends, signals go to it. */
export function startChild(host: Host, request: ChildRequest): Child {
  // Listening first: a signal that came in between would end coffer and leave the child behind.
  let stopping = false
  let stopped = false
  const got = new Set<NodeJS.Signals>()
  const restore = forwardSignals(host, {
    seen(signal) {
      got.add(signal)
      stopped ||= signal === "SIGTERM" || (stopping && ENDING.includes(signal))
    },
    send: signal => child.kill(signal),
  })
  const child = spawnOr(restore, request, request.aside === true && !host.stdout.isTty)
  const ended = new Promise<ChildEnd>((resolve, reject) => {
    child.once("spawn", () => request.started?.())
    child.once("error", error => reject(startFailure(error)))
    child.once("exit", (status, signal) => {
      if (signal === null) return resolve({ status: status ?? 0 })
      const end = () => resolve(got.has(signal) ? { signal } : { status: signalStatus(signal) })
      // Sent to both, it may reach coffer a moment after it has ended the program.
      if (got.has(signal) || !FORWARDED.some(each => each === signal)) end()
      else setTimeout(end, LATE_MS)
    })
  }).finally(restore)
  return {
    ended,
    stop(graceMs) {
      stopping = true
      child.kill("SIGTERM")
      const timer = setTimeout(() => child.kill("SIGKILL"), graceMs)
      return ended.finally(() => clearTimeout(timer))
    },
    isStopped: () => stopped,
  }
}

const LATE_MS = 100

const FORWARDED: readonly Signal[] = ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"]
const ENDING: readonly Signal[] = ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP"]

function spawnOr(giveUp: () => void, { file, args, env, cwd }: ChildRequest, aside: boolean): ChildProcess {
  try {
    const stdio: StdioOptions = ["inherit", aside ? 2 : "inherit", "inherit"]
    return spawn(file, args, { stdio, env: withoutIdentities(env), cwd })
  } catch (error) {
    giveUp()
    throw startFailure(error) // Node throws some errors and emits others
  }
}

/**
 * A terminal sends Ctrl-C to the whole foreground group: passed on, the child would see it twice. What
 * reaches coffer alone has to be passed on.
 */
function forwardSignals(
  host: Host,
  { seen, send }: { seen(signal: Signal): void; send(signal: Signal): void },
): () => void {
  const fromTerminal: readonly Signal[] = host.stdin.isTty ? ["SIGINT", "SIGQUIT"] : []
  const restore = FORWARDED.map(signal =>
    host.onSignal(signal, () => {
      seen(signal)
      if (!fromTerminal.includes(signal)) send(signal)
    }),
  )
  return () => {
    for (const each of restore) each()
  }
}

/** A program that could not be started, with the status that a shell gives. */
export class StartError extends CofferError {
  readonly status: 126 | 127

  constructor(status: 126 | 127, message: string, { hint, cause }: { hint: string; cause: unknown }) {
    super(status === 127 ? "NOT_FOUND" : "IO_FAILED", message, { hint, cause })
    this.status = status
  }

  override get exit(): number {
    return this.status
  }
}

// The command is not repeated: where it is not found, it may be a value typed in the wrong place.
function startFailure(error: unknown): StartError {
  const errno = errnoOf(error)
  // Node does not even try an empty name, and throws the last of these.
  if (errno === "ENOENT" || errno === "ENOTDIR" || errno === "ERR_INVALID_ARG_VALUE") {
    const hint = "after -- comes a program on the PATH, or its path, and then its arguments"
    return new StartError(127, "the command was not found", { hint, cause: error })
  }
  if (errno === "E2BIG") {
    const hint = "fewer secrets at once: coffer run -p PREFIX"
    const message = "arguments and environment are larger than the system allows"
    return new StartError(126, message, { hint, cause: error })
  }
  const hint = "ls -l shows whether it is a program that you may run"
  return new StartError(126, `the command could not be started: ${errno ?? "unknown error"}`, {
    hint,
    cause: error,
  })
}
