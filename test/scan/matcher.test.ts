import fc from "fast-check"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { compileMatcher, openFilter } from "../../src/scan/matcher.js"

function searchAll(patterns: Uint8Array[], text: Uint8Array): string[] {
  const hits: string[] = []
  const texts = patterns.map(pattern => Buffer.from(pattern).toString("latin1"))
  compileMatcher(texts).search(text, (pattern, at) => hits.push(`${pattern}@${at}`) > 0)
  return hits.sort()
}

function searchSlowly(patterns: Uint8Array[], text: Uint8Array): string[] {
  const hits: string[] = []
  patterns.forEach((pattern, number) => {
    for (let at = 0; ; at++) {
      at = Buffer.from(text).indexOf(pattern, at)
      if (at < 0) break
      hits.push(`${number}@${at}`)
    }
  })
  return hits.sort()
}

test("finds exactly what a search for each pattern finds, overlaps included", () => {
  // Two letters only: nearly every window collides, repeats and overlaps.
  const bytes = (minLength: number, maxLength: number) =>
    fc.array(fc.constantFrom(97, 98), { minLength, maxLength }).map(list => Uint8Array.from(list))
  fc.assert(
    fc.property(fc.array(bytes(8, 14), { minLength: 1, maxLength: 8 }), bytes(0, 200), (patterns, text) => {
      assert.equal(searchAll(patterns, text), searchSlowly(patterns, text))
    }),
    { numRuns: 300 },
  )
})

test("finds planted patterns in arbitrary bytes", () => {
  const pattern = fc.uint8Array({ minLength: 8, maxLength: 80 })
  const noise = fc.uint8Array({ maxLength: 60 })
  fc.assert(
    fc.property(fc.array(fc.tuple(noise, pattern), { minLength: 1, maxLength: 6 }), noise, (parts, end) => {
      const text = Buffer.concat([...parts.flat(), end])
      const patterns = parts.map(part => part[1])
      assert.equal(searchAll(patterns, text), searchSlowly(patterns, text))
    }),
    { numRuns: 200 },
  )
})

test("stops when told to", () => {
  let calls = 0
  compileMatcher(["abcdefgh"]).search(Buffer.from("abcdefgh abcdefgh"), () => {
    calls++
    return false
  })
  assert.is(calls, 1)
})

test("refuses a pattern that it would miss", () => {
  assert.throws(() => compileMatcher(["short"]), RangeError)
})

test("searches for nothing at all", () => {
  assert.equal(searchAll([], Buffer.from("some text that is long enough")), [])
})

test("a filter lets no text pass that holds a pattern, and stops nearly every other", () => {
  const word = (minLength: number) =>
    fc.uint8Array({ minLength, maxLength: 40 }).map(bytes => Buffer.from(bytes).toString("latin1"))
  const words = fc.sample(word(8), { numRuns: 2000, seed: 7 })
  const mayHold = openFilter(Uint8Array.from(compileMatcher(words).filter()))
  for (const [index, noise] of fc.sample(word(0), { numRuns: words.length, seed: 8 }).entries())
    assert.ok(mayHold(Buffer.from(`${noise}${words[index]}${noise}`, "latin1")))
  const texts = fc.sample(fc.uint8Array({ minLength: 500, maxLength: 1000 }), { numRuns: 500, seed: 9 })
  assert.ok(texts.filter(mayHold).length < 5)
  for (const short of ["", "abc", words[0]!.slice(0, 7)]) assert.not(mayHold(Buffer.from(short)))
  assert.not(openFilter(compileMatcher([]).filter())(texts[0]!))
})

test.run()
