/** Vectors of the cryptographic suite, one list for each function of docs/format.md §7. */
import { createHash } from "node:crypto"
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js"
import { asDataKey, deriveKeys, sealPreviousKeyWithNonce } from "../../src/crypto/data-key.js"
import { hkdf } from "../../src/crypto/kdf.js"
import { padme } from "../../src/crypto/padding.js"
import { deriveSigningSeed, isSigningPublicKey, signRecord, signWrite } from "../../src/crypto/signing.js"
import { digestValue, sealWithNonce } from "../../src/crypto/value.js"
import { decodeBech32 } from "../../src/encoding/bech32.js"
import { encodeBase64, encodeHex, pae } from "../../src/encoding.js"
import { printCard } from "../../src/format/card.js"
import { fixedBytes, frozenWrap, makePerson, STORE_ID } from "./material.js"

const CONTEXT = "coffer: secret/1\nstore: …\n"

export async function makeSuite() {
  const [ana, hybrid] = [await makePerson("ana"), await makePerson("hybrid", "age-secret-key-pq-")]
  return {
    pae: [[], [""], ["a", "b"], ["ab", ""], ["coffer/v1/pin", "Größe"]].map(parts => ({
      parts,
      bytes: encodeHex(pae(...parts)),
    })),
    padme: [1, 2, 9, 100, 127, 128, 129, 1000, 4097, 65_536, 65_537, 1_048_612].map(n => [n, padme(n)]),
    deriveKeys: derivations(),
    previousKeys: previousKeys(),
    values: [0, 1, 7, 92, 93, 1000].map(sealedValue),
    refusedValues: refusedValues(),
    identities: [ana, hybrid].map(({ line, recipient, signingKey }) => {
      const { hrp, bytes } = decodeBech32(line)!
      const card = { recipient, signingKey: signingKey.publicKey }
      return { line, recipient, seed: encodeHex(deriveSigningSeed(bytes, hrp)), signingKey: signingKey.publicKey, card: printCard(card) }
    }),
    signatures: {
      signingKey: ana.signingKey.publicKey,
      context: CONTEXT,
      write: encodeHex(signWrite(ana.signingKey, Buffer.from(CONTEXT))),
      record: encodeHex(signRecord(ana.signingKey, Buffer.from(CONTEXT))),
    },
    refusedSigningKeys: refusedSigningKeys(),
    pins: [1, 2_147_483_647].map(number => {
      const sha256 = encodeHex(fixedBytes(`record ${number}`))
      return { store: STORE_ID, number, sha256, hash: encodeHex(pinHash(sha256)) }
    }),
    wraps: await Promise.all(
      [ana, hybrid].map(async ({ line, recipient, name }) => {
        const plain = fixedBytes(`wrapped for ${name}`)
        const message = await frozenWrap(`suite to ${name}`, recipient, plain)
        return { identity: line, recipient, plain: encodeHex(plain), message: encodeBase64(message) }
      }),
    ),
  }
}

function pinHash(sha256: string): Uint8Array {
  return createHash("sha256").update(pae("coffer/v1/pin", STORE_ID, Buffer.from(sha256, "hex"))).digest()
}

function derivations() {
  const places = [
    { store: STORE_ID, group: "default", number: 1 },
    { store: STORE_ID, group: "prod/eu", number: 12 },
  ]
  return places.map((place, index) => {
    const dataKey = asDataKey(fixedBytes(`derive ${index}`))!
    const { seal, previous, commitment } = deriveKeys(dataKey, place)
    return { ...place, dataKey: encodeHex(dataKey), seal: encodeHex(seal), previous: encodeHex(previous), commitment }
  })
}

function previousKeys() {
  const previousKey = fixedBytes("previous key")
  const ancestor = asDataKey(fixedBytes("ancestor"))!
  const ids = { id: "3-9f2c1a7b", ancestorId: "2-00c0ffee" }
  const sealed = sealPreviousKeyWithNonce(previousKey, fixedBytes("previous nonce", 24), { ...ids, ancestor })
  return [
    {
      ...ids,
      previousKey: encodeHex(previousKey),
      ancestor: encodeHex(ancestor),
      nonce: encodeHex(sealed.nonce),
      key: encodeHex(sealed.key),
    },
  ]
}

function sealedValue(length: number) {
  const value = Buffer.from("correct horse battery staple ".repeat(40)).subarray(0, length)
  const [sealKey, salt, nonce] = [fixedBytes("seal"), fixedBytes(`salt ${length}`), fixedBytes(`n ${length}`, 24)]
  const sealed = sealWithNonce(sealKey, Buffer.from(CONTEXT), { nonce, salt, value })
  return {
    sealKey: encodeHex(sealKey),
    context: CONTEXT,
    salt: encodeHex(salt),
    nonce: encodeHex(nonce),
    value: value.toString(),
    sealed: encodeBase64(sealed.value),
    digest: digestValue(salt, value),
  }
}

/** Plaintexts that somebody with the key sealed in a form that no writer gives. */
function refusedValues() {
  const head = (length: number) => {
    const bytes = Buffer.alloc(36)
    bytes.set(fixedBytes("salt"))
    bytes.writeUInt32BE(length, 32)
    return bytes
  }
  const plain = (length: number, size: number) => Buffer.concat([head(length), Buffer.alloc(size - 36)])
  const filled = plain(4, 128)
  filled[127] = 1
  const forms: [why: string, plain: Uint8Array][] = [
    ["shorter than its head", Buffer.alloc(35)],
    ["not padded", plain(4, 40)],
    ["padded to the next size", plain(4, 144)],
    ["padding that is not zero", filled],
    ["a length beyond its end", plain(200, 128)],
    ["a length above 1 MiB", plain(2 ** 31, 128)],
  ]
  return forms.map(([why, bytes]) => {
    const [sealKey, nonce] = [fixedBytes("seal"), fixedBytes(why, 24)]
    const data = pae("coffer/v1/secret", CONTEXT)
    const info = pae("coffer/v1/value", createHash("sha256").update(data).digest())
    const sealed = xchacha20poly1305(hkdf(sealKey, nonce, info), nonce, data).encrypt(bytes)
    return {
      why,
      code: "TAMPERED",
      sealKey: encodeHex(sealKey),
      context: CONTEXT,
      nonce: encodeHex(nonce),
      sealed: encodeBase64(sealed),
    }
  })
}

function refusedSigningKeys(): { why: string; key: string }[] {
  const prime = 2n ** 255n - 19n
  const encode = (y: bigint, sign: bigint) =>
    Buffer.from((y | (sign << 255n)).toString(16).padStart(64, "0"), "hex").reverse().toString("hex")
  const keys = [
    { why: "order 1", key: encode(1n, 0n) },
    { why: "order 2", key: encode(prime - 1n, 0n) },
    { why: "order 4", key: encode(0n, 0n) },
    { why: "order 4, other sign", key: encode(0n, 1n) },
    { why: "order 8", key: "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a" },
    { why: "order 8, other sign", key: "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa" },
    { why: "order 8, other y", key: "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05" },
    { why: "order 8, other y and sign", key: "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85" },
    { why: "not canonical: y = p", key: encode(prime, 0n) },
    { why: "not canonical: y = p + 3", key: encode(prime + 3n, 1n) },
  ]
  if (keys.some(({ key }) => isSigningPublicKey(key))) throw new Error("a key that must be refused is not")
  return keys
}
