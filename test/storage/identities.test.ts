import { execFileSync, spawnSync } from "node:child_process"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import { generateHybridIdentity } from "age-encryption"
import { suite } from "uvu"
import * as assert from "uvu/assert"
import { ageIdentity, newIdentityLine, wrapDataKey } from "../../src/crypto/age.js"
import { newDataKey } from "../../src/crypto/data-key.js"
import { encodeBech32 } from "../../src/encoding/bech32.js"
import { equalBytes } from "../../src/encoding.js"
import { CofferError, type ErrorCode } from "../../src/errors.js"
import { parseCard, printCard } from "../../src/format/card.js"
import {
  addIdentities,
  createIdentityFile,
  defaultIdentityFile,
  type IdentityOptions,
  loadIdentities,
  parseIdentities,
} from "../../src/storage/identities.js"

const test = suite<{ home: string }>("identities")
const CANARY = "hunter2canary"
const recipientOf = async (line: string) => (await ageIdentity(line)).recipient

test.before.each(context => {
  context.home = mkdtempSync(join(tmpdir(), "coffer-identities-"))
})
test.after.each(({ home }) => rmSync(home, { recursive: true }))

function load(home: string, env: IdentityOptions["env"] = {}, more: Partial<IdentityOptions> = {}) {
  return loadIdentities({ env: { HOME: home, ...env }, files: [], ...more })
}

function write(path: string, text: string, mode = 0o600): string {
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

async function refused(promise: Promise<unknown>, code: ErrorCode, pattern: RegExp): Promise<void> {
  const error: unknown = await promise.catch(error => error)
  if (!(error instanceof CofferError)) throw new Error(`accepted: ${String(error)}`)
  assert.is(error.code, code, error.message)
  assert.match(error.message, pattern)
  assert.not.match(`${error.message} ${error.hint} ${String(error.cause ?? "")}`, new RegExp(CANARY, "i"))
}

test("without any there is none, and what was looked at is named", async ({ home }) => {
  assert.equal(await load(home), {
    identities: [],
    looked: ["COFFER_IDENTITY is not set", "~/.config/coffer/identity.txt"],
    warnings: [],
  })
  const fork = await load(home, { COFFER_IDENTITY: " \n", COFFER_IDENTITY_FILE: "" })
  assert.equal(fork.looked, ["COFFER_IDENTITY is empty", "~/.config/coffer/identity.txt"])
  assert.equal((await loadIdentities({ env: {}, files: [] })).looked, ["COFFER_IDENTITY is not set"])
})

test("the default file is made private and found again", async ({ home }) => {
  const path = defaultIdentityFile({ HOME: home })
  const made = await createIdentityFile(path)
  assert.is(statSync(path).mode & 0o777, 0o600)
  assert.is(statSync(join(home, ".config", "coffer")).mode & 0o777, 0o700)
  const { identities, looked } = await load(home)
  assert.equal(
    identities.map(({ recipient, source, file }) => ({ recipient, source, file })),
    [{ recipient: made.recipient, source: "~/.config/coffer/identity.txt", file: path }],
  )
  assert.equal(looked, ["COFFER_IDENTITY is not set"])
  // age's own tool reads it too.
  assert.is(execFileSync("age-keygen", ["-y", path], { encoding: "utf8" }).trim(), made.recipient)
  await refused(createIdentityFile(path), "EXISTS", /already/)
})

test("an identity reads, signs and shows its card", async () => {
  for (const line of [newIdentityLine(), await generateHybridIdentity()]) {
    const [identity] = await parseIdentities(`# comment\r\n\r\n  ${line}\r\n`, { name: "x" })
    assert.is(identity!.recipient, await recipientOf(line))
    assert.is(identity!.line(), line)
    assert.is(identity!.file, undefined)
    const dataKey = newDataKey()
    const opened = await identity!.unwrap(await wrapDataKey(identity!.recipient, dataKey))
    assert.ok(equalBytes(opened!, dataKey))
    assert.equal(parseCard(printCard(identity!.card)), identity!.card)
    assert.is(identity!.signingKey, identity!.signingKey)
    assert.is(identity!.signingKey.sign(dataKey).length, 64)
  }
})

test("variables come before files, flags before variables", async ({ home }) => {
  const lines = Array.from({ length: 5 }, newIdentityLine)
  const recipients = await Promise.all(lines.map(recipientOf))
  await addIdentities(defaultIdentityFile({ HOME: home }), await parseIdentities(lines[0]!, { name: "x" }))
  const one = write(join(home, "one"), `${lines[1]}\n${lines[2]}\n`)
  const two = write(join(home, "two"), `${lines[2]}\n`, 0o400)
  const found = async (env: IdentityOptions["env"], files: string[] = []) =>
    (await load(home, env, { files })).identities.map(({ recipient }) => recipients.indexOf(recipient))
  const COFFER_IDENTITY_FILE = [one, "", two].join(delimiter)
  assert.equal(await found({}), [0])
  assert.equal(await found({ COFFER_IDENTITY_FILE }), [1, 2])
  assert.equal(await found({ COFFER_IDENTITY: lines[3], COFFER_IDENTITY_FILE }), [3, 1, 2])
  assert.equal(await found({ COFFER_IDENTITY: lines[3] }, [two]), [2])
  // Files that the user's configuration names stand in for the default one.
  mkdirSync(join(home, "keys"))
  write(join(home, "keys", "four"), lines[4]!)
  write(join(home, ".config", "coffer", "config.yaml"), "identities: [~/keys/four]\n")
  assert.equal(await found({}), [4])
  assert.equal(await found({ COFFER_IDENTITY: lines[3] }), [3])
  assert.equal(await found({ XDG_CONFIG_HOME: join(home, "elsewhere") }), [])
})

test("what is no identity is refused by name and never repeated", async ({ home }) => {
  const card = `${await recipientOf(newIdentityLine())} coffer-sign1xyz`
  const line = newIdentityLine()
  const wrong: [string, RegExp][] = [
    [card, /line 1: that is a recipient/],
    [`# ok\n${card}`, /line 2: that is a recipient/],
    [`/home/${CANARY}/key.txt`, /looks like a path/],
    [`~/${CANARY}`, /looks like a path/],
    [`${CANARY}.txt`, /looks like a path/],
    [`ssh-ed25519 ${CANARY}`, /ssh and PEM keys are not supported/],
    [`-----BEGIN OPENSSH PRIVATE KEY-----\n${CANARY}`, /ssh and PEM keys are not supported/],
    [`-----BEGIN AGE ENCRYPTED FILE-----\n${CANARY}`, /passphrase/],
    [`AGE-PLUGIN-YUBIKEY-1${CANARY}`, /plugin identities/],
    [`coffer1-3-${CANARY}`, /pin/],
    [CANARY, /not a native age identity/],
    [line.slice(0, -1), /cut or mistyped/],
    [line.toLowerCase(), /not a native age identity/],
    [encodeBech32("age-secret-key-", new Uint8Array(31)).toUpperCase(), /not a native/],
    ["# nothing but a comment", /no identity in it/],
  ]
  for (const [text, pattern] of wrong) {
    await refused(load(home, { COFFER_IDENTITY: text }), "IDENTITY_INVALID", pattern)
    const file = write(join(home, "file"), text)
    await refused(load(home, {}, { files: [file] }), "IDENTITY_INVALID", pattern)
  }
})

test("loose modes: refused for the default file, a warning elsewhere", async ({ home }) => {
  const file = defaultIdentityFile({ HOME: home })
  await createIdentityFile(file)
  chmodSync(file, 0o640)
  await refused(load(home), "IDENTITY_INVALID", /others can read/)
  const { identities, warnings } = await load(home, {}, { files: [file] })
  assert.is(identities.length, 1)
  assert.equal(warnings, [
    'others can read the identity file "~/.config/coffer/identity.txt": chmod 600 ~/.config/coffer/identity.txt',
  ])
})

test("a key inside the repository is warned about", async ({ home }) => {
  const file = write(join(home, "key"), newIdentityLine())
  assert.match(
    (await load(home, {}, { files: [file], workTree: home })).warnings[0]!,
    "inside the repository",
  )
  assert.equal((await load(home, {}, { files: [file], workTree: join(home, "repo") })).warnings, [])
})

test("files that are absent, empty, huge or no text", async ({ home }) => {
  const absent = join(home, "absent")
  await refused(
    load(home, {}, { files: [absent] }),
    "IDENTITY_INVALID",
    /--identity names a file that is not there/,
  )
  assert.match(
    (await load(home, { COFFER_IDENTITY_FILE: absent })).looked[1]!,
    /^COFFER_IDENTITY_FILE names a file that is not there$/,
  )
  const empty = write(join(home, "empty"), "\n")
  assert.match((await load(home, { COFFER_IDENTITY_FILE: empty })).looked[1]!, /empty is empty/)
  await refused(load(home, {}, { files: [empty] }), "IDENTITY_INVALID", /no identity in it/)
  const huge = write(join(home, "huge"), "#".repeat(2 ** 20 + 1))
  await refused(load(home, {}, { files: [huge] }), "IDENTITY_INVALID", /too large/)
  writeFileSync(join(home, "binary"), Buffer.of(0xff, 0xfe))
  await refused(load(home, {}, { files: [join(home, "binary")] }), "IDENTITY_INVALID", /not text/)
  await refused(load(home, {}, { files: [home] }), "IO_FAILED", /cannot read/)
})

test("pipes are read to their end", ({ home }) => {
  const module = new URL("../../src/storage/identities.js", import.meta.url)
  const script = `
    const { loadIdentities } = await import(process.env.MODULE)
    const { identities } = await loadIdentities({ env: process.env, files: [] })
    console.log(identities.map(({ recipient }) => recipient).join())`
  const line = newIdentityLine()
  const { stdout, stderr } = spawnSync(
    "bash",
    [
      "-c",
      `COFFER_IDENTITY_FILE=<(printf '# slow\\n'; sleep 0.1; echo "$LINE") node --input-type=module -e "$SCRIPT"`,
    ],
    {
      env: { PATH: process.env.PATH, HOME: home, MODULE: module.href, LINE: line, SCRIPT: script },
      encoding: "utf8",
    },
  )
  assert.match(stdout, /^age1[a-z0-9]+\n$/, stderr)
})

test("importing keeps what was there, follows a link and adds nothing twice", async ({ home }) => {
  const path = join(home, "keys", "identity.txt")
  const [first, second] = await parseIdentities(`${newIdentityLine()}\n${newIdentityLine()}`, { name: "x" })
  assert.equal(await addIdentities(path, [first!]), [first])
  write(path, readFileSync(path, "utf8").trimEnd())
  const link = join(home, "link")
  symlinkSync(path, link)
  assert.equal(await addIdentities(link, [first!, second!]), [second])
  assert.equal(await addIdentities(link, [first!, second!]), [])
  assert.is(statSync(path).mode & 0o777, 0o600)
  const { identities } = await load(home, {}, { files: [link] })
  assert.equal(
    identities.map(({ recipient }) => recipient),
    [first!.recipient, second!.recipient],
  )
})

test("without a home there is no default file", async () => {
  for (const env of [{}, { HOME: "" }, { HOME: "relative" }, { HOME: "relative", USERPROFILE: "." }]) {
    await refused(
      Promise.resolve().then(() => defaultIdentityFile(env)),
      "IDENTITY_INVALID",
      /HOME names no folder/,
    )
  }
  assert.is(
    defaultIdentityFile({ XDG_CONFIG_HOME: "relative", HOME: "/h" }),
    "/h/.config/coffer/identity.txt",
  )
  assert.not.ok(existsSync("/h"))
})

test("a configuration that is named has to be there", async ({ home }) => {
  await refused(load(home, { COFFER_CONFIG: join(home, "no") }), "SETTING_INVALID", /COFFER_CONFIG/)
  const config = write(join(home, "config"), "identitys: [x]\n")
  await refused(load(home, { COFFER_CONFIG: config }), "SETTING_UNKNOWN", /identitys/)
})

test.run()
