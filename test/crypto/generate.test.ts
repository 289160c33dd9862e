import { test } from "uvu"
import * as assert from "uvu/assert"
import { DEFAULT_ALPHABET, generateText, generateWords } from "../../src/crypto/generate.js"
import { newStoreId, randomBytes } from "../../src/crypto/random.js"

test("text has the length and the characters that were asked for", () => {
  assert.match(generateText(32, [...DEFAULT_ALPHABET]), /^[A-Za-z0-9]{32}$/)
  assert.is(generateText(0, ["a", "b"]), "")
  assert.match(generateText(50, ["ä", "📦"]), /^(ä|📦){50}$/u)
})

test("every character is about as frequent as any other", () => {
  // 100 characters: 256 is no multiple, so a plain remainder would favour the first 56 by half.
  const alphabet = Array.from({ length: 100 }, (_, index) => String.fromCharCode(0x100 + index))
  const counts = new Map<string, number>()
  for (const character of generateText(50_000, alphabet)) {
    counts.set(character, (counts.get(character) ?? 0) + 1)
  }
  assert.is(counts.size, 100)
  const front = alphabet.slice(0, 56).reduce((sum, character) => sum + counts.get(character)!, 0)
  // Expected 28,000 with a standard deviation of 111; biased it would be 32,800.
  assert.ok(Math.abs(front - 28_000) < 1000, String(front))
})

test("words can be spoken", () => {
  assert.match(generateWords(4), /^([bdfghjklmnprstvz][aiou]){2}[bdfghjklmnprstvz](-([a-z]{5})){3}$/)
})

test("random bytes and store ids differ, however many are drawn, and stay as they were given out", () => {
  const drawn = Array.from({ length: 3000 }, (_, index) => randomBytes([24, 32, 5000][index % 3]!))
  const texts = drawn.map(bytes => Buffer.from(bytes).toString("hex"))
  assert.is(new Set(texts).size, 3000)
  for (const [index, bytes] of drawn.entries()) {
    assert.is(bytes.length, [24, 32, 5000][index % 3])
    // No run of eight zeros: each has a chance of 2^-64.
    assert.not.match(texts[index]!, /^(..)*(00){8}/)
  }
  const halves = drawn.flatMap(bytes => [bytes.subarray(0, 12), bytes.subarray(12, 24)])
  assert.is(new Set(halves.map(bytes => Buffer.from(bytes).toString("hex"))).size, 6000, "no two overlap")
  assert.match(newStoreId(), /^[0-9a-f]{32}$/)
  assert.is.not(newStoreId(), newStoreId())
})

test.run()
