/** The long model run: sequences of random operations in two clones, on two threads. */
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import type { StormOptions } from "./main.js"
import type { Tally } from "./model-sequence.js"
import { Sequences } from "./model-shrink.js"

const ROUNDS = 2_000
const STEPS = 50
const THREADS = 2
/** After so many failures the rest would say the same. */
const ENOUGH = 10

/** What a thread tells: of one sequence, or at its end. */
interface Told {
  readonly report?: string | undefined
  readonly tally?: Tally
}

/** A round is one sequence; its number is the seed plus its place, so that any can be run alone. */
export async function modelStorm({ rounds = ROUNDS, seed }: StormOptions): Promise<boolean> {
  const total: Tally = new Map()
  let done = 0
  let failed = 0
  const start = Date.now()
  const tell = ({ report, tally }: Told) => {
    if (tally !== undefined)
      for (const [what, count] of tally) total.set(what, count + (total.get(what) ?? 0))
    else done++
    if (report !== undefined) console.log(`${++failed}: ${report}`)
    if (tally === undefined && done % 100 === 0)
      console.log(`${done} sequences, ${failed} disagreed, ${Math.round((Date.now() - start) / 1000)} s`)
  }
  await Promise.all(Array.from({ length: THREADS }, (_, first) => runThread({ rounds, seed, first }, tell)))
  console.log(
    `${done} sequences of ${STEPS} operations, ${failed} disagreed, ${Math.round((Date.now() - start) / 1000)} s`,
  )
  for (const [what, count] of [...total].sort(([a], [b]) => (a < b ? -1 : 1)))
    console.log(`  ${what}: ${count}`)
  return failed === 0
}

interface Share {
  readonly rounds: number
  readonly seed: number
  readonly first: number
}

function runThread(share: Share, tell: (told: Told) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: share })
    worker.on("message", tell)
    worker.on("error", reject)
    worker.on("exit", () => resolve())
  })
}

async function runShare({ rounds, seed, first }: Share): Promise<void> {
  const sequences = new Sequences()
  const tally: Tally = new Map()
  try {
    await sequences.prepare()
    let failed = 0
    for (let place = first; place < rounds && failed < ENOUGH; place += THREADS) {
      const report = await sequences.run(seed + place, STEPS, tally)
      if (report !== undefined) failed++
      parentPort!.postMessage({ report } satisfies Told)
    }
    parentPort!.postMessage({ tally } satisfies Told)
  } finally {
    sequences.remove()
  }
}

if (!isMainThread) await runShare(workerData as Share)
