import fc from "fast-check"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { encodeBech32 } from "../../src/encoding/bech32.js"
import { hasAgeKey, isDotenvFile } from "../../src/scan/plaintext-files.js"

const bytes = Uint8Array.from({ length: 32 }, (_, index) => index * 7 + 1)
const key = encodeBech32("age-secret-key-", bytes).toUpperCase()
const hybrid = encodeBech32("age-secret-key-pq-", bytes).toUpperCase()
const plugin = encodeBech32("age-plugin-yubikey-", Uint8Array.from([1, 2, 3, 4])).toUpperCase()
const wrap = (text: string, width: number) => text.replace(new RegExp(`.{${width}}`, "g"), "$&\n")
const base64 = (text: string) => Buffer.from(text).toString("base64")

const carriers: Record<string, string | Buffer> = {
  "a line": `# created\n${key}\n`,
  "nothing else": key,
  "lower case": key.toLowerCase(),
  "a hybrid key": `key: "${hybrid}"`,
  "a plugin's identity": `  - ${plugin}  `,
  JSON: JSON.stringify({ identity: `x\n${key}\n` }),
  "a shell line": `export COFFER_IDENTITY=${key};run`,
  "text glued to it": `${key}QQexport-1`,
  binary: Buffer.concat([Buffer.from([0, 255, 10]), Buffer.from(key), Buffer.from([0])]),
  CRLF: `a\r\n${key}\r\n`,
  "UTF-16": Buffer.from(`\uFEFFkey ${key}\r\n`, "utf16le"),
  "a Kubernetes secret": `data:\n  age.agekey: ${base64(`# created: 2026\n# public key: age1\n${key}\n`)}\n`,
  "base64, other alignment": base64(`x${key}`),
  "base64, third alignment": base64(`xy${key}\n`),
  "wrapped base64": wrap(base64(`# created: 2026-01-01T00:00:00Z\n${key}\n`), 64),
  base64url: Buffer.from(`??>${key}`).toString("base64url"),
  "after a placeholder": `AGE-SECRET-KEY-1... or ${key}`,
}
for (const [name, content] of Object.entries(carriers)) {
  test(`finds a key in ${name}`, () => assert.ok(hasAgeKey(Buffer.from(content))))
}

const harmless: Record<string, string> = {
  "a placeholder": "AGE-SECRET-KEY-1...",
  another: `AGE-SECRET-KEY-1${"Q".repeat(58)}`,
  "a third": "AGE-SECRET-KEY-1XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
  "a prefix": "AGE-SECRET-KEY-, AGE-PLUGIN-YUBIKEY-",
  "a recipient": encodeBech32("age", bytes),
  "a typing error": key.replace(/.$/, last => (last === "Q" ? "P" : "Q")),
  "mixed case": key.replace(/.$/, last => last.toLowerCase()),
  "a cut key": key.slice(0, 60),
  "a command": "age-plugin-yubikey-1.0 --generate",
  nothing: "",
}
for (const [name, content] of Object.entries(harmless)) {
  test(`does not take ${name} for a key`, () => {
    assert.not.ok(hasAgeKey(Buffer.from(content)))
    assert.not.ok(hasAgeKey(Buffer.from(base64(content))))
  })
}

test("any key is found at any place, in text and in base64", () => {
  const noise = fc.uint8Array({ maxLength: 50 })
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), noise, noise, (secret, before, after) => {
      const found = Buffer.from(encodeBech32("age-secret-key-", secret).toUpperCase())
      assert.ok(hasAgeKey(Buffer.concat([before, found, after])))
      assert.ok(hasAgeKey(Buffer.from(Buffer.concat([before, found, after]).toString("base64"))))
    }),
    { numRuns: 100 },
  )
})

test("a key is found wherever the content is cut into parts", () => {
  const boundary = 16 * 1024 * 1024
  for (const text of [key, base64(`x${key}`)]) {
    const content = Buffer.alloc(boundary + 8192, "-")
    for (let shift = -text.length - 8; shift <= 8; shift++) {
      const at = boundary + shift
      content.write(text, at, "latin1")
      assert.ok(hasAgeKey(content.subarray(boundary - 4096)), `alone, ${shift}`)
      if (shift % 16 === 0 || shift > -8) assert.ok(hasAgeKey(content), `${shift}`)
      content.fill("-", at, at + text.length)
    }
  }
})

test("names of .env files", () => {
  for (const path of [
    ".env",
    "a/b/.env",
    ".env.local",
    ".env.production",
    ".ENV",
    ".env.keys",
    ".envrc",
    ".env-prod",
  ]) {
    assert.ok(isDotenvFile(path), path)
  }
  const shared = [
    ".env.example",
    "a/.env.sample",
    ".env.template",
    ".env.dist",
    ".env.local.example",
    ".env-sample",
  ]
  for (const path of [
    ...shared,
    ".ENV.Example",
    "env",
    "prod.env",
    ".env/lib/x.py",
    "a.env.ts",
    ".environments/x",
  ]) {
    assert.not.ok(isDotenvFile(path), path)
  }
})

test.run()
