/** The process that coffer runs in: the one reader of its clock, environment, arguments and console. */
import { fstatSync, realpathSync, writeSync } from "node:fs"
import { dirname } from "node:path"
import { CofferError } from "../errors.js"
import type { Environment } from "../storage/environment.js"

/** The signals that coffer acts on. */
export type Signal = "SIGINT" | "SIGQUIT" | "SIGTERM" | "SIGHUP" | "SIGUSR1" | "SIGUSR2"

export interface Input {
  readonly isTty: boolean
  /** What arrives until the end of input; may be asked for again, and goes on where the last reader stopped. */
  chunks(): AsyncIterable<Uint8Array>
  /** Raw: keys arrive as they are typed and are not shown. */
  setRaw(raw: boolean): void
}

export interface Output {
  readonly isTty: boolean
  /** Writes all of it before it returns. A reader that has gone away is no error. */
  write(data: string | Uint8Array): void
}

/** Everything outside the program. Tests give their own. */
export interface Host {
  /** The arguments after the program's name. */
  readonly argv: readonly string[]
  readonly env: Environment
  /** Absolute path of the current folder. */
  readonly cwd: string
  readonly stdin: Input
  readonly stdout: Output
  readonly stderr: Output
  now(): Date
  /** What git hooks start: the node binary, and the package folder with `bin/` and `hooks/` below it. */
  readonly program: { readonly node: string; readonly folder: string }
  /** Calls `listener` in place of what the signal does; the function returned puts that back. */
  onSignal(signal: Signal, listener: () => void): () => void
  /** Registers work to be done however the program ends, short of SIGKILL; the function returned drops it. */
  atExit(cleanup: () => void): () => void
  /** Ends the program at once, whatever is still open. */
  exit(status: number): never
  /** Ends the program as the signal would have, so that whoever waits for it sees that. */
  die(signal: NodeJS.Signals): never
}

/** The host of the running process. */
export function processHost(): Host {
  const ending = endings()
  // A program that ends because nothing is left to wait for has not done what it was asked to.
  process.exitCode = 1
  return {
    argv: process.argv.slice(2),
    env: process.env,
    cwd: process.cwd(),
    stdin: processInput(),
    stdout: outputOf(1),
    stderr: outputOf(2),
    now: () => new Date(),
    get program() {
      return { node: process.execPath, folder: dirname(dirname(realpathSync(process.argv[1] ?? "."))) }
    },
    ...ending,
  }
}

/** The status by which a shell tells that a signal ended a program. */
export function signalStatus(signal: NodeJS.Signals): number {
  return 128 + process.getBuiltinModule("node:os").constants.signals[signal]
}

/** Signals, and what has to be done before the program ends. Nothing is installed until something is registered. */
function endings(): Pick<Host, "onSignal" | "atExit" | "exit" | "die"> {
  const listeners = new Map<Signal, Set<() => void>>()
  const cleanups = new Set<() => void>()
  const watched = new Set<Signal>()

  function cleanUp(): void {
    for (const cleanup of cleanups) cleanup()
    cleanups.clear()
  }
  function die(signal: NodeJS.Signals): never {
    cleanUp()
    if (FATAL.includes(signal)) {
      process.removeAllListeners(signal)
      process.kill(process.pid, signal)
    }
    process.exit(signalStatus(signal))
  }
  function watch(signal: Signal): void {
    if (watched.has(signal)) return
    watched.add(signal)
    process.on(signal, () => {
      const own = listeners.get(signal) ?? []
      for (const listener of own) listener()
      if ([...own].length === 0) die(signal)
    })
  }
  return {
    onSignal(signal, listener) {
      const own = listeners.get(signal) ?? new Set()
      listeners.set(signal, own.add(listener))
      watch(signal)
      return () => own.delete(listener)
    },
    atExit(cleanup) {
      if (cleanups.size === 0) process.once("exit", cleanUp)
      cleanups.add(cleanup)
      for (const signal of ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP"] as const) watch(signal)
      return () => cleanups.delete(cleanup)
    },
    exit: status => process.exit(status),
    die,
  }
}

/**
 * Signals that end the program by being sent to itself. Of the others some make a core file, with
 * values in it, and some are ignored by Node or start its debugger: there the status has to do.
 */
const FATAL: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL", "SIGALRM"]

function processInput(): Input {
  const waiting: Uint8Array[] = []
  return {
    get isTty() {
      return isTerminal(0)
    },
    async *chunks() {
      // An iterator of the stream that is left closes it; these listeners leave it for the next reader.
      const { stdin } = process
      let wake = () => {}
      let ended: boolean = stdin.readableEnded
      const onData = (chunk: Uint8Array) => {
        waiting.push(chunk)
        wake()
      }
      const onEnd = () => {
        ended = true
        wake()
      }
      // After a pause, a listener alone does not make it flow again: nothing would wait for the answer.
      stdin.on("data", onData).on("end", onEnd).on("error", onEnd).resume()
      try {
        for (;;) {
          const chunk = waiting.shift()
          if (chunk !== undefined) yield chunk
          else if (ended) return
          else await new Promise<void>(resolve => (wake = resolve))
        }
      } finally {
        stdin.off("data", onData).off("end", onEnd).off("error", onEnd).pause()
      }
    },
    setRaw(raw) {
      process.stdin.setRawMode?.(raw)
    },
  }
}

function outputOf(fd: 1 | 2): Output {
  return {
    get isTty() {
      return isTerminal(fd)
    },
    write: data => writeAll(fd, typeof data === "string" ? Buffer.from(data) : data),
  }
}

/** The major number of /dev/null and its like on Linux: character devices that are no terminals. */
const MEMORY_DEVICES = 1

// fstat first: asking whether a pipe is a terminal would load Node's network code on the way of `get`.
function isTerminal(fd: number): boolean {
  try {
    const stats = fstatSync(fd)
    if (!stats.isCharacterDevice() || stats.rdev >>> 8 === MEMORY_DEVICES) return false
    return process.getBuiltinModule("node:tty").isatty(fd)
  } catch {
    return false // closed
  }
}

const RETRY_MS = 5

/** Writes without the streams of `process`, which cost more to load than a `get` has to spend. */
function writeAll(fd: 1 | 2, bytes: Uint8Array): void {
  let written = 0
  while (written < bytes.length) {
    try {
      written += writeSync(fd, bytes, written)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === "EPIPE") return
      if (code !== "EAGAIN") throw cannotWrite(fd, error)
      // A full pipe that some other program has made non-blocking.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS)
    }
  }
}

function cannotWrite(fd: 1 | 2, cause: unknown): CofferError {
  return new CofferError("IO_FAILED", `could not write to ${fd === 1 ? "stdout" : "stderr"}`, { cause })
}
