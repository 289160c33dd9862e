import * as fc from "fast-check"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { CofferError } from "../../src/errors.js"
import { parseEditMap, printEditMap } from "../../src/format/edit-map.js"

const SEED = 20260103

/** What is refused, by code and line. */
async function refusal(text: string): Promise<string> {
  try {
    await parseEditMap(text)
    return "accepted"
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
    return `${error.code} ${/^line (\d+)/.exec(error.message)?.[1]}`
  }
}

test("what was shown reads back to the same values", async () => {
  const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,20}$/)
  const value = fc.oneof(
    fc.string(),
    fc.string({ unit: "grapheme" }),
    fc.stringMatching(/^[[{%#\n |>&*!'"-]{0,40}$/),
    fc.stringMatching(/^[ \n]{1,4}$/),
    fc.stringMatching(/^[ \n\r\t\u2028\u2029\u0085\ufeff%a]{1,8}$/),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key, maxLength: 8 }),
      async entries => {
        const map = new Map(entries)
        assert.equal([...(await parseEditMap(await printEditMap(map, ["binary"])))], [...map])
      },
    ),
    { seed: SEED, numRuns: 200 },
  )
})

test("a value is the text as typed, whatever YAML would make of it", async () => {
  const typed = await parseEditMap("A: 8080\nB: 1e3\nC: yes\nD: 007\nE: 0x1f\nF: true\nG: ''\n")
  assert.equal([...typed.values()], ["8080", "1e3", "yes", "007", "0x1f", "true", ""])
})

test("what is no map of names to texts is refused with its line", async () => {
  assert.is(await refusal("A: 1\nB:\n"), "VALUE_INVALID 2")
  assert.is(await refusal("A: 1\nA: 2\n"), "VALUE_INVALID 2")
  assert.is(await refusal("A: [1]\n"), "VALUE_INVALID 1")
  assert.is(await refusal("A: &x 1\nB: *x\n"), "VALUE_INVALID 2")
  assert.is(await refusal("- 1\n"), "VALUE_INVALID 1")
  assert.is(await refusal("A: 'open\n"), "VALUE_INVALID 2")
  assert.is(await refusal('A: 1\nB: "\\ud800"\n'), "VALUE_INVALID 2")
})

test.run()
