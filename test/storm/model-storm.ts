/** The long model run: sequences of random operations in two clones, on two threads. */
import { once } from "node:events"
import { isMainThread, parentPort, Worker } from "node:worker_threads"
import type { StormOptions } from "./main.js"
import type { Tally } from "./model-sequence.js"
import { Sequences } from "./model-shrink.js"

const ROUNDS = 2_000
const STEPS = 50
const THREADS = 2
/** After so many failures the rest would say the same. */
const ENOUGH = 20

/** What a thread tells of one sequence. */
interface Told {
  readonly report: string | undefined
  readonly tally: Tally
}

/** A round is one sequence; its number is the seed plus its place, so that any can be run alone. */
export async function modelStorm({ rounds = ROUNDS, seed }: StormOptions): Promise<boolean> {
  const figures: Figures = { done: 0, failed: 0, tally: new Map(), start: Date.now() }
  let next = seed
  const take = () => (next < seed + rounds && figures.failed < ENOUGH ? next++ : undefined)
  await Promise.all(Array.from({ length: THREADS }, () => runThread(take, told => tell(figures, told))))
  print(figures)
  for (const [what, count] of [...figures.tally].sort()) console.log(`  ${what}: ${count}`)
  return figures.failed === 0
}

interface Figures {
  done: number
  failed: number
  readonly tally: Tally
  readonly start: number
}

function tell(figures: Figures, { report, tally }: Told): void {
  for (const [what, count] of tally) figures.tally.set(what, count + (figures.tally.get(what) ?? 0))
  if (report !== undefined) console.log(`${++figures.failed}: ${report}`)
  if (++figures.done % 50 === 0) print(figures)
}

function print({ done, failed, tally, start }: Figures): void {
  const operations = [...tally.values()].reduce((sum, count) => sum + count, 0)
  const seconds = Math.round((Date.now() - start) / 1000)
  console.log(`${done} sequences, ${operations} operations, ${failed} disagreed, ${seconds} s`)
}

/** Gives a thread one number after another. */
async function runThread(take: () => number | undefined, hear: (told: Told) => void): Promise<void> {
  const worker = new Worker(new URL(import.meta.url))
  const ended = once(worker, "exit")
  worker.on("message", (told: Told) => {
    hear(told)
    worker.postMessage(take())
  })
  worker.postMessage(take())
  await ended
}

async function runNumbers(): Promise<void> {
  const sequences = new Sequences()
  try {
    for (;;) {
      const [number] = (await once(parentPort!, "message")) as [number | undefined]
      if (number === undefined) break
      const tally: Tally = new Map()
      const report = await sequences.run(number, STEPS, tally)
      parentPort!.postMessage({ report, tally } satisfies Told)
    }
  } finally {
    sequences.remove()
    parentPort!.close()
  }
}

if (!isMainThread) await runNumbers()
