/** A short run of the storm: `npm run storm -- model` is the long one. */
import { test } from "uvu"
import * as assert from "uvu/assert"
import { Sequences } from "./model-shrink.js"

/** Fixed, so that a failure is the same everywhere; odd numbers run without a git program in coffer. */
const SEQUENCES = [
  { number: 1, steps: 50 },
  { number: 2, steps: 20 },
]

const sequences = new Sequences()
test.after(() => sequences.remove())

for (const { number, steps } of SEQUENCES) {
  test(`random operations in two clones give what a user expects (sequence ${number})`, async () => {
    const report = await sequences.run(number, steps, new Map())
    assert.is(report, undefined, report)
  })
}

test.run()
