import * as fc from "fast-check"
import { test } from "uvu"
import * as assert from "uvu/assert"
import type { SecretName } from "../../src/format/names.js"
import { type MergeSide, settle } from "../../src/keyring/resolve-rule.js"

type Fields = MergeSide["file"]

function side(fields: Partial<Fields> = {}, oid = "b"): MergeSide {
  const file: Fields = {
    store: "00",
    name: "KEY" as SecretName,
    version: 1,
    state: "current",
    digest: "d1",
    previous: [],
    key: "1-aaaaaaaa",
    ...fields,
  }
  return { file, oid }
}

const base = side()
const changed = side({ version: 2, digest: "d2" }, "c")
const resealed = side({ key: "2-bbbbbbbb" }, "r")

test("a side that only sealed again loses to the side that changed", () => {
  assert.is(settle(base, resealed, changed).take, "theirs")
  assert.is(settle(base, changed, resealed).take, "ours")
  assert.is(settle(base, base, changed).take, "theirs")
})

test("where both only sealed again the newer key wins, by number and then by id", () => {
  const key = (id: string) => side({ key: id })
  assert.is(settle(base, key("9-ffffffff"), key("10-00000000")).take, "theirs")
  assert.is(settle(base, key("3-bbbbbbbb"), key("3-aaaaaaaa")).take, "ours")
  assert.is(settle(base, key("3-aaaaaaaa"), key("3-bbbbbbbb")).take, "theirs")
})

test("a side that names the other among its predecessors wins", () => {
  const ours = side({ version: 2, digest: "d2" }, "aa")
  const theirs = side({ version: 3, digest: "d3", previous: ["2-aa"] }, "bb")
  assert.is(settle(base, ours, theirs).take, "theirs")
  assert.is(settle(undefined, theirs, ours).take, "ours")
})

test("the same value taken on both sides is no conflict", () => {
  const cherry = side({ version: 2, digest: "d2", key: "2-bbbbbbbb" }, "x")
  assert.is(settle(base, changed, cherry).take, "theirs")
  assert.is(settle(undefined, cherry, changed).take, "ours")
})

test("two values, and two secrets, are conflicts", () => {
  const other = side({ version: 2, digest: "d9" }, "o")
  assert.is(settle(base, changed, other).take, "conflict")
  assert.is(settle(undefined, changed, other).take, "conflict")
  // git's rename detection may pair a purged secret with a new one: one value never lands in the other.
  const stranger = side({ name: "OTHER" as SecretName })
  assert.is(settle(base, base, stranger).take, "conflict")
  assert.is(settle(stranger, base, changed).take, "conflict")
  assert.is(settle(base, base, side({ store: "11" })).take, "conflict")
})

test("a file goes away only as a purged tombstone", () => {
  const tombstone = side({ version: 2, state: "deleted", digest: "d2" }, "t")
  const again = side({ version: 2, state: "deleted", digest: "d2", key: "2-bbbbbbbb" }, "u")
  assert.is(settle(tombstone, again, undefined).take, "theirs")
  assert.is(settle(tombstone, undefined, again).take, "ours")
  assert.is(settle(tombstone, side({ version: 3, digest: "d3" }), undefined).take, "conflict")
  assert.is(settle(base, base, undefined).take, "conflict")
  assert.is(settle(undefined, undefined, base).take, "theirs")
})

test("both directions of a merge settle alike", () => {
  const digest = fc.constantFrom("d1", "d2", "d3")
  const version = fc.integer({ min: 1, max: 3 })
  const oid = fc.constantFrom("a", "b", "c")
  const key = fc.constantFrom("1-aaaaaaaa", "2-aaaaaaaa", "2-bbbbbbbb", "10-aaaaaaaa")
  const previous = fc.array(
    fc.tuple(version, oid).map(([number, id]) => `${number}-${id}`),
    { maxLength: 2 },
  )
  const any = fc.record({ version, digest, key, previous }).chain(fields => oid.map(id => side(fields, id)))
  const swap = { ours: "theirs", theirs: "ours", conflict: "conflict" }
  fc.assert(
    fc.property(fc.option(any, { nil: undefined }), any, any, (ancestor, ours, theirs) => {
      const there = settle(ancestor, ours, theirs).take
      const back = settle(ancestor, theirs, ours).take
      const tie = ours.file.key === theirs.file.key && there === "ours" && back === "ours"
      const mutual = names(ours, theirs) && names(theirs, ours)
      if (!tie && !mutual) assert.is(back, swap[there])
    }),
    { numRuns: 500 },
  )
})

function names(a: MergeSide, b: MergeSide): boolean {
  return a.file.previous.includes(`${b.file.version}-${b.oid}`)
}

test.run()
