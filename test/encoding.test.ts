import { test } from "uvu"
import * as assert from "uvu/assert"
import {
  decodeBase64,
  decodeHex,
  decodeUtf8,
  encodeBase32,
  encodeBase64,
  encodeHex,
  encodeUtf8,
  equalBytes,
  findUtf8,
  pae,
} from "../src/encoding.js"

const ascii = (text: string) => Buffer.from(text, "latin1")

test("UTF-8 is strict both ways", () => {
  assert.is(decodeUtf8(encodeUtf8("Größe 📦")), "Größe 📦")
  assert.is(decodeUtf8(encodeUtf8("\ufeffa")), "\ufeffa")
  assert.is(findUtf8("\ud800"), undefined)
  assert.throws(() => encodeUtf8("a\udc00"), TypeError)
  for (const hex of ["ff", "c080", "eda080", "f4908080", "e282"]) {
    assert.is(decodeUtf8(Buffer.from(hex, "hex")), undefined, hex)
  }
})

test("hex is lower case and even", () => {
  assert.is(encodeHex(ascii("\x00\xff")), "00ff")
  assert.equal(decodeHex("00ff"), ascii("\x00\xff"))
  for (const text of ["0", "0F", "0g", " 00", "00\n"]) assert.is(decodeHex(text), undefined, text)
})

test("base64 has one spelling for each bytes (RFC 4648 §10)", () => {
  for (const [plain, text] of [
    ["", ""],
    ["f", "Zg=="],
    ["fo", "Zm8="],
    ["foo", "Zm9v"],
    ["foobar", "Zm9vYmFy"],
  ]) {
    assert.is(encodeBase64(ascii(plain!)), text)
    assert.equal(Buffer.from(decodeBase64(text!)!), ascii(plain!))
  }
  for (const text of ["Zg", "Zg=", "Zh==", "Zm9v\n", "Zm9-", "Zg==Zg==", "Z g=="]) {
    assert.is(decodeBase64(text), undefined, text)
  }
})

test("base32 in lower case without padding (RFC 4648 §10)", () => {
  const pairs = [
    ["", ""],
    ["f", "my"],
    ["fo", "mzxq"],
    ["foo", "mzxw6"],
    ["foob", "mzxw6yq"],
    ["foobar", "mzxw6ytboi"],
  ]
  for (const [plain, text] of pairs) assert.is(encodeBase32(ascii(plain!)), text)
})

test("joined parts cannot be taken for other parts", () => {
  assert.is(encodeHex(pae()), "0000000000000000")
  assert.is(encodeHex(pae("a", "")), "0000000000000002" + "000000000000000161" + "0000000000000000")
  const lists = [["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["", "abc"], []]
  assert.is(new Set(lists.map(parts => encodeHex(pae(...parts)))).size, lists.length)
  assert.equal(pae("Größe"), pae(encodeUtf8("Größe")))
})

test("bytes are equal or not, at any length", () => {
  assert.ok(equalBytes(ascii("abc"), Uint8Array.from(ascii("abc"))))
  assert.not.ok(equalBytes(ascii("abc"), ascii("abd")))
  assert.not.ok(equalBytes(ascii("abc"), ascii("ab")))
  assert.ok(equalBytes(ascii(""), ascii("")))
})

test.run()
