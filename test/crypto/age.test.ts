import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Decrypter, Encrypter, generateHybridIdentity, identityToRecipient } from "age-encryption"
import * as fc from "fast-check"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { ageIdentity, newIdentityLine, recipientType, wrapDataKey } from "../../src/crypto/age.js"
import { parseAgeHeader } from "../../src/crypto/age-header.js"
import { newDataKey } from "../../src/crypto/data-key.js"
import { encodeBech32 } from "../../src/encoding/bech32.js"
import { equalBytes } from "../../src/encoding.js"
import { CofferError, type ErrorCode, hasCode } from "../../src/errors.js"
import { ageVectors, sha256Hex } from "./age-vectors.js"

const SEED = 20260102
const recipientOf = async (line: string) => (await ageIdentity(line)).recipient

/** The verdict of our reader in the words of the vectors. */
async function verdictOf(identities: readonly string[], message: Uint8Array) {
  try {
    for (const line of identities) {
      const opened = await (await ageIdentity(line)).unwrap(message)
      if (opened !== null) return { verdict: "success", opened }
    }
    // Without an identity the file is read all the same.
    if (identities.length === 0) parseAgeHeader(message)
    return { verdict: "no match" }
  } catch (error) {
    if (!hasCode(error, "WRAP_SHAPE", "WRAP_BROKEN")) throw error
    if (/MAC/.test(error.message)) return { verdict: "HMAC failure" }
    return { verdict: /payload/.test(error.message) ? "payload failure" : "header failure" }
  }
}

test("the CCTV vectors come out as they say", async () => {
  const vectors = ageVectors()
  assert.ok(vectors.length >= 80, `${vectors.length} vectors`)
  const wrong: string[] = []
  for (const { name, expect, identities, payloadHash, message } of vectors) {
    const { verdict, opened } = await verdictOf(identities, message)
    if (verdict !== expect) wrong.push(`${name}: ${verdict}, not ${expect}`)
    if (opened !== undefined && sha256Hex(opened) !== payloadHash) wrong.push(`${name}: another payload`)
  }
  assert.equal(wrong, [])
})

test("what is wrapped unwraps, for X25519 and hybrid, and is null for others", async () => {
  const lines = [
    newIdentityLine(),
    newIdentityLine(),
    await generateHybridIdentity(),
    await generateHybridIdentity(),
  ]
  const dataKey = newDataKey()
  for (const line of lines) {
    const recipient = await recipientOf(line)
    assert.is(recipient, await identityToRecipient(line))
    const message = await wrapDataKey(recipient, dataKey)
    const stanzas = parseAgeHeader(message)
    assert.is(stanzas.length, 1)
    assert.is(stanzas[0]!.type, recipientType(recipient) === "hybrid" ? "mlkem768x25519" : "X25519")
    for (const other of lines) {
      const opened = await (await ageIdentity(other)).unwrap(message)
      assert.is(opened === null, other !== line)
      if (opened !== null) assert.ok(equalBytes(opened, dataKey))
    }
  }
})

test("an altered wrap is refused with a code, or opens to the same", async () => {
  for (const line of [newIdentityLine(), await generateHybridIdentity()]) {
    const identity = await ageIdentity(line)
    const message = await wrapDataKey(identity.recipient, newDataKey())
    const step = line.includes("PQ") ? 997 : 7
    for (let bit = 0; bit < message.length * 8; bit += step) {
      const altered = Uint8Array.from(message)
      altered[bit >> 3]! ^= 1 << (bit & 7)
      try {
        assert.is(await identity.unwrap(altered), null)
      } catch (error) {
        assert.ok(hasCode(error, "WRAP_SHAPE", "WRAP_BROKEN"), String(error))
      }
    }
  }
})

test("a header of more than 64 KiB is refused before any key agreement", async () => {
  const identity = await ageIdentity(newIdentityLine())
  const stanza = `-> X25519 ${"A".repeat(43)}\n${"A".repeat(43)}\n`
  const message = Buffer.from(`age-encryption.org/v1\n${stanza.repeat(10_000)}--- ${"A".repeat(43)}\n`)
  const started = performance.now()
  await identity.unwrap(message).then(
    () => assert.unreachable(),
    error => assert.ok(hasCode(error, "WRAP_SHAPE")),
  )
  // 10,000 key agreements take ten seconds and more.
  assert.ok(performance.now() - started < 3000)
})

/** Opens by age-encryption, in the words of {@link verdictOf}. */
async function referenceVerdict(line: string, message: Uint8Array) {
  const decrypter = new Decrypter()
  decrypter.addIdentity(line)
  try {
    return { opened: await decrypter.decrypt(message) }
  } catch (error) {
    return { opened: undefined, noMatch: /no identity matched/.test(String(error)) }
  }
}

test("age-encryption opens exactly the same files", async () => {
  const lines = [newIdentityLine(), newIdentityLine()]
  const recipients = await Promise.all(lines.map(recipientOf))
  const encrypt = async (plain: Uint8Array, to: readonly string[]) => {
    const encrypter = new Encrypter()
    for (const recipient of to) encrypter.addRecipient(recipient)
    return encrypter.encrypt(plain)
  }
  const originals = [
    await encrypt(newDataKey(), recipients.slice(0, 1)),
    await encrypt(newDataKey(), recipients),
    await encrypt(new Uint8Array(0), recipients.slice(1)),
    await encrypt(new Uint8Array(64 * 1024), recipients),
    await encrypt(new Uint8Array(64 * 1024 + 1), recipients.slice(0, 1)),
  ]
  const mutation = fc.record({
    original: fc.integer({ min: 0, max: originals.length - 1 }),
    edits: fc.array(
      fc.record({
        // Most edits in the header: there is what parsers differ in.
        at: fc.oneof(fc.nat(260), fc.nat(70_000)),
        how: fc.constantFrom("set", "insert", "remove", "cut"),
        byte: fc.oneof(fc.nat(255), fc.constantFrom(10, 13, 32, 45, 61, 62, 65)),
      }),
      { maxLength: 2 },
    ),
  })
  await fc.assert(
    fc.asyncProperty(mutation, async ({ original, edits }) => {
      let message: Uint8Array = Buffer.from(originals[original]!)
      for (const { at, how, byte } of edits) message = edit(message, at % (message.length + 1), how, byte)
      const ours = await verdictOf(lines.slice(0, 1), message)
      const theirs = await referenceVerdict(lines[0]!, message)
      assert.is(ours.verdict === "success", theirs.opened !== undefined, ours.verdict)
      if (theirs.opened !== undefined) assert.ok(equalBytes(ours.opened!, theirs.opened))
      // age-encryption looks at a MAC of another length only once a stanza has matched; we refuse the form first.
      else assert.is(ours.verdict === "no match", theirs.noMatch && hasWholeMac(message), ours.verdict)
    }),
    { seed: SEED, numRuns: 150 },
  )
})

/** Whether the header ends in a MAC of 32 bytes: 43 characters. */
function hasWholeMac(message: Uint8Array): boolean {
  return /\n--- [A-Za-z0-9+/]{43}\n/.test(Buffer.from(message).toString("latin1"))
}

function edit(message: Uint8Array, at: number, how: string, byte: number): Uint8Array {
  const [before, after] = [message.subarray(0, at), message.subarray(at)]
  if (how === "cut") return before
  if (how === "insert") return Buffer.concat([before, Buffer.of(byte), after])
  if (how === "remove") return Buffer.concat([before, after.subarray(1)])
  return Buffer.concat([before, Buffer.of(byte), after.subarray(1)])
}

test("random bytes are no age file", async () => {
  const identity = await ageIdentity(newIdentityLine())
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), fc.boolean(), async (bytes, prefixed) => {
      const message = prefixed ? Buffer.concat([Buffer.from("age-encryption.org/v1\n-> "), bytes]) : bytes
      const error = await identity.unwrap(message).catch(error => error)
      assert.instance(error, CofferError)
    }),
    { seed: SEED, numRuns: 200 },
  )
})

test("the age binary opens our wraps and we open its files", async () => {
  // apt-get install age: the guarantee that no store depends on coffer is not to be skipped.
  const folder = mkdtempSync(join(tmpdir(), "coffer-age-"))
  try {
    const line = newIdentityLine()
    const identityFile = join(folder, "identity.txt")
    writeFileSync(identityFile, `${line}\n`, { mode: 0o600 })
    const recipient = await recipientOf(line)
    assert.is(execFileSync("age-keygen", ["-y", identityFile], { encoding: "utf8" }).trim(), recipient)
    const dataKey = newDataKey()
    const input = await wrapDataKey(recipient, dataKey)
    assert.ok(equalBytes(execFileSync("age", ["-d", "-i", identityFile], { input }), dataKey))
    const theirs = execFileSync("age", ["-r", recipient], { input: dataKey })
    assert.ok(equalBytes((await (await ageIdentity(line)).unwrap(theirs))!, dataKey))
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test("recipients that are none are refused by name of the fault, not with junk in the file", async () => {
  const refused = async (promise: Promise<unknown>, code: ErrorCode) => {
    const error = await promise.catch(error => error)
    assert.ok(hasCode(error, code), String(error))
  }
  const zero = encodeBech32("age", new Uint8Array(32))
  for (const recipient of [
    "age1abc",
    zero,
    "ssh-ed25519 AAAA",
    encodeBech32("age1yubikey", new Uint8Array(33)),
  ]) {
    await refused(wrapDataKey(recipient, newDataKey()), "CARD_INVALID")
  }
  const line = newIdentityLine()
  for (const wrong of [
    line.toLowerCase(),
    line.slice(0, -1),
    "",
    "AGE-PLUGIN-X-1QQQ",
    await recipientOf(line),
  ]) {
    await refused(ageIdentity(wrong), "IDENTITY_INVALID")
  }
})

test("kinds of recipients", () => {
  const kinds = ["age1qqq", "age1pq1qqq", "age1yubikey1qqq", "ssh-ed25519 AAAA", "x"].map(recipientType)
  assert.equal(kinds, ["x25519", "hybrid", "other", "other", "other"])
})

test.run()
