/** The long run of faults: each step of each operation fails or is the last one, on both back ends. */
import { pick, type Random, randomFrom } from "../keyring/histories.js"
import { type Arena, KINDS, withArena } from "./arena.js"
import { type Operation, operations } from "./crash.js"
import { ANSWERS, type Errno, type Step } from "./fault-steps.js"
import { type Fault, type FaultTally, faultOperations, meetFault, stepsOf } from "./faults.js"
import type { StormOptions } from "./main.js"

const SECRETS = 4

type Meetable = Extract<Fault, { kind: "fail" | "kill" }>

/** What is done to every step in turn. */
type Pass = { readonly errno: Errno; readonly lasting: boolean } | "kill"

const PASSES: readonly Pass[] = [
  { errno: "EIO", lasting: false },
  { errno: "EACCES", lasting: false },
  { errno: "ENOSPC", lasting: false },
  { errno: "ENOSPC", lasting: true },
  { errno: "EIO", lasting: true },
  "kill",
]

/** A round is one fault of each pass at a step drawn for each operation; without rounds every step is met. */
export async function faultsStorm({ rounds, seed, wants }: StormOptions): Promise<boolean> {
  let held = true
  for (const kind of KINDS) {
    await withArena(kind, SECRETS, async arena => {
      for (const operation of faultOperations(SECRETS)) {
        const part = `${kind}, ${operation.name}`
        if (!wants(part)) continue
        const random = randomFrom(`${seed}/${kind}/${operation.name}`)
        const steps = await stepsOf(arena, operation)
        for (const pass of PASSES) {
          const tally = await meetAll(arena, operation, { pass, steps, rounds, random })
          report(`${part}, ${nameOf(pass)}`, tally)
          held &&= tally.failures.length === 0 && tally.hit > 0
        }
      }
    })
  }
  return held
}

/** A few faults of one operation, all drawn: what the tests have time for. */
export async function fewFaults(
  arena: Arena,
  secrets: number,
  count: number,
  random: Random,
): Promise<FaultTally> {
  const tally = newTally()
  const operation = pick(random, operations(secrets))
  const steps = await stepsOf(arena, operation)
  for (let done = 0; done < count; done++)
    await meetDrawn(arena, operation, { pass: pick(random, PASSES), steps, random }, tally)
  return tally
}

interface Plan {
  readonly pass: Pass
  readonly steps: readonly string[]
  readonly random: Random
}

async function meetAll(
  arena: Arena,
  operation: Operation,
  plan: Plan & { readonly rounds: number | undefined },
): Promise<FaultTally> {
  const tally = newTally()
  if (plan.rounds !== undefined) {
    for (let round = 0; round < plan.rounds; round++) await meetDrawn(arena, operation, plan, tally)
    return tally
  }
  // The last step of one run need not be that of the next: on until a run meets no fault any more.
  for (let step = 1, hit = -1; step <= plan.steps.length || hit !== tally.hit; step++) {
    hit = tally.hit
    for (const fault of faultsAt(plan, step)) await meetFault(arena, operation, fault, plan.random, tally)
  }
  return tally
}

async function meetDrawn(arena: Arena, operation: Operation, plan: Plan, tally: FaultTally): Promise<void> {
  const before = tally.hit
  const failed = tally.failures.length
  // The drawn step may not be able to fail so, or not be there in this run.
  while (tally.hit === before && tally.failures.length === failed) {
    const faults = faultsAt(plan, 1 + Math.floor(plan.random() * plan.steps.length))
    const fault = faults[Math.floor(plan.random() * faults.length)]
    if (fault === undefined) continue
    await meetFault(arena, operation, fault, plan.random, tally)
  }
}

/**
 * None where that step cannot fail so. Between two steps that change nothing a kill meets what it met before, and
 * so does a fault that lasts.
 */
function faultsAt({ pass, steps, random }: Plan, step: number): Meetable[] {
  const isReading = ["read", "look"].includes((steps[step - 1] ?? "git").split("\t")[0]!)
  if (isReading && (pass === "kill" || pass.lasting)) return []
  if (pass === "kill") {
    return [{ kind: "kill", step, withChildren: random() < 0.5, pauseMs: Math.floor(random() * 8) }]
  }
  const [kind] = (steps[step - 1] ?? "git").split("\t") as [Step]
  if (!ANSWERS[pass.errno].includes(kind)) return []
  const gits = kind === "git" ? (["refuse", "after"] as const) : (["refuse"] as const)
  return gits.map(git => ({ kind: "fail", step, git, ...pass }))
}

function newTally(): FaultTally {
  return { hit: 0, done: 0, undone: 0, failures: [] }
}

function nameOf(pass: Pass): string {
  return pass === "kill" ? "killed" : `${pass.errno} ${pass.lasting ? "from a step on" : "once"}`
}

function report(what: string, { hit, done, undone, failures }: FaultTally): void {
  console.log(`${what}: ${hit} met, ${done} done, ${undone} undone, ${failures.length} wrong`)
  for (const failure of failures.slice(0, 10)) console.log(`  ${failure.trim()}`)
}
