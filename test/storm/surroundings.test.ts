/** A short run of hostile surroundings: what needs no right that only root has, and is done in seconds. */
import { test } from "uvu"
import * as assert from "uvu/assert"
import { randomFrom } from "../keyring/histories.js"
import { PARTS } from "./surroundings-storm.js"

const SEED = 20260812
const SHORT = [
  { kind: "system", name: "no home" },
  { kind: "embedded", name: "swapped files" },
] as const

for (const { kind, name } of SHORT) {
  test(`${kind}, ${name}: refused or done, never hanging, never half (seed ${SEED})`, async () => {
    const { tried, failures } = await PARTS[name]!({ kind, random: randomFrom(`${SEED}/${name}`), rounds: 1 })
    assert.equal(failures, [])
    assert.ok(tried > 0)
  })
}

test.run()
