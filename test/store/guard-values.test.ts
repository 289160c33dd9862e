/** The values that hooks keep from one commit to the next: found all the same, and of no use to anybody else. */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { suite } from "uvu"
import * as assert from "uvu/assert"
import { newIdentityLine } from "../../src/crypto/age.js"
import { compileOwnValues } from "../../src/scan/own-values.js"
import { parseIdentities } from "../../src/storage/identity-lines.js"
import { readFilter, readWatched, writeFilter, writeWatched } from "../../src/storage/watched-values.js"
import { type Clone, fresh, makeTemplate, VALUE } from "./clones.js"

const test = suite("guard values")
test.before(makeTemplate)

/** A clone in which a hook has run, and the files that it left: the values, and what tells contents without them. */
async function afterHook(): Promise<{ clone: Clone; kept: string; filter: string }> {
  const clone = fresh()
  clone.write("x", VALUE)
  clone.git("add", "x")
  assert.equal(await clone.staged(), ["OWN_VALUE x"])
  const folder = join(clone.dir, ".git/coffer")
  const [name, filter, third] = readdirSync(folder)
    .filter(file => file.startsWith("watched-"))
    .sort()
  assert.equal([filter, third], [`${name}-filter`, undefined])
  return { clone, kept: join(folder, name!), filter: join(folder, filter!) }
}

test("values are kept sealed and private, and found the next time", async () => {
  const { clone, kept, filter } = await afterHook()
  const before = [kept, filter].map(file => {
    assert.is(statSync(file).mode & 0o777, 0o600)
    const bytes = readFileSync(file)
    for (const form of ["utf8", "base64", "hex"] as const)
      assert.not.ok(bytes.includes(Buffer.from(VALUE).toString(form).slice(0, 16)))
    return bytes
  })
  assert.equal(await clone.staged(), ["OWN_VALUE x"])
  assert.equal(
    [kept, filter].map(file => readFileSync(file)),
    before,
    "nothing new: not written again",
  )
})

test("a new version is looked for, an older one no longer, and a tombstone is nothing to look for", async () => {
  const { clone } = await afterHook()
  await clone.set("A", "renewed-5ekr1t-value")
  assert.equal(await clone.staged(), [])
  clone.write("y", "renewed-5ekr1t-value")
  clone.git("add", "y")
  assert.equal(await clone.staged(), ["OWN_VALUE y"])
  clone.coffer(["delete", "A"])
  assert.equal(await clone.staged(), [])
  assert.equal(await clone.staged(), [])
})

test("what was altered, cut, or put there by somebody else does not count", async () => {
  const { clone, kept, filter } = await afterHook()
  const [sound, soundFilter] = [readFileSync(kept), readFileSync(filter)]
  const others = await parseIdentities(newIdentityLine(), { name: "another" })
  const place = { commonDir: join(clone.dir, ".git"), store: kept.slice(-32), identities: others }
  assert.is(readWatched(place).size, 0, "it does not open for another identity")
  const of = { version: 1, oids: [clone.git("rev-parse", ":secrets/A.yaml")] }
  writeFilter(place, of, { notWatched: [], tables: compileOwnValues([]).filter() })
  assert.ok(readFilter(place, of), "his own opens for him")
  assert.equal(await clone.staged(), ["OWN_VALUE x"], "a filter without values, by another identity")
  writeFileSync(filter, soundFilter)
  const attacks: Record<string, () => void> = {
    altered: () => {
      for (const [file, bytes] of [
        [kept, sound],
        [filter, soundFilter],
      ] as const)
        writeFileSync(
          file,
          bytes.map((byte, at) => (at === 40 ? byte ^ 1 : byte)),
        )
    },
    cut: () => writeFileSync(kept, sound.subarray(0, 20)),
    "the filter cut": () => writeFileSync(filter, soundFilter.subarray(0, 20)),
    exchanged: () => {
      writeFileSync(kept, soundFilter)
      writeFileSync(filter, sound)
    },
    empty: () => writeFileSync(kept, ""),
    "the values gone": () => rmSync(kept),
    "without values, by another identity": () => writeWatched(place, new Map()),
    "a folder": () => {
      for (const file of [kept, filter]) {
        rmSync(file)
        mkdirSync(file)
      }
    },
  }
  for (const [name, attack] of Object.entries(attacks)) {
    attack()
    assert.equal(await clone.staged(), ["OWN_VALUE x"], name)
  }
})

test("what was opened with two identities does not open with one of them, nor in another store", async () => {
  const { clone } = await afterHook()
  const [a] = await parseIdentities(newIdentityLine(), { name: "a" })
  const [b] = await parseIdentities(newIdentityLine(), { name: "b" })
  const place = { commonDir: join(clone.dir, ".git"), store: "0".repeat(32), identities: [a!, b!] }
  const values = new Map([["1".repeat(40), { name: "A", value: new Uint8Array(Buffer.from("value")) }]])
  writeWatched(place, values)
  assert.equal([...readWatched({ ...place, identities: [b!, a!] })], [...values])
  for (const identities of [[a!], [b!]]) assert.is(readWatched({ ...place, identities }).size, 0)
  const [, file] = readdirSync(join(clone.dir, ".git/coffer")).filter(name => name.startsWith("watched-"))
  writeFileSync(
    join(clone.dir, ".git/coffer", `watched-${"1".repeat(32)}`),
    readFileSync(join(clone.dir, ".git/coffer", file!)),
  )
  assert.is(readWatched({ ...place, store: "1".repeat(32) }).size, 0)
})

test("hooks uninstall takes it away", async () => {
  const { clone, kept, filter } = await afterHook()
  clone.coffer(["hooks", "uninstall"])
  for (const file of [kept, filter]) assert.throws(() => statSync(file), /ENOENT/)
})

test.run()
