/** The library as plain JavaScript calls it: what types would refuse is refused with a code, and nothing is written. */
import { createRequire } from "node:module"
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

test("CommonJS gets the same library by require", async () => {
  const required = createRequire(import.meta.url)("coffer")
  const name = coffer.parseSecretName("NEW")
  await assertRefused("NOT_FOUND", () => required.getSecret(store, { name }))
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

test.run()
