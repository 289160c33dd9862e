import { test } from "uvu"
import * as assert from "uvu/assert"
import { matchesGlob } from "../../src/scan/path-globs.js"

const cases: [path: string, glob: string, fits: boolean][] = [
  [".env", ".env", true],
  ["app/.env", ".env", true],
  ["app/.env", "/.env", false],
  [".env", "/.env", true],
  ["test/fixtures/.env", "test/fixtures/.env", true],
  ["test/fixtures/.env", "test/*/.env", true],
  ["test/a/b/.env", "test/*/.env", false],
  ["test/a/b/.env", "test/**/.env", true],
  ["test/.env", "test/**/.env", true],
  ["test/a/b/.env", "test/**", true],
  ["attest/.env", "test/**", false],
  ["test/key.txt", "**/*.txt", true],
  ["key.txt", "**/*.txt", true],
  ["key.txt.md", "*.txt", false],
  ["a/b/c", "a/?/c", true],
  ["a/bb/c", "a/?/c", false],
  ["a.b", "a?b", true],
  ["axb", "a.b", false],
  ["a+b(c)", "a+b(c)", true],
  ["x/y", "**", true],
  ["", "*", true],
]

for (const [path, glob, fits] of cases) {
  test(`"${path}" ${fits ? "fits" : "does not fit"} "${glob}"`, () => {
    assert.is(matchesGlob(path, glob), fits)
  })
}

test("a glob made to be slow is not", () => {
  const started = process.hrtime.bigint()
  assert.not.ok(matchesGlob(`${"a".repeat(3000)}b`, `${"*a".repeat(500)}c`))
  assert.not.ok(matchesGlob("a/".repeat(1500), `${"**/a/".repeat(300)}c`))
  assert.ok(process.hrtime.bigint() - started < 2_000_000_000n)
})

test.run()
