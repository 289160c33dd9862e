/** The long crash run: 1,000 landed kills of each operation on the system back end, 100 on the embedded one. */
import { KINDS, withArena } from "./arena.js"
import { crash, operations } from "./crash.js"
import type { StormOptions } from "./main.js"

const SECRETS = 200
const KILLS = { system: 1000, embedded: 100 }

/** A round is one landed kill of each operation. */
export async function crashStorm({ rounds, seed, wants }: StormOptions): Promise<boolean> {
  let held = true
  for (const kind of KINDS) {
    await withArena(kind, SECRETS, async arena => {
      for (const operation of operations(SECRETS)) {
        const part = `${kind}, ${operation.name}`
        if (!wants(part)) continue
        const kills = Math.min(rounds ?? KILLS[kind], KILLS[kind])
        const { landed, done, undone, failures } = await crash(arena, operation, kills, seed)
        console.log(
          `${part}: ${landed} kills landed, ${done} done, ${undone} undone, ${failures.length} wrong`,
        )
        for (const failure of failures.slice(0, 5)) console.log(`  ${failure}`)
        held &&= failures.length === 0 && landed >= kills
      }
    })
  }
  return held
}
