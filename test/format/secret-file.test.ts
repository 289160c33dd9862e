import { test } from "uvu"
import * as assert from "uvu/assert"
import { decodeUtf8, encodeUtf8 } from "../../src/encoding.js"
import { hasCode } from "../../src/errors.js"
import {
  parsePrevious,
  parseSecretFile,
  printSecretFile,
  type SecretFile,
  sealContext,
  writeContext,
} from "../../src/format/secret-file.js"
import { sampleSecret } from "./samples.js"

function textOf(file: SecretFile): string {
  return decodeUtf8(printSecretFile(file))!
}

test("a file parses to what was printed", () => {
  for (const file of [sampleSecret(), sampleSecret({ state: "deleted", previous: [], meta: new Map() })]) {
    assert.equal(parseSecretFile(printSecretFile(file)), { ...file, ...bytesOf(file) })
  }
})

test("the contexts are all bytes above `signature` and above `nonce`", () => {
  const file = sampleSecret()
  const text = textOf(file)
  assert.is(decodeUtf8(writeContext(file)), text.slice(0, text.indexOf("signature:")))
  assert.is(decodeUtf8(sealContext(file)), text.slice(0, text.indexOf("nonce:")))
})

test("meta is printed sorted, whatever order it is given in", () => {
  const meta = new Map([
    ["owner", "b"],
    ["description", "a"],
  ])
  assert.match(textOf(sampleSecret({ meta })), 'meta:\n  "description": "a"\n  "owner": "b"\n')
})

const REFUSED: readonly [why: string, change: (text: string) => string, code?: string][] = [
  ["another version of the format", text => text.replace("secret/1", "secret/2"), "NEWER_FORMAT"],
  ["a field of a newer format", text => text.replace("key: ", 'suite: "2"\nkey: '), "NEWER_FORMAT"],
  ["an altered header", text => text.replace("version: 3", "version: 4"), "DAMAGED"],
  ["the sum of another file", text => text.replace(/sum: "../, 'sum: "zz').replace("zz", "00"), "DAMAGED"],
  ["another kind of file", text => text.replace("secret/1", "key/1")],
  ["CRLF", text => text.replaceAll("\n", "\r\n")],
  ["a BOM", text => `\ufeff${text}`],
  ["nothing", () => ""],
  ["a comment", text => text.replace("version", "# hi\nversion")],
  ["no line feed at the end", text => text.slice(0, -1)],
  ["a line after the end", text => `${text}\n`],
  ["a field twice", text => text.replace("version: 3\n", "version: 3\nversion: 3\n")],
  ["a field left out", text => text.replace("version: 3\n", "")],
  ["fields in another order", text => text.replace(/(author.*\n)(previous(?:.*\n)+?)meta/, "$2$1meta")],
  ["single quotes", text => text.replace('"alice"', "'alice'")],
  ["no quotes", text => text.replace('"alice"', "alice")],
  ["a space at the end of a line", text => text.replace("version: 3", "version: 3 ")],
  ["a number with a zero before it", text => text.replace("version: 3", "version: 03")],
  ["a number that is too large", text => text.replace("version: 3", "version: 2147483648")],
  ["version 0", text => text.replace("version: 3", "version: 0")],
  ["an escape that is not needed", text => text.replace('"alice"', '"\\u0061lice"')],
  ["an escape in upper case", text => text.replace("the ", "\\u000A")],
  ["an unknown escape", text => text.replace("the ", "\\n")],
  ["a control character in meta", text => text.replace("the ", "\\u000a")],
  ["a raw control character", text => text.replace("the ", "\u0007")],
  ["a noncharacter", text => text.replace("the ", "\uffff")],
  ["an unknown state", text => text.replace("state: current", "state: gone")],
  ["a bad name", text => text.replace('"prod/db/PASSWORD"', '"prod/../x"')],
  ["a bad group", text => text.replace('group: "prod"', 'group: "default/x"')],
  ["a bad time", text => text.replace("2026-01-02", "2026-02-30")],
  ["meta that is not sorted", text => text.replace("description", "z")],
  ["a bad rotateAfter", text => text.replace('"90d"', '"90"')],
  ["no valueKeys", text => text.replace(/valueKeys:\n.*\n.*\n/, "valueKeys: []\n")],
  ["an empty list written as a list", text => text.replace(/previous:\n.*\n.*\n/, "previous:\n")],
  ["a short nonce", text => text.replace(/nonce: \|\n {2}..../, "nonce: |\n  ")],
  ["base64 with another indent", text => text.replace(/nonce: \|\n {2}/, "nonce: |\n   ")],
  ["base64 with unused bits set", text => text.replace(/=\n(?=key)/, "x=\n").replace(/.x=\n/, "/=\n")],
  ["base64 that is broken elsewhere", text => text.replace(/(value: \|\n.{40})/, "$1\n  ")],
  ["a block with a blank line", text => text.replace("value: |\n", "value: |\n\n")],
  ["a flow map", text => text.replace(/meta:\n.*\n.*\n/, 'meta: {"a": "b"}\n')],
  ["an anchor", text => text.replace('author: "', 'author: &a "')],
]

for (const [why, change, code = "NOT_CANONICAL"] of REFUSED) {
  test(`refused: ${why}`, () => {
    const text = textOf(sampleSecret())
    const changed = change(text)
    assert.is.not(changed, text)
    assert.throws(
      () => parseSecretFile(encodeUtf8(changed)),
      (error: unknown) => hasCode(error, code as "DAMAGED"),
    )
  })
}

test("entries of `previous` are numbers and git ids", () => {
  assert.equal(parsePrevious(`12-${"a".repeat(40)}`), { version: 12, oid: "a".repeat(40) })
  assert.throws(() => parsePrevious("12"), TypeError)
})

/** uvu compares prototypes: plain bytes on both sides. */
function bytesOf({ signature, nonce, value }: SecretFile) {
  return { signature: new Uint8Array(signature), nonce: new Uint8Array(nonce), value: new Uint8Array(value) }
}

test.run()
