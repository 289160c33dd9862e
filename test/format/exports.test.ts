import { execFileSync } from "node:child_process"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { hasCode } from "../../src/errors.js"
import { printVariables } from "../../src/format/exports.js"

const awkward = {
  A: "plain",
  B: `it's "so" $HOME \`id\` $(id) \\ \\n !x`,
  C: "two\nlines\n\n",
  D: "cr\rand\r\ncrlf",
  E: " spaces \t",
  F: "ü ☃ \u2028 \uFEFF \u0085 \u007f",
  G: "",
  H: "'''",
  I: "%25 ::set-output name=x::y",
}
const variables = new Map(Object.entries(awkward))

test("json comes back as it was, in ASCII where readers stumble", () => {
  const text = printVariables(variables, "json")
  assert.equal(JSON.parse(text), awkward)
  assert.not.match(text, /[\u007f-\u009f\u2028\u2029\ufeff]/)
  assert.match(text, /\n$/)
  assert.equal(
    JSON.parse(printVariables(new Map([["__proto__", "x"]]), "json")),
    JSON.parse('{"__proto__":"x"}'),
  )
})

test("sh comes back as it was through eval", () => {
  const script = `eval "$1"; exec "$2" -e 'process.stdout.write(JSON.stringify(process.env))'`
  const output = execFileSync("sh", ["-c", script, "sh", printVariables(variables, "sh"), process.execPath])
  const env = JSON.parse(output.toString())
  for (const [name, value] of variables) assert.is(env[name], value, name)
})

test("sh refuses a NUL, naming the variable", () => {
  assert.throws(
    () => printVariables(new Map([["A", "x\0y"]]), "sh"),
    (error: unknown) => hasCode(error, "VALUE_INVALID") && /of A /.test(error.message),
  )
})

test("github masks the whole value and each line, and cannot be left", () => {
  const text = printVariables(
    new Map([
      ["KEY", "-----BEGIN\nabcd\nxyz\r\n::error::100%\n"],
      ["PIN", "12"],
      ["EMPTY", ""],
      ["TWICE", "abcd"],
    ]),
    "github-mask",
  )
  assert.equal(text.split("\n"), [
    "::add-mask::-----BEGIN%0Aabcd%0Axyz%0D%0A::error::100%25%0A",
    "::add-mask::-----BEGIN",
    "::add-mask::abcd",
    "::add-mask::::error::100%25",
    "::add-mask::12",
    "",
  ])
})

test("nothing gives an empty document", () => {
  assert.is(printVariables(new Map(), "json"), "{}\n")
  assert.is(printVariables(new Map(), "sh"), "")
})

test.run()
