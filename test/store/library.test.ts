/** The library as plain JavaScript calls it: what types would refuse is refused with a code, and nothing is written. */
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { build } from "esbuild"
import { test } from "uvu"
import * as assert from "uvu/assert"
import * as coffer from "../../src/index.js"
import { assertRefused, makeTeam, now } from "./team.js"

const { ana } = await makeTeam()
const store = await ana.open()
const value = Buffer.from("value")

test("names that are none, and values that are no bytes", async () => {
  const head = ana.git("rev-parse", "HEAD")
  for (const name of ["a b", "../x", "../../evil", "", "x.yaml"]) {
    const typed = name as unknown as coffer.SecretName
    await assertRefused("NAME_INVALID", () => coffer.setSecret(store, { name: typed, value, at: now() }))
    await assertRefused("NAME_INVALID", () => coffer.getSecret(store, { name: typed }))
    await assertRefused("NAME_INVALID", () => coffer.startEditOne(store, { name: typed }))
  }
  const text = "text" as unknown as Uint8Array
  const name = coffer.parseSecretName("A")
  await assertRefused("VALUE_INVALID", () => coffer.setSecret(store, { name, value: text, at: now() }))
  assert.is(ana.git("rev-parse", "HEAD"), head)
})

test("words that are none of those there are: nothing is made, moved or chosen by them", async () => {
  const head = ana.git("rev-parse", "HEAD")
  const { identity, card } = ana
  const options = { ...ana.options, store: "other", env: { ...ana.options.env, COFFER_PIN: undefined } }
  for (const member of ["a b", undefined, 5, ["tom"]] as string[]) {
    const request = { identity, member, at: now() }
    await assertRefused("NAME_INVALID", () => coffer.createStore(options, request))
    await assertRefused("NAME_INVALID", () => coffer.addRecipient(store, { name: member, card, at: now() }))
  }
  const [from, to] = [coffer.parseSecretName("A"), coffer.parseSecretName("B")]
  for (const kind of ["", undefined, "rename"] as unknown as coffer.TransferKind[]) {
    await assertRefused("USAGE", () => coffer.transferSecret(store, kind, { from, to, at: now() }))
    await assertRefused("USAGE", () => coffer.transferPrefix(store, kind, { from: "p", to: "q", at: now() }))
  }
  for (const take of ["", undefined, "base"] as unknown as "ours"[])
    await assertRefused("USAGE", () => coffer.resolveSecret(store, { name: from, take, at: now() }))
  assert.is(ana.git("rev-parse", "HEAD"), head)
})

test("times that no file can spell, and messages that git cannot keep", async () => {
  const head = ana.git("rev-parse", "HEAD")
  const name = coffer.parseSecretName("A")
  for (const at of [new Date(Number.NaN), new Date(Date.UTC(10_000, 0)), new Date(Date.UTC(-1, 0))]) {
    await assertRefused("VALUE_INVALID", () => coffer.setSecret(store, { name, value, at }))
    await assertRefused("VALUE_INVALID", () => coffer.rotateGroups(store, { at }))
  }
  for (const git of ["system", "embedded"] as const) {
    for (const message of [0, ["text"], "one\0two"] as string[]) {
      const request = { name, value, message, at: now() }
      await assertRefused("VALUE_INVALID", async () => coffer.setSecret(await ana.open({ git }), request))
    }
  }
  assert.is(ana.git("rev-parse", "HEAD"), head)
})

test("times that git cannot keep", async () => {
  const head = ana.git("rev-parse", "HEAD")
  const name = coffer.parseSecretName("A")
  for (const git of ["system", "embedded"] as const) {
    const request = { name, value, at: new Date(-1000) }
    await assertRefused("VALUE_INVALID", async () => coffer.setSecret(await ana.open({ git }), request))
  }
  assert.is(ana.git("rev-parse", "HEAD"), head)
  assert.is(ana.git("fsck", "--strict", "--no-dangling"), "")
})

test("what it takes and gives has names, for whoever writes declarations", async () => {
  const own: coffer.OwnIdentity = await coffer.ensureIdentity(ana.options)
  const git: coffer.Git = await store.git()
  const demands: coffer.FailOn[] = ["exposed"]
  assert.is(own.created, false)
  assert.is(git.kind, "embedded")
  assert.is((await coffer.checkStore(store, { at: now(), failOn: demands })).failed, false)
})

test("every name of the library says what it is", () => {
  const exported = readFileSync("src/index.ts", "utf8").matchAll(/\{([^}]*)\} from "(.*)\.js"/g)
  const silent = [...exported].flatMap(([, names, path]) => {
    const text = readFileSync(`src/${path}.ts`, "utf8")
    return names!
      .split(",")
      .map(name => name.replace(/^\s*type /, "").trim())
      .filter(
        name => name !== "" && new RegExp(`(?<!\\*/\\n)^export (async )?(\\w+) ${name}\\b`, "m").test(text),
      )
  })
  assert.equal(silent, [])
})

test("CommonJS gets the same library by require", async () => {
  const required = createRequire(import.meta.url)("coffer")
  const name = coffer.parseSecretName("NEW")
  await assertRefused("NOT_FOUND", () => required.getSecret(store, { name }))
})

test("an application that is bundled as CommonJS has it whole", async () => {
  const outfile = `${ana.dir}.cjs`
  await build({
    entryPoints: ["dist/index.js"],
    bundle: true,
    platform: "node",
    format: "cjs",
    outfile,
    logLevel: "error",
    logOverride: { "empty-import-meta": "error" },
  })
  const bundled = createRequire(import.meta.url)(outfile)
  const opened = await bundled.openStore({ ...ana.options, git: "embedded" })
  const git = await opened.git()
  assert.is(git.kind, "embedded")
  await bundled.setSecret(opened, { name: coffer.parseSecretName("BUNDLED"), value, at: now() })
})

test("a colleague is added by the line that she sends, and a diverged keyring is merged", async () => {
  const maria = await (await makeTeam()).join("maria")
  const line = coffer.printCard(maria.card)
  const added = await coffer.addRecipient(await ana.open(), {
    name: "maria",
    card: coffer.parseCard(line),
    at: now(),
  })
  assert.is(added.changed, true)
  const merged = await coffer.mergeKeyrings(await ana.open(), { at: now() })
  assert.is(merged.changed, false)
})

/** What no field of any request may be, and what holds it where a list is wanted. */
const WRONG: readonly unknown[] = [null, Symbol("other"), 1n, [Symbol("other")], new Map([[1, 2]])]

test("whatever is given that the declarations do not have is refused with a code, and nothing is done", async () => {
  const git = await store.git()
  const session = await coffer.startEdit(store, { prefix: "." })
  const name = coffer.parseSecretName("A")
  const { identity, card, options } = ana
  const at = now()
  const write = { at, commit: true, verify: true, message: "text" }
  const demands = { requirePin: false, failOn: { kinds: ["exposed"], at } }
  const ref = { localRef: "a", localOid: "0".repeat(40), remoteRef: "b", remoteOid: "0".repeat(40) }
  const reasoned = { ...write, groups: ["prod"], reason: "left" }
  const hooks = { stores: ["secrets"], env: options.env }
  const calls: readonly [keyof typeof coffer, ...unknown[]][] = [
    ["acceptChanges", store, { names: [name] }],
    ["addIdentities", `${ana.dir}/.git/identity`, [{ recipient: "a", line: () => "", unwrap: () => null }]],
    ["addRecipient", store, { ...write, name: "tom", card: { ...card }, role: "reader", groups: ["prod"] }],
    ["checkStore", store, { at, since: "HEAD", requirePin: false, failOn: ["stale"] }],
    ["createGroup", store, { ...write, group: "q", members: [{ name: "tom", role: "reader" }], like: "p" }],
    ["createIdentityFile", "/nowhere/identity"],
    ["createStore", options, { ...write, member: "ana" }],
    ["deleteBelow", store, { ...write, paths: ["a"], purge: false }],
    ["deleteSecret", store, { ...write, name, cas: 1, purge: false }],
    ["deleteSecrets", store, { ...write, deletions: [{ name, cas: 1 }], purge: false }],
    ["ensureIdentity", { ...options, identityFiles: ["/nowhere"] }],
    ["findSecrets", store, { text: "a" }],
    ["finishRotation", store, { ...reasoned, accept: ["tom"] }],
    ["getSecret", store, { name, version: 1, hint: "a" }],
    ["getSecret", store, { name, at }],
    ["grepSecrets", store, { pattern: "a" }],
    ["guardCommit", options, demands],
    ["guardPush", options, { remote: "origin", refs: [ref] }],
    ["guardRange", options, { ...demands, range: "HEAD..HEAD" }],
    ["hooksStatus", git, hooks, { run: false }],
    ["importDotenv", store, { ...write, content: value, prefix: "p", force: false, dryRun: false }],
    ["installHooks", git, { ...hooks, program: { node: "/node", folder: "/coffer" } }],
    ["listExposed", store],
    ["listGroups", store],
    ["listKeys", store, { at, groups: ["prod"] }],
    ["listRecipients", store, { groups: ["prod"] }],
    ["listSecrets", store, { prefix: "prod", deleted: false }],
    ["listVersions", store, { name }],
    ["mergeKeyrings", store, { ...reasoned, accept: ["tom"], keep: "1-00000000" }],
    ["openStore", { ...options, store: "secrets", identityFiles: ["/nowhere"], confirm() {}, progress() {} }],
    ["parseCard", coffer.printCard(card)],
    ["parseGroupName", "prod"],
    ["parseIdentities", identity.line(), { name: "text", file: "/nowhere" }],
    ["parseMemberName", "ana"],
    ["parseSecretName", "A"],
    ["pinStore", store],
    ["planEdit", session, "A: a\n"],
    ["printCard", { ...card }],
    ["printStorePin", store],
    ["printVariables", new Map([["A", "a"]]), "json"],
    ["readVariables", store, { prefixes: ["prod"] }],
    ["removeRecipient", store, { ...write, name: "tom", groups: ["prod"] }],
    ["reportStatus", store, { at, failOn: ["stale"] }],
    ["resetGoneStore", options],
    ["resetTrust", store],
    ["resolveMerge", store, { at }],
    ["resolveSecret", store, { name, take: "ours", at }],
    ["rollbackSecret", store, { ...write, name, choice: { version: 1, hint: "a" } }],
    ["rollbackSecret", store, { ...write, name, choice: { at } }],
    ["rotateGroups", store, { ...reasoned, dryRun: false, compromised: false }],
    ["setSecret", store, { ...write, name, value, meta: new Map([["owner", "ana"]]), cas: 0 }],
    ["setSecrets", store, { ...write, secrets: [{ name, value, cas: 0 }], deletions: [{ name, cas: 1 }] }],
    ["showTrust", store],
    ["startEdit", store, { prefix: ".", commit: true, verify: true }],
    ["startEditOne", store, { name, commit: true, verify: true }],
    ["transferPrefix", store, "move", { ...write, from: "a", to: "b", cas: 1, force: false }],
    ["transferSecret", store, "move", { ...write, from: name, to: "B", version: 1, cas: 1, force: false }],
    ["undeleteSecret", store, { ...write, name }],
    ["uninstallHooks", git],
  ]
  const before = [ana.git("rev-parse", "HEAD"), ana.git("status", "--porcelain")]
  const called = new Set(calls.map(([operation]) => operation as string))
  const operations = Object.entries(coffer).filter(([, each]) => typeof each === "function") as [
    string,
    (...given: unknown[]) => unknown,
  ][]
  const library = new Map(operations)
  assert.equal(
    operations.map(([key]) => key).filter(key => !called.has(key)),
    ["CofferError"],
  )
  for (const [operation, ...given] of calls) {
    for (const path of pathsIn(given, [store, git, session, options.env])) {
      for (const wrong of WRONG) {
        const what = `${operation}: ${path.join(".")} as ${typeof wrong}`
        const action = library.get(operation)!
        try {
          await action(...(replace(given, path, wrong) as unknown[]))
        } catch (error) {
          if (!(error instanceof coffer.CofferError)) throw new Error(what, { cause: error })
          assert.is(error.exit, 2, `${what}: ${error.code}`)
          assert.ok(error.hint, what)
          continue
        }
        assert.unreachable(what)
      }
    }
  }
  assert.equal([ana.git("rev-parse", "HEAD"), ana.git("status", "--porcelain")], before)
})

/** Every argument, and every field and item in what is a plain object or a list, but for what is taken whole. */
function* pathsIn(
  given: unknown,
  whole: readonly unknown[],
  path: readonly (string | number)[] = [],
): Generator<readonly (string | number)[]> {
  if (path.length > 0) yield path
  const isPlain =
    typeof given === "object" && given !== null && Object.getPrototypeOf(given) === Object.prototype
  if (whole.includes(given) || !(isPlain || Array.isArray(given))) return
  const isList = Array.isArray(given)
  for (const [key, each] of Object.entries(given as object))
    yield* pathsIn(each, whole, [...path, isList ? Number(key) : key])
}

/** The same with another value at the path. */
function replace(given: unknown, [key, ...rest]: readonly (string | number)[], wrong: unknown): unknown {
  if (key === undefined) return wrong
  const copy: Record<string | number, unknown> | unknown[] = Array.isArray(given)
    ? [...given]
    : { ...(given as object) }
  const fields = copy as Record<string | number, unknown>
  fields[key] = replace(fields[key], rest, wrong)
  return copy
}

test("only true is a yes: whom to trust is asked", async () => {
  const state = { XDG_STATE_HOME: `${ana.dir}.state`, COFFER_PIN: undefined }
  const env = { ...ana.options.env, ...state }
  const name = coffer.parseSecretName("A")
  for (const answer of ["no", 1, {}] as unknown as boolean[]) {
    const asking = await ana.open({ env, confirm: async () => answer })
    await assertRefused("UNPINNED", () => coffer.getSecret(asking, { name }))
  }
})

test("a folder that is a file, or is gone, has a code", async () => {
  const other = await ana.open({ git: "system" })
  const file = `${ana.dir}.txt`
  writeFileSync(file, "text\n")
  for (const directory of [file, `${file}/below`, "/nowhere"]) {
    const options = { ...ana.options, git: "system" as const, directory }
    await assertRefused("NOT_FOUND", () => coffer.openStore(options))
    await assertRefused("GIT_FAILED", () => coffer.guardCommit(options))
    assert.is(await coffer.resetGoneStore(options), undefined)
  }
  renameSync(ana.dir, `${ana.dir}-away`)
  writeFileSync(ana.dir, "text\n")
  await assertRefused("GIT_FAILED", () => coffer.rotateGroups(other, { at: now() }))
  rmSync(ana.dir)
  renameSync(`${ana.dir}-away`, ana.dir)
  rmSync(file)
})

test("a request that says nothing, or two things, chooses nothing", async () => {
  const name = coffer.parseSecretName("A")
  const all = ["A"] as unknown as { names: undefined }
  await assertRefused("USAGE", () => coffer.acceptChanges(store, all))
  for (const choice of [{}, { version: 1, at: now() }] as unknown as coffer.VersionChoice[]) {
    await assertRefused("USAGE", () => coffer.rollbackSecret(store, { name, choice, at: now() }))
  }
  await assertRefused("USAGE", () => coffer.getSecret(store, { name, version: 1, at: now() }))
})

test("a place for what this machine remembers that leads nowhere has a code", async () => {
  const state = `${ana.dir}.remembered`
  mkdirSync(state)
  symlinkSync("coffer", `${state}/coffer`)
  // Its folder can be made, and no file in it has a path that the system takes.
  let deep = `${ana.dir}.deep`
  while (deep.length < 4060) deep += `/${"d".repeat(Math.min(200, 4060 - deep.length))}`
  for (const folder of [state, deep]) {
    const opened = await ana.open({ env: { ...ana.options.env, XDG_STATE_HOME: folder } })
    await assertRefused("IO_FAILED", async () => coffer.resetTrust(opened))
  }
})

test("what is longer or larger than it can be has a code", async () => {
  const long = "x".repeat(100_000)
  for (const git of ["system", "embedded"] as const) {
    const opened = await ana.open({ git })
    await assertRefused("HISTORY_MISSING", () =>
      coffer.checkStore(opened, { at: now(), since: "x".repeat(300) }),
    )
  }
  await assertRefused("IO_FAILED", () => ana.open({ store: long }))
  await assertRefused("USAGE", () => coffer.grepSecrets(store, { pattern: "x".repeat(3_000_000) }))
  await assertRefused("USAGE", () =>
    coffer.getSecret(store, { name: coffer.parseSecretName("A"), version: 1, hint: long }),
  )
})

test("an identity that parseIdentities did not make is refused", async () => {
  const { identity, options } = ana
  const { publicKey } = identity.signingKey
  for (const signingKey of [
    undefined,
    { publicKey },
    { publicKey: "zz", sign: () => Buffer.alloc(64), signLater: async () => Buffer.alloc(64) },
  ]) {
    const forged = { ...identity, signingKey } as coffer.Identity
    const request = { identity: forged, member: "ana", at: now() }
    const error = await coffer.createStore({ ...options, store: "other" }, request).catch(reason => reason)
    assert.is(error.exit, 2)
  }
  const lines = { ...identity, recipient: `${identity.recipient}\nAGE-SECRET-KEY-1` }
  await assertRefused("CARD_INVALID", () => coffer.addIdentities(`${ana.dir}.txt`, [lines]))
})

test("a name that is to be stored and deleted at once is refused: one of the two would be lost", async () => {
  const name = coffer.parseSecretName("A")
  const deletions = [{ name }]
  await assertRefused("USAGE", () =>
    coffer.setSecrets(store, { secrets: [{ name, value }], deletions, at: now() }),
  )
  const twice = { secrets: [], deletions: [...deletions, ...deletions], at: now() }
  await assertRefused("USAGE", () => coffer.setSecrets(store, twice))
})

test("a shell is given no variable that it would take for a command", () => {
  for (const variable of ["A; reboot #", "", "1A", "A B", "A\nB"])
    assert.throws(
      () => coffer.printVariables(new Map([[variable, "a"]]), "sh"),
      (error: unknown) => error instanceof coffer.CofferError && error.code === "NAME_INVALID",
    )
})

test.run()
