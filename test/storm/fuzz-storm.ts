/** The long fuzzing run: a million cases for each parser. */
import { fuzz, fuzzLong, TARGETS } from "./fuzz.js"
import type { StormOptions } from "./main.js"

const RUNS = 1_000_000

/** A round is one case for each parser. */
export async function fuzzStorm({ rounds = RUNS, seed }: StormOptions): Promise<boolean> {
  let held = true
  for (const target of TARGETS) {
    const start = Date.now()
    try {
      await fuzz(target, { runs: rounds, seed })
      await fuzzLong(target)
      const seconds = Math.round((Date.now() - start) / 1000)
      // The most that the process has held since its start.
      const peak = Math.round(process.resourceUsage().maxRSS / 1024)
      console.log(`${target.name}: ${rounds} cases in ${seconds} s, typed errors only, ${peak} MiB at most`)
    } catch (error) {
      held = false
      console.log(
        `${target.name}: ${error instanceof Error ? `${error.cause ?? ""} ${error.message}` : error}`,
      )
    }
  }
  return held
}
