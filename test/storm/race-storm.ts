/** The long race run: 16 processes, 50 writes each, ten rounds, both back ends. */
import { type Random, randomFrom } from "../keyring/histories.js"
import { type Arena, KINDS, withArena } from "./arena.js"
import type { StormOptions } from "./main.js"
import { inspectRace, type RaceResult, raceCas, raceNames, raceRotate, raceUser } from "./race.js"

const SECRETS = 5
const PROCESSES = 16
const WRITES = 50
const ROUNDS = 10

type Race = (arena: Arena, random: Random) => Promise<RaceResult>

const RACES: Readonly<Record<string, Race>> = {
  "distinct names": arena => raceNames(arena, PROCESSES, WRITES),
  "one name with --cas": (arena, random) => raceCas(arena, PROCESSES, WRITES, random),
  "rotate during sets": arena => raceRotate(arena, PROCESSES, WRITES / 10),
  "set against a user's git": arena => raceUser(arena, WRITES),
}

export async function raceStorm({ rounds = ROUNDS, seed, wants }: StormOptions): Promise<boolean> {
  let held = true
  for (const kind of KINDS) {
    await withArena(kind, SECRETS, async arena => {
      const staged = arena.git("diff", "--cached", "--name-only")
      for (const [name, race] of Object.entries(RACES)) {
        if (!wants(`${kind}, ${name}`)) continue
        for (let round = 1; round <= rounds; round++) {
          arena.reset()
          const { acknowledged, refused, failures } = await race(
            arena,
            randomFrom(`${seed}/${kind}/${name}/${round}`),
          )
          const wrong = [...failures, ...inspectRace(arena, staged)]
          console.log(
            `${kind}, ${name}, round ${round}: ${acknowledged} acknowledged, ${refused} to try again, ${wrong.length} wrong`,
          )
          for (const failure of wrong.slice(0, 5)) console.log(`  ${failure}`)
          held &&= wrong.length === 0
        }
      }
    })
  }
  return held
}
