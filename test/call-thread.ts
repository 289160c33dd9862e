/** The thread in which call.ts runs coffer. */
import { createRequire } from "node:module"
import { join } from "node:path"
import { workerData } from "node:worker_threads"
import type { Entry } from "../src/cli/entry.js"
import type { Call, Outcome, ThreadData } from "./call.js"
import { fakeHost } from "./cli/fake-host.js"

const PROJECT = process.cwd()
const { entryFor } = createRequire(import.meta.url)(join(PROJECT, "bin/load.js"))
const { done, port } = workerData as ThreadData

port.on("message", async ({ argv, cwd, env, input }: Call) => {
  const memory = fakeHost(argv, { cwd, env, stdin: [input] })
  const host = {
    ...memory,
    now: () => new Date(),
    program: { node: process.execPath, folder: PROJECT },
  }
  const { runMain } = entryFor(argv) as Entry
  const status = await runMain(host)
  for (const cleanup of memory.cleanups) cleanup()
  const { stdout, stderr } = memory.printed
  port.postMessage({ status, stdout, stderr } satisfies Outcome)
  Atomics.store(done, 0, 1)
  Atomics.notify(done, 0)
})
