/** What the parts of the storm of hostile surroundings share: one call, judged, and what has to hold after it. */

import type { Outcome } from "../call.js"
import type { Random } from "../keyring/histories.js"
import { type Arena, CANARY, type Call, type Kind } from "./arena.js"
import { inspect, recover } from "./crash.js"
import { judgeEnd } from "./faults.js"

export interface PartTally {
  /** Calls of coffer in the surroundings. */
  tried: number
  done: number
  refused: number
  /** Calls that wrote a file of coffer's into what a link in place of a folder led to: docs/threat-model.md says so. */
  followed: number
  readonly failures: string[]
}

export interface PartOptions {
  readonly kind: Kind
  readonly random: Random
  /** How much of what the part has is done: 1 is a taste for the tests. */
  readonly rounds: number
}

export type Part = (options: PartOptions) => Promise<PartTally>

export function newPart(): PartTally {
  return { tried: 0, done: 0, refused: 0, followed: 0, failures: [] }
}

/** Runs coffer: it ends by itself, done or refused with a documented status, a code and a hint. */
export function attempt(
  arena: Arena,
  tally: PartTally,
  where: string,
  args: readonly string[],
  call: Call = {},
): Outcome {
  const fail = (what: string) => tally.failures.push(`${where}, coffer ${args.join(" ")}: ${what.trim()}`)
  const outcome = arena.run({ ...call, alone: true }, ...args, "--json")
  tally.tried++
  if (outcome.status === null) fail("hangs")
  else if (outcome.status !== 0) judgeEnd(outcome, false, fail)
  outcome.status === 0 ? tally.done++ : tally.refused++
  return outcome
}

/** {@link attempt} where nothing but success will do. */
export function attemptToo(
  arena: Arena,
  tally: PartTally,
  where: string,
  args: readonly string[],
  call: Call = {},
): Outcome {
  const outcome = attempt(arena, tally, where, args, call)
  if (outcome.status !== 0)
    tally.failures.push(`${where}, coffer ${args.join(" ")} does not work: ${outcome.stderr.trim()}`)
  return outcome
}

/** A write in the surroundings: acknowledged and there, or HEAD as before. */
export function attemptWrite(
  arena: Arena,
  tally: PartTally,
  where: string,
  args: readonly string[],
  call: Call = {},
): Outcome {
  const before = arena.git("rev-parse", "HEAD")
  const outcome = attempt(arena, tally, where, args, { input: `${CANARY} second`, ...call })
  const moved = arena.git("rev-parse", "HEAD") !== before
  if (moved !== (outcome.status === 0))
    tally.failures.push(`${where}, coffer ${args.join(" ")}: status ${outcome.status}, HEAD moved: ${moved}`)
  return outcome
}

/** Once the surroundings are friendly again, the next command works and nothing is left. */
export function settle(arena: Arena, tally: PartTally, where: string): void {
  const fail = (what: string) => tally.failures.push(`${where}: ${what.trim()}`)
  recover(arena, fail)
  inspect(arena, fail)
}
