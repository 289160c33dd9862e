import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { parse as parseYaml } from "yaml"
import { ageIdentity } from "../../src/crypto/age.js"
import { asDataKey, deriveKeys, openPreviousKey } from "../../src/crypto/data-key.js"
import { padme } from "../../src/crypto/padding.js"
import {
  deriveSigningSeed,
  isSigningPublicKey,
  signingKeyFromSeed,
  verifyRecord,
  verifyWrite,
} from "../../src/crypto/signing.js"
import { digestValue, openValue } from "../../src/crypto/value.js"
import { decodeBase64, decodeHex, encodeBase32, encodeHex, equalBytes, pae } from "../../src/encoding.js"
import { CofferError, hasCode } from "../../src/errors.js"
import { parseCard, printCard } from "../../src/format/card.js"
import { printKeyRecord } from "../../src/format/key-record.js"
import { LIMITS } from "../../src/format/limits.js"
import { parseSecretFile, printSecretFile, type SecretFile } from "../../src/format/secret-file.js"
import { parseStoreFile, printStoreFile } from "../../src/format/store-file.js"
import { openKeys } from "../../src/keyring/open.js"
import { parsePin, printPin } from "../../src/keyring/pin.js"
import { verifySecret } from "../../src/keyring/secret.js"
import { verifyKeyring } from "../../src/keyring/verify.js"
import { openFile } from "../../src/store/seal.js"
import { type Kind, PARSERS, toJson } from "./file-vectors.js"
import { makeVectors } from "./generate.js"
import { STORE_ID, VECTORS } from "./material.js"

const read = (path: string) => readFileSync(join(VECTORS, path))
const readJson = (path: string) => JSON.parse(read(path).toString("utf8"))
const suite = readJson("suite.json")
const utf8 = (text: string) => Buffer.from(text, "utf8")

test("the frozen files are what the present code makes of the same inputs", async () => {
  const made = await makeVectors()
  const frozen = readdirSync(VECTORS, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && !entry.name.endsWith(".ts") && entry.name !== "README.md")
    .map(entry => join(entry.parentPath, entry.name).slice(VECTORS.length + 1))
  assert.equal(frozen.sort(), [...made.keys()].sort())
  for (const [path, bytes] of made) assert.ok(equalBytes(read(path), bytes), path)
})

const PRINTERS: Readonly<Record<Kind, (data: never) => Uint8Array>> = {
  secret: printSecretFile,
  key: printKeyRecord,
  store: printStoreFile,
}

for (const { file, kind, data } of readJson("files.json") as { file: string; kind: Kind; data: unknown }[]) {
  test(`${file}: parses to its data and prints to its bytes`, () => {
    const parsed = PARSERS[kind](read(file))
    assert.equal(toJson(parsed), data)
    assert.ok(equalBytes(PRINTERS[kind](parsed as never), read(file)))
  })

  test(`${file}: the yaml package reads the same data`, () => {
    const loaded = parseYaml(read(file).toString("utf8"), { version: "1.2", schema: "core", strict: true })
    const { coffer, sum, ...rest } = loaded
    assert.match(coffer, /^(secret|key|store)\/1$/)
    if (kind === "secret") assert.match(sum, /^[0-9a-f]{16}$/)
    assert.equal(unfoldBlocks(rest), data)
  })
}

/** Block scalars as `yaml` loads them, with their line feeds: base64 without. */
function unfoldBlocks(value: unknown): unknown {
  if (typeof value === "string") return /^[A-Za-z0-9+/=\n]+\n$/.test(value) ? value.replaceAll("\n", "") : value
  if (Array.isArray(value)) return value.map(unfoldBlocks)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, unfoldBlocks(item)]))
}

for (const { file, kind, code, why } of readJson("refused.json")) {
  test(`${file}: refused, ${why}`, () => {
    assert.throws(
      () => PARSERS[kind as Kind](read(file)),
      (error: unknown) => hasCode(error, code),
    )
  })
}

test("suite: joining and padding", () => {
  for (const { parts, bytes } of suite.pae) assert.is(encodeHex(pae(...parts)), bytes)
  for (const [length, padded] of suite.padme) assert.is(padme(length), padded)
  // The largest file that a value can need is within the limit of files.
  const sealed = Math.ceil((padme(LIMITS.valueBytes + 36) + 16) / 57) * 79
  assert.ok(sealed + LIMITS.metaEntries * 2 * LIMITS.metaValueBytes + 8192 < LIMITS.secretFileBytes)
})

test("suite: data keys", () => {
  for (const { dataKey, seal, previous, commitment, ...place } of suite.deriveKeys) {
    const derived = deriveKeys(asDataKey(decodeHex(dataKey)!)!, place)
    assert.equal([encodeHex(derived.seal), encodeHex(derived.previous), derived.commitment], [seal, previous, commitment])
  }
  for (const { previousKey, id, ancestorId, ancestor, nonce, key } of suite.previousKeys) {
    const sealed = { nonce: decodeHex(nonce)!, key: decodeHex(key)! }
    assert.is(encodeHex(openPreviousKey(decodeHex(previousKey)!, id, ancestorId, sealed)!), ancestor)
    assert.is(openPreviousKey(decodeHex(previousKey)!, ancestorId, id, sealed), undefined)
  }
})

test("suite: values", () => {
  const open = (vector: Record<string, string>) =>
    openValue(decodeHex(vector.sealKey!)!, utf8(vector.context!), {
      nonce: decodeHex(vector.nonce!)!,
      value: decodeBase64(vector.sealed!)!,
    })
  for (const vector of suite.values) {
    const { salt, value } = open(vector)
    assert.is(encodeHex(salt), vector.salt)
    assert.is(Buffer.from(value).toString("utf8"), vector.value)
    assert.is(digestValue(salt, value), vector.digest)
  }
  for (const vector of suite.refusedValues) {
    assert.throws(
      () => open(vector),
      (error: unknown) => hasCode(error, vector.code),
      vector.why,
    )
  }
})

test("suite: identities, cards, signatures, wraps, pins", async () => {
  for (const { line, recipient, seed, signingKey, card } of suite.identities) {
    const identity = await ageIdentity(line)
    assert.is(identity.recipient, recipient)
    assert.is(encodeHex(deriveSigningSeed(identity.secret, identity.hrp)), seed)
    assert.is(signingKeyFromSeed(decodeHex(seed)!).publicKey, signingKey)
    assert.is(printCard({ recipient, signingKey }), card)
    assert.equal(parseCard(card), { recipient, signingKey })
  }
  const { signingKey, context, write, record } = suite.signatures
  assert.ok(verifyWrite(signingKey, utf8(context), decodeHex(write)!))
  assert.ok(verifyRecord(signingKey, utf8(context), decodeHex(record)!))
  assert.not.ok(verifyWrite(signingKey, utf8(context), decodeHex(record)!))
  for (const { key, why } of suite.refusedSigningKeys) assert.not.ok(isSigningPublicKey(key), why)
  for (const { identity, plain, message } of suite.wraps) {
    assert.is(encodeHex((await (await ageIdentity(identity)).unwrap(decodeBase64(message)!))!), plain)
  }
  for (const { store, number, sha256, hash } of suite.pins) {
    const pin = printPin(store, { record: { number }, sha256 } as never)
    assert.is(pin, `coffer1-${number}-${encodeBase32(decodeHex(hash)!)}`)
    assert.is(parsePin(pin).number, number)
  }
})

type Tree = Map<string, Uint8Array>

function storeTree(): Tree {
  const folder = join(VECTORS, "store/secrets")
  return new Map(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .map(path => [path, read(`store/secrets/${path}`)]),
  )
}

async function unwrapper(name: string) {
  const line = read(`store/identities/${name}.txt`).toString("utf8").split("\n")[1]!
  return ageIdentity(line)
}

/** Verifies and opens what `reader` can open: the values by name. */
async function readStore(tree: Tree, pin: string, reader: string): Promise<Map<string, Buffer>> {
  const { store } = parseStoreFile(tree.get(".coffer/store.yaml")!)
  assert.is(store, STORE_ID)
  const files = [...tree]
    .filter(([path]) => path.startsWith(".coffer/keys/"))
    .map(([path, bytes]) => ({ path, bytes }))
  const keyring = verifyKeyring({ store, files, pin: parsePin(pin), known: undefined, behind: new Set() })
  const secrets = [...tree].filter(([path]) => path.endsWith(".yaml") && !path.startsWith(".coffer/"))
  const verified = secrets.map(([path, bytes]): [SecretFile, string] => {
    const file = parseSecretFile(bytes)
    verifySecret(keyring, file, { path })
    return [file, file.group]
  })
  const values = new Map<string, Buffer>()
  for (const [group, own] of keyring.groups) {
    const inGroup = verified.filter(([, of]) => of === group).map(([file]) => file)
    const keys = await openKeys(own, [await unwrapper(reader)])
    for (const file of inGroup) {
      const { keys: derived } = await keys.keyFor(file.key)
      values.set(file.name, Buffer.from(openFile(file, derived.seal).value))
    }
  }
  return values
}

test("the store opens, from the newest pin and from an older one", async () => {
  const { pins, secrets } = readJson("store/expected.json")
  for (const pin of [pins.newest, pins.older]) {
    const values = await readStore(storeTree(), pin, "ana")
    assert.is(values.size, secrets.length)
    for (const { name, valueBase64 } of secrets) assert.is(values.get(name)!.toString("base64"), valueBase64, name)
  }
})

for (const { name, code, what, reader, pin, put, remove } of readJson("attacks.json")) {
  test(`attack ${name}: ${what}`, async () => {
    const tree = storeTree()
    for (const path of remove) assert.ok(tree.delete(path), path)
    for (const path of put) tree.set(path, read(`attacks/${name}/${path}`))
    if (code === null) {
      assert.equal(await readStore(tree, pin, reader), await readStore(storeTree(), pin, reader))
      return
    }
    const error: unknown = await readStore(tree, pin, reader).catch(error => error)
    if (!(error instanceof CofferError)) throw new Error(`accepted: ${String(error)}`)
    assert.is(error.code, code, error.message)
  })
}

test.run()
