/** A short run of faults: a few steps fail or are the last one, on both back ends. */
import { test } from "uvu"
import * as assert from "uvu/assert"
import { randomFrom } from "../keyring/histories.js"
import { KINDS, withArena } from "./arena.js"
import { operations } from "./crash.js"
import { type FaultTally, meetFault } from "./faults.js"
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

test("embedded: nothing works any more once HEAD has moved: the change is there, and is said to be", async () => {
  await withArena("embedded", SECRETS, async arena => {
    const step = `unlinkSync ${arena.repository}/.git/HEAD.lock`
    const fault = { kind: "fail", step, errno: "EIO", lasting: true, git: "refuse" } as const
    const tally: FaultTally = { hit: 0, done: 0, undone: 0, failures: [] }
    const [set] = operations(SECRETS)
    await meetFault(arena, set!, fault, randomFrom(`${SEED}`), tally)
    assert.equal(tally, { hit: 1, done: 1, undone: 0, failures: [] })
  })
})

test.run()
