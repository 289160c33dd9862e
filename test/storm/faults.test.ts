/** A short run of faults: a few steps fail or are the last one, on both back ends. */
import { test } from "uvu"
import * as assert from "uvu/assert"
import { randomFrom } from "../keyring/histories.js"
import { KINDS, withArena } from "./arena.js"
import { fewFaults } from "./faults-storm.js"

const SEED = 20260811
const SECRETS = 3
const FAULTS = 2

for (const kind of KINDS) {
  test(`${kind}: a step that fails, or is the last, leaves the old state or the whole new one`, async () => {
    await withArena(kind, SECRETS, async arena => {
      const { hit, failures } = await fewFaults(arena, SECRETS, FAULTS, randomFrom(`${SEED}/${kind}`))
      assert.equal(failures, [], `seed ${SEED}`)
      assert.is(hit, FAULTS)
    })
  })
}

test.run()
