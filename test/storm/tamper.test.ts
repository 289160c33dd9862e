/** A short run of the storm: `npm run storm -- tamper` and `npm run storm -- fuzz` are the long ones. */
import { test } from "uvu"
import * as assert from "uvu/assert"
import { randomFrom } from "../keyring/histories.js"
import { fuzz, fuzzLong, TARGETS } from "./fuzz.js"
import { editAtRandom, flipAndCut, makeVictim, mixKinds, newTally, swapAll } from "./tamper.js"
import { replayAll } from "./tamper-replay.js"

const SEED = 20260102
const victim = await makeVictim(10)
test.after(() => victim.remove())

test(`flips, cuts, edits, swaps and files of the wrong kind: none is accepted (seed ${SEED})`, async () => {
  const tally = newTally()
  await flipAndCut(victim, tally, 67)
  await editAtRandom(victim, tally, 150, randomFrom(SEED))
  await swapAll(victim, tally)
  await mixKinds(victim, tally)
  assert.equal(tally.accepted, [])
  assert.ok(tally.refused > 700, `${tally.refused} refused of ${tally.tried}`)
})

test("older versions committed over newer ones: all are refused", async () => {
  const tally = newTally()
  await replayAll(victim, tally, 1)
  assert.equal(tally.accepted, [])
  assert.equal([...tally.codes], [["ROLLED_BACK", 10]])
})

for (const target of TARGETS) {
  test(`fuzz: ${target.name}`, () => fuzz(target, { runs: 200, seed: SEED }))
  test(`fuzz: ${target.name}, long runs of the same`, () => fuzzLong(target))
}

test.run()
