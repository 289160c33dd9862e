import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as fc from "fast-check"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { parse as parseYaml } from "yaml"
import { verifyRecord } from "../../src/crypto/signing.js"
import { equalBytes } from "../../src/encoding.js"
import { CofferError } from "../../src/errors.js"
import { parseKeyRecord, printKeyRecord, recordContext } from "../../src/format/key-record.js"
import { parseSecretFile, printSecretFile } from "../../src/format/secret-file.js"
import { parseStoreFile, printStoreFile } from "../../src/format/store-file.js"
import { damaged, keyRecord, secretFile } from "./arbitraries.js"

/** Printed by fast-check with each failure; another one makes another run. */
const SEED = 20260101
const VECTORS = "test/vectors/files"
const prototypeBefore = Object.getOwnPropertyNames(Object.prototype).sort().join()

const vector = (name: string): Uint8Array => readFileSync(join(VECTORS, `${name}.yaml`))

/** Data without the difference between kinds of byte arrays and maps. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64")
  if (value instanceof Map) return [...value].sort(([a], [b]) => (a < b ? -1 : 1))
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
}

test("any secret file parses to what was printed", () => {
  fc.assert(
    fc.property(secretFile, file => {
      const bytes = printSecretFile(file)
      const parsed = parseSecretFile(bytes)
      assert.equal(plain(parsed), plain(file))
      assert.ok(equalBytes(printSecretFile(parsed), bytes))
    }),
    { seed: SEED, numRuns: 400 },
  )
})

test("any key record parses to what was printed", () => {
  fc.assert(
    fc.property(keyRecord, record => {
      const bytes = printKeyRecord(record)
      const parsed = parseKeyRecord(bytes)
      assert.equal(plain(parsed), plain(record))
      assert.ok(equalBytes(printKeyRecord(parsed), bytes))
    }),
    { seed: SEED, numRuns: 300 },
  )
})

test("the yaml package loads any file to the same data", () => {
  const load = (bytes: Uint8Array) =>
    parseYaml(Buffer.from(bytes).toString("utf8"), {
      version: "1.2",
      schema: "core",
      mapAsMap: true,
      strict: true,
    })
  const unfold = (text: string) => text.replaceAll("\n", "")
  fc.assert(
    fc.property(secretFile, file => {
      const loaded = load(printSecretFile(file)) as Map<string, unknown>
      for (const [field, value] of Object.entries(file)) {
        if (value instanceof Uint8Array) {
          assert.is(unfold(loaded.get(field) as string), Buffer.from(value).toString("base64"))
        } else assert.equal(plain(loaded.get(field)), plain(value), field)
      }
    }),
    { seed: SEED, numRuns: 150 },
  )
  fc.assert(
    fc.property(keyRecord, record => {
      const loaded = load(printKeyRecord(record)) as Map<string, unknown>
      const members = loaded.get("members") as Map<string, unknown>[]
      assert.equal(
        members.map(entry => Object.fromEntries(entry)),
        record.members,
      )
      const parents = loaded.get("parents") as Map<string, unknown>[]
      assert.equal(
        parents.map(entry => Object.fromEntries(entry)),
        plain(record.parents),
      )
      assert.equal((loaded.get("wrap") as string[]).map(unfold), plain(record.wrap))
      assert.equal(plain(loaded.get("groups")), plain(record.groups))
      for (const field of [
        "store",
        "group",
        "number",
        "commitment",
        "reason",
        "oldest",
        "created",
      ] as const) {
        assert.is(loaded.get(field), record[field])
      }
    }),
    { seed: SEED, numRuns: 100 },
  )
})

const PARSERS = [
  { parse: parseSecretFile, print: printSecretFile },
  { parse: parseKeyRecord, print: printKeyRecord },
  { parse: parseStoreFile, print: printStoreFile },
] as { parse: (bytes: Uint8Array) => object; print: (data: object) => Uint8Array }[]

/** Refused with a code, or accepted because it is in the one form. */
function refusedOrCanonical(bytes: Uint8Array): void {
  for (const { parse, print } of PARSERS) {
    let parsed: object
    try {
      parsed = parse(bytes)
    } catch (error) {
      assert.instance(error, CofferError)
      assert.ok(["NOT_CANONICAL", "NEWER_FORMAT", "DAMAGED"].includes((error as CofferError).code))
      // Messages may reach a log: they hold no bytes of the file but the names of its fields.
      assert.match((error as CofferError).message, /^[ -~…]+$/)
      continue
    }
    assert.ok(equalBytes(print(parsed), bytes))
  }
}

test("damaged files are refused with a code, or are in the one form", () => {
  const originals = ["secret", "secret-odd-keys", "secret-full-lines", "key-merge", "key-group", "store"].map(
    vector,
  )
  fc.assert(fc.property(damaged(originals), refusedOrCanonical), { seed: SEED, numRuns: 3000 })
})

test("random bytes are refused with a code", () => {
  const heads = ["", "coffer: secret/1\n", "coffer: key/1\n", "coffer: store/1\n", "coffer: secret/99\n"]
  const input = fc
    .tuple(
      fc.constantFrom(...heads),
      fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.string().map(Buffer.from)),
    )
    .map(([head, rest]) => Buffer.concat([Buffer.from(head), rest]))
  fc.assert(fc.property(input, refusedOrCanonical), { seed: SEED, numRuns: 1500 })
})

test("no single bit of a secret's file can be flipped", () => {
  const original = vector("secret")
  for (let bit = 0; bit < original.length * 8; bit++) {
    const flipped = Uint8Array.from(original)
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    assert.throws(
      () => parseSecretFile(flipped),
      (error: unknown) => error instanceof CofferError,
      `bit ${bit}`,
    )
  }
})

test("no single bit of a key record can be flipped: what still parses is not what was signed", () => {
  const original = vector("key-first")
  const signers = parseKeyRecord(original).members.map(({ signingKey }) => signingKey!)
  let parsed = 0
  for (let bit = 0; bit < original.length * 8; bit++) {
    const flipped = Uint8Array.from(original)
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    let record: ReturnType<typeof parseKeyRecord>
    try {
      record = parseKeyRecord(flipped)
    } catch (error) {
      assert.instance(error, CofferError)
      continue
    }
    parsed++
    for (const key of new Set([...signers, ...record.members.map(({ signingKey }) => signingKey ?? "")])) {
      assert.not.ok(verifyRecord(key, recordContext(record), record.signature), `bit ${bit}`)
    }
  }
  assert.ok(parsed > 100)
})

test("large and deep input is refused at once", () => {
  const started = performance.now()
  const lines = "  - |\n    AAAA\n".repeat(200_000)
  for (const text of [
    `coffer: key/1\n${"[".repeat(1_000_000)}`,
    `coffer: key/1\nwrap:\n${lines}`,
    `coffer: secret/1\nstore: "${'\\"'.repeat(900_000)}"\n`,
    `coffer: secret/1\n${"x: 1\n".repeat(300_000)}`,
    "x".repeat(10_000_000),
  ]) {
    refusedOrCanonical(Buffer.from(text))
  }
  assert.ok(performance.now() - started < 10_000)
})

test("no input reaches Object.prototype", () => {
  assert.is(Object.getOwnPropertyNames(Object.prototype).sort().join(), prototypeBefore)
})

test.run()
