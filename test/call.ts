/**
 * Calls coffer's built command line as a program is called, in a thread of this process: what is run is the same,
 * but for the start of a process, which is most of what a short call costs.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads"

/** What one call came to. */
export interface Outcome {
  /** null: it hung, and was ended. */
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** What a call is given. Everything else that a process has, coffer does not look at. */
export interface Call {
  readonly argv: readonly string[]
  /** Absolute. */
  readonly cwd: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly input: string
}

export interface ThreadData {
  /** 0 while a call is running. */
  readonly done: Int32Array
  readonly port: MessagePort
}

interface Thread extends ThreadData {
  readonly worker: Worker
}

let thread: Thread | undefined

/** Programs that coffer starts with its own console need one: such a call cannot be made in a thread. */
export function needsProcess([command]: readonly string[]): boolean {
  return command === "run" || command === "edit"
}

/** @param limit - milliseconds after which a call counts as hanging. */
export function callCoffer(call: Call, limit: number): Outcome {
  thread ??= startThread()
  const { done, port, worker } = thread
  Atomics.store(done, 0, 0)
  port.postMessage(call)
  if (Atomics.wait(done, 0, 0, limit) === "timed-out") {
    void worker.terminate()
    thread = undefined
    return { status: null, stdout: "", stderr: `no end after ${limit} ms` }
  }
  return receiveMessageOnPort(port)?.message
}

function startThread(): Thread {
  const done = new Int32Array(new SharedArrayBuffer(4))
  const { port1, port2 } = new MessageChannel()
  const workerData: ThreadData = { done, port: port2 }
  const worker = new Worker(new URL("./call-thread.js", import.meta.url), {
    workerData,
    transferList: [port2],
  })
  worker.unref()
  port1.unref()
  return { worker, done, port: port1 }
}
