import fc from "fast-check"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { printable, printableJson, printableLines } from "../../src/cli/printable.js"

const HOSTILE = "a\u001b[31mb\u0007\r\u009b1m\u202ec\u2066\u200b\ufeff\u061c\u{e0041}\u007f\n\t"

test("no control or direction character reaches a terminal", () => {
  const unsafe = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), text => {
      assert.not.match(printable(text), unsafe)
      assert.not.match(printableLines(text).replace(/[\n\t]/g, ""), unsafe)
      assert.not.match(printableJson(JSON.stringify(text)), unsafe)
    }),
  )
  assert.is(printable("\u001b[2J"), "\\u{1b}[2J")
  assert.not.match(printable(HOSTILE), unsafe)
})

test("ordinary text of any language stays as it is", () => {
  for (const text of ["prod/db/PASSWORD", "Zoë", "日本", "🔑", "مرحبا"]) assert.is(printable(text), text)
  assert.is(printableLines("a\tb\nc\n"), "a\tb\nc\n")
})

test("JSON means the same after it", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), text => {
      assert.is(JSON.parse(printableJson(JSON.stringify(text))), text)
    }),
  )
})

test.run()
