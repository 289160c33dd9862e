/** The library as plain JavaScript calls it: what types would refuse is refused with a code, and nothing is written. */
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
  }
  const text = "text" as unknown as Uint8Array
  const name = coffer.parseSecretName("A")
  await assertRefused("VALUE_INVALID", () => coffer.setSecret(store, { name, value: text, at: now() }))
  assert.is(ana.git("rev-parse", "HEAD"), head)
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
