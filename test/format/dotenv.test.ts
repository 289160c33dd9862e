import fc from "fast-check"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { CofferError, hasCode } from "../../src/errors.js"
import { parseDotenv } from "../../src/format/dotenv.js"

function values(text: string): Record<string, string> {
  return Object.fromEntries(parseDotenv(text).map(({ key, value }) => [key, value]))
}

const accepted: [title: string, text: string, expected: Record<string, string>][] = [
  ["plain", "A=1\nB=two words\n", { A: "1", B: "two words" }],
  ["no final newline", "A=1", { A: "1" }],
  ["export", "export A=1\n  export  B=2", { A: "1", B: "2" }],
  ["a key called export", "export=1", { export: "1" }],
  ["spaces around =", "  A = 1  \n", { A: "1" }],
  ["comments and blank lines", "# c\n\n   # d\nA=1 # e\n", { A: "1" }],
  ["empty", "A=\nB=''\nC=\"\"\nD= # c", { A: "", B: "", C: "", D: "" }],
  ["= in a value", "A=b=c==", { A: "b=c==" }],
  ["# inside a value", "A=a#b", { A: "a#b" }],
  ["single quotes keep everything", "A='a $b \\n \" # `'", { A: 'a $b \\n " # `' }],
  ["backticks keep everything", "A=`a 'b' \"c\"`", { A: "a 'b' \"c\"" }],
  ["escapes in double quotes", 'A="a\\nb\\rc\\"d\\\\e\\$f\\`g"', { A: 'a\nb\rc"d\\e$f`g' }],
  ["other backslashes stay", 'A="C:\\dir\\temp"', { A: "C:\\dir\\temp" }],
  ["$ is literal", `A=$HOME$$x\nB="\${A}"\nC=$(id)`, { A: "$HOME$$x", B: `\${A}`, C: "$(id)" }],
  ["several lines", "A=\"one\ntwo\n\"\nB='x\ny'\nC=3", { A: "one\ntwo\n", B: "x\ny", C: "3" }],
  ["CRLF", 'A=1\r\nB="x\r\ny"\r\nC=3\r\n', { A: "1", B: "x\ny", C: "3" }],
  ["BOM", "\uFEFFA=1", { A: "1" }],
  ["comment behind a quote", "A='1' # c\nB=\"2\"\t#d", { A: "1", B: "2" }],
  ["quotes inside an unquoted value", 'A=it\'s "so"', { A: 'it\'s "so"' }],
  ["nothing", "", {}],
]

for (const [title, text, expected] of accepted) {
  test(`reads ${title}`, () => assert.equal(values(text), expected))
}

const refused: [title: string, text: string, line: number][] = [
  ["no =", "A=1\nsekrit-canary\n", 2],
  ["export alone", "export sekrit_canary", 1],
  ["colon", "A: sekrit-canary", 1],
  ["bad name", "A=1\n\nsekrit-canary=1", 3],
  ["name with a digit first", "1A=sekrit-canary", 1],
  ["empty name", "=sekrit-canary", 1],
  ["duplicate", "A=sekrit-canary\nB=2\nA=3", 3],
  ["unterminated double", 'A=1\nB="sekrit-canary\nC=3\n', 2],
  ["unterminated single", "B='sekrit-canary\n\n", 1],
  ["unterminated behind a final backslash", 'B="sekrit-canary\\', 1],
  ["escaped single quote", "A='sekrit\\'canary'", 1],
  ["text behind a quote", 'A="x\ny" sekrit-canary', 2],
  ["comment glued to a quote", "A='x'#sekrit-canary", 1],
  ["# first", "A=#sekrit-canary", 1],
  ["NUL", "A=1\nB=sekrit\0canary", 2],
  ["lone CR", "A=1\nB=1\nC=sekrit\rcanary", 3],
]

for (const [title, text, line] of refused) {
  test(`refuses ${title} by its line, without its text`, () => {
    try {
      parseDotenv(text)
    } catch (error) {
      assert.ok(hasCode(error, "IMPORT_INVALID"))
      assert.match(error.message, new RegExp(`^line ${line} `))
      assert.not.match(`${error.message} ${error.hint}`, /sekrit|canary/)
      return
    }
    assert.unreachable()
  })
}

test("a duplicate names the first line too", () => {
  assert.throws(
    () => parseDotenv("A='x\ny'\nA=2"),
    (error: CofferError) => error.message === 'line 3 sets "A" again, which line 1 already did',
  )
})

test("warns where readers differ, and only there", () => {
  const entries = parseDotenv(
    ["A=a$b", "B=a#b", 'C="x\\"y"', 'D="\\t"', "E='$x'", 'F="a\\nb"', "G=plain", 'H="\\$x $y"'].join("\n"),
  )
  assert.equal(
    entries.map(({ warnings }) => warnings.join()),
    ["dollar", "hash", "escape", "escape", "", "", "", "escape,dollar"],
  )
  assert.equal(
    entries.map(({ line }) => line),
    [1, 2, 3, 4, 5, 6, 7, 8],
  )
})

test("arbitrary text gives entries or IMPORT_INVALID, nothing else", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom(..."AB=\"'`\\\n\r #$ \0"), maxLength: 40 }),
  )
  fc.assert(
    fc.property(text, input => {
      try {
        parseDotenv(input)
      } catch (error) {
        assert.instance(error, CofferError)
        assert.is((error as CofferError).code, "IMPORT_INVALID")
      }
    }),
    { numRuns: 500 },
  )
})

test('any text comes back from double quotes with \\ and " escaped', () => {
  fc.assert(
    fc.property(fc.string(), input => {
      const value = input.replace(/[\0\r]/g, "")
      const quoted = `A="${value.replace(/[\\"$`]/g, "\\$&")}"\nB=1`
      assert.equal(values(quoted), { A: value, B: "1" })
    }),
    { numRuns: 200 },
  )
})

test.run()
