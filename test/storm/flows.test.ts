/** A short run of the storm: `npm run storm -- flows` is the long one. */
import { test } from "uvu"
import * as assert from "uvu/assert"
import { randomFrom } from "../keyring/histories.js"
import { type Cell, runCase } from "./flows.js"
import { CASES } from "./flows-cases.js"
import { FLOWS } from "./flows-git.js"
import { Pair } from "./flows-pair.js"
import { columnOf, readOutcomes } from "./flows-table.js"
import { mergeAsText } from "./flows-text.js"

const SEED = 20260104
const pair = new Pair()
test.after(() => pair.remove())

/** One of each kind: settled by hand, across a removal, its revert, by the merge driver after a purge. */
const CELLS: Readonly<Record<string, readonly Cell[]>> = {
  "set A / set A": [{ flow: "rebase", driver: true }],
  "set A / remove eve": [{ flow: "stash", driver: true }],
  "remove eve / set A": [{ flow: "revert", driver: true }],
  "purge A, set N / set A": [{ flow: "merge", driver: true }],
}

for (const [name, cells] of Object.entries(CELLS)) {
  test(`${name}: nothing is lost, and it ends as docs/flows.md says (seed ${SEED})`, () => {
    const documented = readOutcomes().get(name)
    for (const { column, outcome, failures } of runCase(pair, name, cells, SEED)) {
      assert.equal(failures, [], column)
      assert.is(outcome, documented?.get(column), column)
    }
  })
}

test("the page has every case in every flow", () => {
  const documented = readOutcomes()
  assert.equal([...documented.keys()], Object.keys(CASES))
  const columns = FLOWS.flatMap(flow => [true, false].map(driver => columnOf(flow, driver)))
  for (const [name, row] of documented)
    assert.ok(
      columns.every(column => Boolean(row.get(column))),
      name,
    )
})

test(`a text merge of two sides is a whole side or refused (seed ${SEED})`, async () => {
  const { picks, whole, codes, accepted } = await mergeAsText(50, randomFrom(SEED))
  assert.equal(accepted, [])
  assert.ok(whole > 0 && codes.get("DAMAGED")! > picks / 10, "all outcomes occur")
})

test.run()
