import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { encodeUtf8 } from "../../src/encoding.js"
import { CofferError } from "../../src/errors.js"
import { parseSecretName } from "../../src/format/names.js"
import { parseSecretFile, printSecretFile, type SecretFile } from "../../src/format/secret-file.js"
import { STORE_FILE_PATH } from "../../src/format/store-file.js"
import { getSecret } from "../../src/store/secrets.js"
import { openStore } from "../../src/store/store.js"
import { pick, type Random, randomFrom } from "../keyring/histories.js"
import { first, people, pinOf, prodFirst, prodTip, steps, tip } from "./cast.js"

// A store without git, in the library and not in processes of their own: there are many hundred readings.
const root = mkdtempSync(join(tmpdir(), "coffer-tamper-"))
process.on("exit", () => rmSync(root, { recursive: true, force: true }))
const now = new Map(
  Object.entries({ ...steps.start, ...steps.removal, ...steps.now }).map(([path, content]) => [
    path,
    typeof content === "string" ? encodeUtf8(content) : content!,
  ]),
)
for (const [path, bytes] of now) put(path, bytes)

function put(path: string, bytes: Uint8Array): void {
  mkdirSync(dirname(join(root, "secrets", path)), { recursive: true })
  writeFileSync(join(root, "secrets", path), bytes)
}

/** The secret that a reader asks for, whom the file at `path` concerns. */
function wantedAt(path: string): string {
  const group = path.startsWith("prod/") || path.includes("/prod/") ? "prod/TOKEN" : "API_TOKEN"
  return path.endsWith(".yaml") && !path.startsWith(".") ? path.slice(0, -".yaml".length) : group
}

async function read(name: string, pin: string): Promise<string> {
  const env = { COFFER_IDENTITY: people.tom.line, COFFER_PIN: pin }
  const store = await openStore({ directory: root, env })
  const { file, value } = await getSecret(store, { name: parseSecretName(name) })
  return `${Buffer.from(value)} ${file.version} ${file.author} ${JSON.stringify([...file.meta])}`
}

/**
 * Reads with one file replaced, under an old pin and under the newest.
 *
 * @returns the code that both were refused with, of two the last, or what was read.
 */
async function readWith(path: string, bytes: Uint8Array): Promise<string> {
  put(path, bytes)
  try {
    const values: string[] = []
    for (const pin of [first, tip]) {
      try {
        values.push(await read(wantedAt(path), pinOf(pin)))
      } catch (error) {
        if (!(error instanceof CofferError)) throw error
        assert.is(error.exit, 12, `${error.code}: ${error.message}`)
        values.push(error.code)
      }
    }
    return values.find(value => value.includes(" ")) ?? values[1]!
  } finally {
    put(path, now.get(path)!)
  }
}

const KINDS: Readonly<Record<string, string>> = {
  "the store's own file": STORE_FILE_PATH,
  "the newest key record": tip.path,
  "the first key record": first.path,
  "a group's newest key record": prodTip.path,
  "a group's first key record": prodFirst.path,
  "a secret": "API_TOKEN.yaml",
  "a secret of a group": "prod/TOKEN.yaml",
}

type Change = (random: Random, bytes: Uint8Array) => Uint8Array

const CHANGES: readonly Change[] = [flip, flip, flip, swapBytes, swapLines, dropByte, cut]

function flip(random: Random, bytes: Uint8Array): Uint8Array {
  const at = Math.floor(random() * bytes.length)
  return bytes.with(at, bytes[at]! ^ (1 << Math.floor(random() * 8)))
}

function swapBytes(random: Random, bytes: Uint8Array): Uint8Array {
  const [a, b] = [Math.floor(random() * bytes.length), Math.floor(random() * bytes.length)]
  return bytes.with(a, bytes[b]!).with(b, bytes[a]!)
}

function swapLines(random: Random, bytes: Uint8Array): Uint8Array {
  const lines = Buffer.from(bytes).toString().split("\n")
  const [a, b] = [Math.floor(random() * lines.length), Math.floor(random() * lines.length)]
  return encodeUtf8(lines.with(a, lines[b]!).with(b, lines[a]!).join("\n"))
}

function dropByte(random: Random, bytes: Uint8Array): Uint8Array {
  const at = Math.floor(random() * bytes.length)
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)])
}

function cut(random: Random, bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, Math.floor(random() * bytes.length))
}

test("before any of this, all is read", async () => {
  for (const pin of [first, tip]) {
    assert.is(await read("API_TOKEN", pinOf(pin)), "token two 2 tom []")
    assert.is(await read("prod/TOKEN", pinOf(pin)), "prod one 1 tom []")
  }
})

for (const [what, path] of Object.entries(KINDS)) {
  test(`bits flipped, bytes and lines swapped, cut short: ${what} is refused`, async () => {
    const bytes = now.get(path)!
    const random = randomFrom(path)
    for (let i = 0; i < 70; i++) {
      const changed = pick(random, CHANGES)(random, bytes)
      if (Buffer.compare(changed, bytes) === 0) continue
      const outcome = await readWith(path, changed)
      assert.not.match(outcome, / /, `trial ${i}: read ${outcome}`)
    }
  })
}

/** One bit of each field that holds bytes, the checksum put right: whoever alters a file can do that. */
const FIELDS = {
  signature: "WRITE_SIGNATURE",
  nonce: "TAMPERED",
  value: "TAMPERED",
} as const

for (const [field, code] of Object.entries(FIELDS) as [keyof typeof FIELDS, string][]) {
  test(`bits flipped in ${field}, the checksum put right: ${code}`, async () => {
    const file = parseSecretFile(now.get("API_TOKEN.yaml")!)
    const random = randomFrom(field)
    for (let i = 0; i < 40; i++) {
      const changed: SecretFile = { ...file, [field]: flip(random, file[field]) }
      assert.is(await readWith("API_TOKEN.yaml", printSecretFile(changed)), code)
    }
  })
}

test("no file passes as another one", async () => {
  for (const path of Object.values(KINDS)) {
    for (const [from, bytes] of now) {
      if (from === path) continue
      const outcome = await readWith(path, bytes)
      assert.not.match(outcome, / /, `"${path}" as "${from}": read ${outcome}`)
    }
  }
})

test("no file of before the removal passes beside those of today", async () => {
  for (const [path, old] of Object.entries(steps.start)) {
    const bytes = now.get(path)!
    if (typeof old === "string" || old === null || Buffer.compare(old, bytes) === 0) continue
    assert.is(await readWith(path, old), "KEY_RETIRED", path)
  }
})

test("an empty file, a huge one, and one of NUL bytes", async () => {
  for (const path of Object.values(KINDS)) {
    for (const bytes of [new Uint8Array(), new Uint8Array(5 * 1024 * 1024), new Uint8Array(4096)]) {
      assert.is(await readWith(path, bytes), "NOT_CANONICAL", path)
    }
  }
})

test.run()
