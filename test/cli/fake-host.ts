/** A host in memory: what is typed is given, what is printed is kept. */
import type { Globals } from "../../src/cli/globals.js"
import type { Host, Signal } from "../../src/cli/host.js"
import type { Environment } from "../../src/storage/environment.js"

export interface FakeHost extends Host {
  readonly printed: { stdout: string; stderr: string; bytes: Uint8Array[] }
  readonly raw: boolean[]
  signal(signal: Signal): void
  readonly cleanups: Set<() => void>
}

export interface FakeOptions {
  readonly env?: Environment
  readonly cwd?: string
  /** Chunks that stdin gives. */
  readonly stdin?: readonly (string | Uint8Array)[]
  /** Whether all three are terminals. */
  readonly tty?: boolean
}

/** The global options of a call that gives none. */
export const globals: Globals = {
  C: [],
  identity: [],
  json: false,
  input: true,
  quiet: false,
  debug: false,
  help: false,
  version: false,
}

class Died extends Error {
  readonly signal: string
  constructor(signal: string) {
    super(signal)
    this.signal = signal
  }
}

export function fakeHost(argv: readonly string[], options: FakeOptions = {}): FakeHost {
  const printed: FakeHost["printed"] = { stdout: "", stderr: "", bytes: [] }
  const listeners = new Map<Signal, Set<() => void>>()
  const cleanups = new Set<() => void>()
  const raw: boolean[] = []
  const chunks = [...(options.stdin ?? [])].map(chunk => Buffer.from(chunk))
  const isTty = options.tty ?? false
  return {
    printed,
    raw,
    cleanups,
    argv,
    env: options.env ?? {},
    cwd: options.cwd ?? "/",
    stdin: {
      isTty,
      async *chunks() {
        for (let chunk = chunks.shift(); chunk !== undefined; chunk = chunks.shift()) yield chunk
      },
      setRaw: on => raw.push(on),
    },
    stdout: {
      isTty,
      write(data) {
        printed.stdout += Buffer.from(data as string).toString()
        printed.bytes.push(Buffer.from(data as string))
      },
    },
    stderr: {
      isTty,
      write(data) {
        printed.stderr += Buffer.from(data as string).toString()
      },
    },
    now: () => new Date("2026-05-04T03:02:01Z"),
    program: { node: "/usr/bin/node", folder: "/opt/coffer" },
    onSignal(signal, listener) {
      const own = listeners.get(signal) ?? new Set()
      listeners.set(signal, own.add(listener))
      return () => own.delete(listener)
    },
    atExit(cleanup) {
      cleanups.add(cleanup)
      return () => cleanups.delete(cleanup)
    },
    exit(status) {
      throw new Error(`exit ${status}`)
    },
    die(signal) {
      throw new Died(signal)
    },
    signal(signal) {
      for (const listener of listeners.get(signal) ?? []) listener()
    },
  }
}
