/** The values that hooks keep from one commit to the next: found all the same, and of no use to anybody else. */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { suite } from "uvu"
import * as assert from "uvu/assert"
import { newIdentityLine } from "../../src/crypto/age.js"
import { parseIdentities } from "../../src/storage/identity-lines.js"
import { readWatched, writeWatched } from "../../src/storage/watched-values.js"
import { type Clone, fresh, makeTemplate, VALUE } from "./clones.js"

const test = suite("guard values")
test.before(makeTemplate)

/** A clone in which a hook has run, and the file that it left. */
async function afterHook(): Promise<{ clone: Clone; kept: string }> {
  const clone = fresh()
  clone.write("x", VALUE)
  clone.git("add", "x")
  assert.equal(await clone.staged(), ["OWN_VALUE x"])
  const folder = join(clone.dir, ".git/coffer")
  const [name, second] = readdirSync(folder).filter(file => file.startsWith("watched-"))
  assert.is(second, undefined)
  return { clone, kept: join(folder, name!) }
}

test("values are kept sealed and private, and found the next time", async () => {
  const { clone, kept } = await afterHook()
  assert.is(statSync(kept).mode & 0o777, 0o600)
  const bytes = readFileSync(kept)
  for (const form of ["utf8", "base64", "hex"] as const)
    assert.not.ok(bytes.includes(Buffer.from(VALUE).toString(form).slice(0, 16)))
  assert.equal(await clone.staged(), ["OWN_VALUE x"])
  assert.equal(readFileSync(kept), bytes, "nothing new: not written again")
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
  const { clone, kept } = await afterHook()
  const sound = readFileSync(kept)
  const others = await parseIdentities(newIdentityLine(), { name: "another" })
  const place = { commonDir: join(clone.dir, ".git"), store: kept.slice(-32), identities: others }
  assert.is(readWatched(place).size, 0, "it does not open for another identity")
  const attacks: Record<string, () => void> = {
    altered: () =>
      writeFileSync(
        kept,
        sound.map((byte, at) => (at === 40 ? byte ^ 1 : byte)),
      ),
    cut: () => writeFileSync(kept, sound.subarray(0, 20)),
    empty: () => writeFileSync(kept, ""),
    "without values, by another identity": () => writeWatched(place, new Map()),
    "a folder": () => {
      rmSync(kept)
      mkdirSync(kept)
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
  const { clone, kept } = await afterHook()
  clone.coffer(["hooks", "uninstall"])
  assert.throws(() => statSync(kept), /ENOENT/)
})

test.run()
