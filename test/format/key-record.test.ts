import { test } from "uvu"
import * as assert from "uvu/assert"
import { decodeUtf8, encodeUtf8 } from "../../src/encoding.js"
import { hasCode } from "../../src/errors.js"
import {
  type KeyRecord,
  parseKeyRecord,
  printKeyRecord,
  recordContext,
  recordId,
  recordPath,
} from "../../src/format/key-record.js"
import { sampleRecord } from "./samples.js"

function textOf(record: KeyRecord): string {
  return decodeUtf8(printKeyRecord(record))!
}

function sameRecord(record: KeyRecord): void {
  const parsed = parseKeyRecord(printKeyRecord(record))
  assert.is(textOf(parsed), textOf(record))
  assert.equal(Object.keys(parsed).sort(), Object.keys(record).sort())
  assert.equal([...(parsed.groups ?? [])], [...(record.groups ?? [])])
  assert.equal(parsed.policy, record.policy)
  assert.equal(parsed.members, record.members)
  assert.equal(parsed.parents, record.parents)
}

test("a record parses to what was printed", () => {
  sameRecord(sampleRecord())
  const { groups: _, ...rest } = sampleRecord({ group: "prod", parents: [], policy: {}, previous: [] })
  sameRecord(rest)
  sameRecord(sampleRecord({ policy: { retention: { maxVersions: 1 } }, groups: new Map() }))
})

test("the signed part is all above `signature`", () => {
  const text = textOf(sampleRecord())
  assert.is(decodeUtf8(recordContext(sampleRecord())), text.slice(0, text.indexOf("signature:")))
})

test("id and path", () => {
  assert.is(recordId({ number: 3, commitment: `9f2c1a7b${"0".repeat(56)}` }), "3-9f2c1a7b")
  assert.is(recordPath("prod/eu", "3-9f2c1a7b"), ".coffer/keys/prod/eu/3-9f2c1a7b.yaml")
})

const REFUSED: readonly [why: string, change: (text: string) => string, code?: string][] = [
  ["another version of the format", text => text.replace("key/1", "key/7"), "NEWER_FORMAT"],
  ["a field of a newer format", text => text.replace("wrap:", 'shares: "3"\nwrap:'), "NEWER_FORMAT"],
  ["members not sorted", text => text.replace('"alice"', '"zoe"')],
  ["parents not sorted", text => text.replace("3-0000000a", "3-0000000c")],
  ["a parent twice", text => text.replace("3-0000000a", "3-0000000b")],
  ["an unknown role", text => text.replace("role: admin", "role: owner")],
  ["a wrap too few", text => text.replace(/ {2}- \|\n(?: {4}.*\n)+/, "")],
  ["groups outside the default group", text => text.replace('group: "default"', 'group: "prod"')],
  ["no groups in the default group", text => text.replace(/groups:\n.*\n.*\n/, "")],
  ["a group that is none", text => text.replace('"prod":', '"default":')],
  ["an empty section of policy", text => text.replace(/ {2}retention:\n.*\n/, "  retention:\n")],
  ["policy in another order", text => text.replace(/(.*interval.*\n)(.*maxVersions.*\n)/, "$2$1")],
  ["a policy number in quotes", text => text.replace("interval: 90", 'interval: "90"')],
  ["a hash in upper case", text => text.replace("abab", "ABAB")],
  ["a recipient with a line feed", text => text.replace("age1qqqq", "age1\\u000aqqq")],
  ["something below the end", text => `${text}x: "y"\n`, "NEWER_FORMAT"],
]

for (const [why, change, code = "NOT_CANONICAL"] of REFUSED) {
  test(`refused: ${why}`, () => {
    const text = textOf(sampleRecord())
    const changed = change(text)
    assert.is.not(changed, text)
    assert.throws(
      () => parseKeyRecord(encodeUtf8(changed)),
      (error: unknown) => hasCode(error, code as "DAMAGED"),
    )
  })
}

test.run()
