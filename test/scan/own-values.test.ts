import { createHash } from "node:crypto"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { compileOwnValues, FILTER_VERSION } from "../../src/scan/own-values.js"

const VALUE = `pa"ss/w+rd ü'=42&\\x\nline two`

function finds(content: Uint8Array | string, value: Uint8Array | string = VALUE): boolean {
  const values = compileOwnValues([
    { name: "prod/db/PASSWORD", value: Buffer.from(value) },
    { name: "OTHER", value: Buffer.from("another-value-8") },
  ])
  const names = values.find(Buffer.from(content))
  assert.ok(names.length === 0 || (names.length === 1 && names[0] === "prod/db/PASSWORD"), String(names))
  return names.length === 1
}

const encodings: Record<string, (value: Buffer) => string | Buffer> = {
  raw: value => value,
  CRLF: value => value.toString().replace(/\n/g, "\r\n"),
  "UTF-16": value => Buffer.from(value.toString(), "utf16le"),
  base64: value => value.toString("base64"),
  base64url: value => value.toString("base64url"),
  "base64 behind one byte": value => Buffer.concat([Buffer.from("x"), value]).toString("base64"),
  "base64 behind user:": value =>
    Buffer.concat([Buffer.from("user:"), value, Buffer.from("tail")]).toString("base64"),
  "base64url behind two bytes": value => Buffer.concat([Buffer.from("xy"), value]).toString("base64url"),
  hex: value => value.toString("hex"),
  HEX: value => value.toString("hex").toUpperCase(),
  encodeURIComponent: value => encodeURIComponent(value.toString()),
  "RFC 3986, lower-case digits": value =>
    encodeURIComponent(value.toString())
      .replace(/'/g, "%27")
      .replace(/%../g, code => code.toLowerCase()),
  form: value => new URLSearchParams({ v: value.toString() }).toString(),
  JSON: value => JSON.stringify({ v: value.toString() }),
  "JSON in ASCII": value => JSON.stringify({ v: value.toString() }).replace(/ü/g, "\\u00fc"),
  "JSON of PHP": value =>
    JSON.stringify({ v: value.toString() }).replace(/ü/g, "\\u00fc").replace(/\//g, "\\/"),
}

for (const [name, encode] of Object.entries(encodings)) {
  test(`finds a value as ${name}`, () => {
    const encoded = Buffer.from(encode(Buffer.from(VALUE)))
    assert.ok(finds(encoded))
    assert.ok(finds(Buffer.concat([Buffer.from([0, 1, 2]), encoded, Buffer.from("\nmore")])))
  })
}

test("finds a binary value in hex and base64", () => {
  const value = Uint8Array.from({ length: 32 }, (_, index) => (index * 37 + 129) & 255)
  assert.ok(finds(value, value))
  assert.ok(finds(Buffer.from(value).toString("base64"), value))
  assert.ok(finds(Buffer.from(value).toString("hex"), value))
})

test("white space around the stored value does not hide it", () => {
  assert.ok(finds("KEY=s3cr3t-value", "s3cr3t-value\n"))
  assert.ok(finds("s3cr3t-value", "  s3cr3t-value\r\n"))
})

test("does not find what only resembles a value", () => {
  assert.not.ok(finds("s3cr3t-valu", "s3cr3t-value"))
  assert.not.ok(finds("S3CR3T-VALUE", "s3cr3t-value"))
  assert.not.ok(finds(""))
})

test("a long value is known by its beginning", () => {
  const value = Array.from({ length: 5000 }, (_, index) => `ü${index}`).join(",")
  assert.ok(finds(`x${value}`, value))
  assert.ok(finds(JSON.stringify(value), value))
  assert.ok(finds(Buffer.from(value).toString("base64"), value))
})

test("names what it does not watch: short, monotonous, ordinary words", () => {
  const plain = [
    "1234567",
    "aaaaaaaabbbb",
    "00000000",
    "production",
    "POSTGRES",
    "Localhost",
    "  short  ",
    "",
  ]
  const { notWatched, watched } = compileOwnValues(
    plain.map((value, index) => ({ name: `S${index}`, value: Buffer.from(value) })),
  )
  assert.is(watched, 0)
  assert.equal(
    notWatched,
    plain.map((_, index) => `S${index}`),
  )
})

test("watches eight bytes that are no word", () => {
  for (const value of ["sekrit42", "hunter-2", "prodUction", "correcthorsebattery"]) {
    assert.ok(finds(`a ${value} b`, value), value)
  }
})

test("a filter that another coffer kept is used only if it is made alike: FILTER_VERSION changes with its bytes", () => {
  const values = ["sekrit42 and more", 'p\u00e4ssw\u00f6rter/+"', "line one\r\nline two"]
  const own = compileOwnValues(values.map(value => ({ name: "S", value: Buffer.from(value) })))
  const digest = createHash("sha256").update(own.filter()).digest("hex")
  assert.equal(
    [FILTER_VERSION, digest],
    [1, "421fbf193a1a2eecedd4c5dc133c24d753cb9225f37bcf0d435421b73b4e2b27"],
  )
})

test.run()
