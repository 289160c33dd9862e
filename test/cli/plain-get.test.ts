import fc from "fast-check"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { get } from "../../src/cli/commands/get.js"
import { findWord, parseWords } from "../../src/cli/parse.js"
import { findPlainGet } from "../../src/cli/plain-get.js"

/** What the parser makes of it, or undefined where it means something else than `get NAME`. */
async function parsed(argv: readonly string[]): Promise<unknown> {
  const { word, others } = await findWord(argv)
  if (word !== "get") return undefined
  const { globals, arguments: args } = await parseWords(get, others)
  return { globals, args: args() }
}

const usual = fc.constantFrom(
  ...[["A"], ["prod/db/PASSWORD"], ["true"], ["1e3"], ["--json"], ["-q"], ["--quiet"]],
  ...[
    ["-C", "dir"],
    ["--store", "y"],
    ["-i", "f"],
    ["--identity", "g"],
  ],
)
const unusual = fc
  .constantFrom(
    ...[
      "get",
      "set",
      "-",
      "a=b",
      "",
      "-C",
      "--store",
      "-i",
      "--no-input",
      "--debug",
      "-o",
      "x@3",
      "--",
      "--help",
    ],
  )
  .map(word => [word])
const lines = fc
  .array(fc.oneof({ weight: 9, arbitrary: usual }, { weight: 1, arbitrary: unusual }), { maxLength: 5 })
  .chain(pieces => fc.nat(pieces.length).map(at => pieces.toSpliced(at, 0, ["get"]).flat()))

test("whatever the short way takes, the parser understands the same", async () => {
  let taken = 0
  await fc.assert(
    fc.asyncProperty(lines, async argv => {
      const plain = findPlainGet(argv)
      if (plain === undefined) return
      taken++
      assert.equal(plain, await parsed(argv))
    }),
    { numRuns: 1000 },
  )
  assert.ok(taken > 50, `only ${taken}`)
})

test("the forms that scripts use are taken", () => {
  for (const line of [
    "get A",
    "get --json A",
    "-C x get A -q",
    "--store y get a/b.c-d --json",
    "get A -i f -i g",
  ]) {
    assert.ok(findPlainGet(line.split(" ")), line)
  }
  for (const line of [
    "get",
    "get A B",
    "get A@3",
    "get --help A",
    "get A --no-input",
    "list A",
    "get A -o x",
  ]) {
    assert.not.ok(findPlainGet(line.split(" ")), line)
  }
})

test.run()
