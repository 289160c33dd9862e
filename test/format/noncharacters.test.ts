import { test } from "uvu"
import * as assert from "uvu/assert"
import { hasNoncharacter } from "../../src/format/noncharacters.js"

test("every code point is judged as Unicode does", () => {
  const unicode = /^\p{Noncharacter_Code_Point}$/u
  for (let point = 0; point <= 0x10ffff; point++) {
    if (point >= 0xd800 && point <= 0xdfff) continue
    const character = String.fromCodePoint(point)
    if (hasNoncharacter(character) !== unicode.test(character)) assert.unreachable(point.toString(16))
  }
})

test("a neighbour is not taken for a half", () => {
  assert.not(hasNoncharacter("\u{1fffd}\u{1f600}\u{10fffd}"))
  assert.ok(hasNoncharacter("a\u{1ffff}b"))
})

test.run()
