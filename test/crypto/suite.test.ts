import { randomBytes } from "node:crypto"
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js"
import { ed25519 } from "@noble/curves/ed25519.js"
import { test } from "uvu"
import * as assert from "uvu/assert"
import {
  asDataKey,
  deriveKeys,
  newDataKey,
  openPreviousKey,
  sealPreviousKey,
} from "../../src/crypto/data-key.js"
import { openXChaCha } from "../../src/crypto/open-sealed.js"
import { padme } from "../../src/crypto/padding.js"
import {
  deriveSigningSeed,
  isSigningPublicKey,
  signingKeyFromSeed,
  signRecord,
  signWrite,
  verifyRecord,
  verifyWrite,
  verifyWrites,
} from "../../src/crypto/signing.js"
import { digestValue, newSalt, openValue, sealValue, sealWithNonce } from "../../src/crypto/value.js"
import { encodeUtf8, equalBytes } from "../../src/encoding.js"
import { hasCode } from "../../src/errors.js"

const PLACE = { store: "00112233445566778899aabbccddeeff", group: "prod", number: 3 }
const CONTEXT = encodeUtf8("coffer: secret/1\n")

test("a value opens to what was sealed, at lengths that show little", () => {
  const { seal } = deriveKeys(newDataKey(), PLACE)
  for (const length of [0, 1, 91, 92, 93, 129, 1000, 70_000]) {
    const value = Buffer.alloc(length, 7)
    const salt = newSalt()
    const sealed = sealValue(seal, CONTEXT, salt, value)
    assert.is(sealed.value.length, padme(Math.max(128, 36 + length)) + 16)
    const opened = openValue(seal, CONTEXT, sealed)
    assert.ok(equalBytes(opened.value, value) && equalBytes(opened.salt, salt))
    assert.is(digestValue(opened.salt, opened.value), digestValue(salt, value))
  }
})

test("what another implementation seals opens, and nothing that it refuses", () => {
  for (let round = 0; round < 200; round++) {
    const [key, nonce, data] = [randomBytes(32), randomBytes(24), randomBytes(round % 50)]
    const plain = randomBytes((round * 7) % 300)
    const sealed = xchacha20poly1305(key, nonce, data).encrypt(plain)
    assert.equal(Buffer.from(openXChaCha(key, nonce, sealed, data)!), plain)
    sealed[round % sealed.length]! ^= 1 << (round % 8)
    assert.is(openXChaCha(key, nonce, sealed, data), undefined)
    assert.throws(() => xchacha20poly1305(key, nonce, data).decrypt(sealed))
  }
})

test("a sealed value opens in no other place, and with no bit altered", () => {
  const keys = deriveKeys(newDataKey(), PLACE)
  const sealed = sealValue(keys.seal, CONTEXT, newSalt(), encodeUtf8("hunter2"))
  const refused = (seal: Uint8Array, context: Uint8Array, change: Partial<typeof sealed>) =>
    assert.throws(
      () => openValue(seal, context, { ...sealed, ...change }),
      (error: unknown) => hasCode(error, "TAMPERED"),
    )
  refused(keys.previous, CONTEXT, {})
  refused(keys.seal, encodeUtf8("coffer: secret/1"), {})
  refused(keys.seal, CONTEXT, { nonce: newSalt().subarray(0, 24) })
  refused(keys.seal, CONTEXT, { nonce: new Uint8Array(3) })
  refused(keys.seal, CONTEXT, { value: sealed.value.subarray(1) })
  refused(keys.seal, CONTEXT, { value: new Uint8Array(0) })
  for (let bit = 0; bit < sealed.value.length * 8; bit += 37) {
    const value = Uint8Array.from(sealed.value)
    value[bit >> 3]! ^= 1 << (bit & 7)
    refused(keys.seal, CONTEXT, { value })
  }
})

test("a value above 1 MiB is not sealed", () => {
  assert.throws(
    () => sealValue(new Uint8Array(32), CONTEXT, newSalt(), new Uint8Array(2 ** 20 + 1)),
    (error: unknown) => hasCode(error, "LIMIT_EXCEEDED"),
  )
  const salt = new Uint8Array(3)
  assert.throws(
    () => sealWithNonce(new Uint8Array(32), CONTEXT, { nonce: new Uint8Array(24), salt, value: salt }),
    TypeError,
  )
})

test("data keys derive other keys in every other place", () => {
  const dataKey = newDataKey()
  const places = [PLACE, { ...PLACE, number: 4 }, { ...PLACE, group: "prod/3" }, { ...PLACE, store: "x" }]
  const all = places.flatMap(place => {
    const { seal, previous, commitment } = deriveKeys(dataKey, place)
    return [Buffer.from(seal).toString("hex"), Buffer.from(previous).toString("hex"), commitment]
  })
  assert.is(new Set(all).size, 12)
  assert.is(asDataKey(new Uint8Array(31)), undefined)
})

test("an older data key opens under a newer one, under its own two ids only", () => {
  const [older, newer] = [newDataKey(), newDataKey()]
  const { previous } = deriveKeys(newer, PLACE)
  const sealed = sealPreviousKey(previous, "3-aaaaaaaa", "2-bbbbbbbb", older)
  assert.is(sealed.key.length, 48)
  assert.ok(equalBytes(openPreviousKey(previous, "3-aaaaaaaa", "2-bbbbbbbb", sealed)!, older))
  assert.is(openPreviousKey(previous, "3-aaaaaaaa", "2-cccccccc", sealed), undefined)
  assert.is(openPreviousKey(previous, "4-aaaaaaaa", "2-bbbbbbbb", sealed), undefined)
})

test("padded lengths are the published ones", () => {
  const lengths = [0, 1, 2, 8, 9, 10, 127, 128, 129, 1000, 2 ** 20 + 36].map(padme)
  assert.equal(lengths, [0, 1, 2, 8, 10, 10, 128, 128, 144, 1024, 1_081_344])
})

test("signing keys are those of RFC 8032", () => {
  const seed = Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex")
  const key = signingKeyFromSeed(seed)
  assert.is(key.publicKey, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
  const signature = Buffer.from(key.sign(new Uint8Array(0))).toString("hex")
  assert.match(signature, /^e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155/)
  assert.throws(() => signingKeyFromSeed(new Uint8Array(31)), TypeError)
})

test("the seed depends on the kind of identity", () => {
  const secret = new Uint8Array(32)
  const seeds = ["age-secret-key-", "AGE-SECRET-KEY-", "age-secret-key-pq-"].map(hrp =>
    Buffer.from(deriveSigningSeed(secret, hrp)).toString("hex"),
  )
  assert.is(seeds[0], seeds[1])
  assert.is.not(seeds[0], seeds[2])
})

test("signatures of writes and of records are not exchangeable", async () => {
  const key = signingKeyFromSeed(new Uint8Array(32).fill(1))
  const other = signingKeyFromSeed(new Uint8Array(32).fill(2))
  const signature = signWrite(key, CONTEXT)
  assert.ok(verifyWrite(key.publicKey, CONTEXT, signature))
  assert.not.ok(verifyWrite(other.publicKey, CONTEXT, signature))
  assert.not.ok(verifyRecord(key.publicKey, CONTEXT, signature))
  assert.ok(verifyRecord(key.publicKey, CONTEXT, signRecord(key, CONTEXT)))
  assert.not.ok(verifyWrite("junk", CONTEXT, signature))
  const batch = [key.publicKey, other.publicKey, "junk", key.publicKey].map(publicKey => ({
    publicKey,
    context: CONTEXT,
    signature,
  }))
  assert.equal(await verifyWrites(batch), [true, false, false, true])
  assert.equal(await verifyWrites([{ ...batch[0]!, signature: new Uint8Array(3) }]), [false])
})

/** Little-endian hex of a y, with the sign of x. */
function point(y: bigint, sign = false): string {
  const hex = (sign ? y | (1n << 255n) : y).toString(16).padStart(64, "0")
  return Buffer.from(hex, "hex").reverse().toString("hex")
}

test("keys of small order and in a second encoding are refused", () => {
  const prime = 2n ** 255n - 19n
  assert.ok(isSigningPublicKey(signingKeyFromSeed(new Uint8Array(32)).publicKey))
  const order8 = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"
  const other8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
  const wrong = [point(0n), point(1n), point(prime - 1n), order8, other8, point(prime), point(prime + 1n)]
  wrong.push(point(0n, true), point(1n, true), point(prime + 5n), point(2n ** 255n - 1n), "", "00", "zz")
  for (const hex of wrong) assert.not.ok(isSigningPublicKey(hex), hex)
})

test("a key of small order really would verify anything", () => {
  const key = Buffer.from(point(1n), "hex")
  const forged = Buffer.concat([key, Buffer.alloc(32)])
  // Not with OpenSSL: that of Node 24 refuses it, that of Node 20 does not.
  assert.ok(ed25519.verify(forged, encodeUtf8("any message"), key))
  assert.not.ok(verifyWrite(point(1n), CONTEXT, forged))
})

test.run()
