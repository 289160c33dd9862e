import { test } from "uvu"
import * as assert from "uvu/assert"
import { decodeBech32, encodeBech32 } from "../../src/encoding/bech32.js"
import { CofferError } from "../../src/errors.js"
import { parseCard, printCard } from "../../src/format/card.js"

const RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
const SIGNING_KEY = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

test("a card prints and parses", () => {
  const card = { recipient: RECIPIENT, signingKey: SIGNING_KEY }
  const text = printCard(card)
  assert.match(text, /^age1\S+ coffer-sign1\S+$/)
  assert.equal(parseCard(`  ${text}\n`), card)
  assert.equal(parseCard(RECIPIENT), { recipient: RECIPIENT })
  assert.is(printCard({ recipient: RECIPIENT }), RECIPIENT)
  const hybrid = encodeBech32("age1pq", new Uint8Array(1216))
  assert.equal(parseCard(hybrid), { recipient: hybrid })
})

test("what is no card is refused, and never repeated", () => {
  const card = printCard({ recipient: RECIPIENT, signingKey: SIGNING_KEY })
  const wrong: [string, RegExp][] = [
    ["", /does not begin with an age recipient/],
    ["hunter2", /does not begin with an age recipient/],
    [RECIPIENT.toUpperCase(), /does not begin/],
    [RECIPIENT.replace("q", "p"), /does not begin/],
    [encodeBech32("age", new Uint8Array(31)), /does not begin/],
    ["ssh-ed25519 AAAA", /not supported/],
    [encodeBech32("age1yubikey", new Uint8Array(33)), /not supported/],
    ["AGE-SECRET-KEY-1HUNTER2", /private key/],
    [`${card} hunter2`, /second half/],
    [`${RECIPIENT} ${encodeBech32("coffer-sign", new Uint8Array(31))}`, /second half/],
    [`${RECIPIENT} ${SIGNING_KEY}`, /second half/],
  ]
  for (const [text, pattern] of wrong) {
    try {
      parseCard(text)
      assert.unreachable(text)
    } catch (error) {
      assert.instance(error, CofferError)
      assert.is((error as CofferError).code, "CARD_INVALID")
      assert.match((error as CofferError).message, pattern)
      assert.not.match((error as CofferError).message, /hunter2/i)
    }
  }
})

test("bech32: the valid and invalid texts of BIP 173", () => {
  for (const text of ["A12UEL5L", "a12uel5l", "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", "?1ezyfcl"]) {
    assert.is.not(decodeBech32(text), undefined, text)
  }
  for (const text of [
    "pzry9x0s0muk",
    "1pzry9x0s0muk",
    "x1b4n0q5v",
    "li1dgmt3",
    "A1G7SGD8",
    "10a06t8",
    "1qzzfhee",
  ]) {
    assert.is(decodeBech32(text), undefined, text)
  }
  assert.is(decodeBech32("A12uel5l"), undefined)
})

test("bech32: decoding undoes encoding at every length", () => {
  for (let length = 0; length < 70; length++) {
    const bytes = Buffer.from(Array.from({ length }, (_, index) => (index * 37 + length) & 255))
    const decoded = decodeBech32(encodeBech32("age", bytes))!
    assert.is(decoded.hrp, "age")
    assert.equal(Buffer.from(decoded.bytes), bytes)
  }
})

test.run()
