/** Hostile surroundings: refused or done, never hanging, never half, and nothing shown that is not coffer's. */
import { randomFrom } from "../keyring/histories.js"
import { KINDS } from "./arena.js"
import type { StormOptions } from "./main.js"
import type { Part } from "./surroundings.js"
import { badHooks } from "./surroundings-hooks.js"
import { fullDisk, readOnly } from "./surroundings-mounts.js"
import { swaps } from "./surroundings-swap.js"
import { hungHelper, jumpingClock, noHome, noPermission } from "./surroundings-user.js"

export const PARTS: Readonly<Record<string, Part>> = {
  "full disk": fullDisk,
  "read-only disk": readOnly,
  "no permission": noPermission,
  "jumping clock": jumpingClock,
  "no home": noHome,
  "hung credential helper": hungHelper,
  "bad hooks": badHooks,
  "swapped files": swaps,
}

/** A round is one helping of each part: 100 swaps in the open and six at a chosen step, four calls under another clock. */
const ROUNDS = 100

export async function surroundingsStorm({ rounds = ROUNDS, seed, wants }: StormOptions): Promise<boolean> {
  let held = true
  for (const kind of KINDS) {
    for (const [name, part] of Object.entries(PARTS)) {
      if (!wants(`${kind}, ${name}`)) continue
      try {
        const random = randomFrom(`${seed}/${kind}/${name}`)
        const { tried, done, refused, followed, failures } = await part({ kind, random, rounds })
        console.log(
          `${kind}, ${name}: ${tried} calls, ${done} done, ${refused} refused, ${failures.length} wrong`,
        )
        if (followed > 0)
          console.log(`  ${followed} calls wrote a file of coffer's where a folder had become a link`)
        for (const failure of failures.slice(0, 10)) console.log(`  ${failure}`)
        held &&= failures.length === 0
      } catch (error) {
        console.log(`${kind}, ${name}: FAILED, ${error instanceof Error ? error.message : error}`)
        held = false
      }
    }
  }
  return held
}
