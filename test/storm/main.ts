/** The long runs: `npm run storm -- NAME [--rounds N] [--seed N] [--only TEXT]`. Each prints its seed and its figures. */
import { parseArgs } from "node:util"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string" }, seed: { type: "string" }, only: { type: "string" } },
})

export interface StormOptions {
  /** Multiplies nothing by itself: each storm says what one round is. */
  readonly rounds: number | undefined
  readonly seed: number
  /** Whether a part of crash, faults, race or surroundings is to run, by what its line begins with: "system, set". */
  wants(part: string): boolean
}

/** A storm returns whether all held. */
type Storm = (options: StormOptions) => Promise<boolean>

const STORMS: Readonly<Record<string, () => Promise<Storm>>> = {
  faults: async () => (await import("./faults-storm.js")).faultsStorm,
  surroundings: async () => (await import("./surroundings-storm.js")).surroundingsStorm,
  crash: async () => (await import("./crash-storm.js")).crashStorm,
  race: async () => (await import("./race-storm.js")).raceStorm,
  tamper: async () => (await import("./tamper-storm.js")).tamperStorm,
  flows: async () => (await import("./flows-storm.js")).flowsStorm,
  fuzz: async () => (await import("./fuzz-storm.js")).fuzzStorm,
  model: async () => (await import("./model-storm.js")).modelStorm,
}

const seed = Number(values.seed ?? Date.now() % 1_000_000)
const rounds = values.rounds === undefined ? undefined : Number(values.rounds)
const wants = (part: string) => part.startsWith(values.only ?? "")
const wanted = positionals.length > 0 ? positionals : Object.keys(STORMS)
for (const name of wanted) {
  const load = STORMS[name]
  if (load === undefined) throw new Error(`there is no storm "${name}": ${Object.keys(STORMS).join(", ")}`)
  console.log(`\n${name} (seed ${seed})`)
  const held = await (await load())({ rounds, seed, wants })
  console.log(held ? `${name}: held` : `${name}: FAILED`)
  if (!held) process.exitCode = 1
}
