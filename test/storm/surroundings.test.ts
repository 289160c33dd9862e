/** A short run of hostile surroundings: one part on one back end, both drawn. */
import { test } from "uvu"
import * as assert from "uvu/assert"
import { pick, randomFrom } from "../keyring/histories.js"
import { KINDS } from "./arena.js"
import { PARTS } from "./surroundings-storm.js"

/** What needs no right that only root has, and is done in seconds. */
const SHORT = ["jumping clock", "no home", "hung credential helper", "swapped files"]

test("refused or done, never hanging, never half", async () => {
  const seed = Date.now() % 1_000_000
  const random = randomFrom(seed)
  const kind = pick(random, KINDS)
  const name = pick(random, SHORT)
  const { tried, failures } = await PARTS[name]!({ kind, random, rounds: 1 })
  assert.equal(failures, [], `seed ${seed}: ${kind}, ${name}`)
  assert.ok(tried > 0)
})

test.run()
