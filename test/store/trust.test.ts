import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { parseSecretName } from "../../src/format/names.js"
import { getSecret, listSecrets, setSecret } from "../../src/store/secrets.js"
import type { OpenOptions } from "../../src/store/store.js"
import { acceptChanges, printStorePin, resetTrust, showTrust } from "../../src/store/trust-change.js"
import { codeOf, type Machine, makeSandbox, nextTime, type Sandbox } from "./sandbox.js"

let box: Sandbox
let eva: Machine
test.before(async () => {
  box = await makeSandbox()
  await box.ana.set("A", "a1")
  box.ana.git("push", "-q")
  eva = await box.clone("eva", { pinned: false })
})
test.before.each(() => {
  rmSync(join(eva.home, "state"), { recursive: true, force: true })
  eva.notes.length = 0
})
test.after(() => box.remove())

const A = parseSecretName("A")
const withPin = (pin: string, options: Partial<OpenOptions> = {}) =>
  eva.store({ env: { ...eva.env, COFFER_PIN: pin }, ...options })
const otherPin = () => box.pin.replace(/.$/, last => (last === "a" ? "q" : "a"))

async function read(options: Partial<OpenOptions> = {}): Promise<string> {
  const { value } = await getSecret(await eva.store(options), { name: A })
  return Buffer.from(value).toString()
}

test("without a pin and a terminal: looking warns, opening and sealing are refused", async () => {
  assert.is((await listSecrets(await eva.store())).length, 1)
  assert.match(eva.notes.join("\n"), "UNPINNED")
  assert.is(await codeOf(read()), "UNPINNED")
  assert.is(await codeOf(eva.set("A", "x")), "UNPINNED")
  assert.equal(await showTrust(await eva.store()), {
    storeId: (await eva.store()).id,
    pin: box.pin,
    pinned: false,
    from: "nowhere",
  })
  assert.is(await codeOf(printStorePin(await eva.store())), "UNPINNED")
})

test("on a terminal the pin is shown and asked about once; the answer is remembered", async () => {
  const questions: string[] = []
  const confirm = async (question: string) => {
    questions.push(question)
    return true
  }
  assert.is(await read({ confirm }), "a1")
  assert.is(await read({ confirm }), "a1")
  assert.is(await read(), "a1")
  assert.is(questions.length, 1)
  assert.match(questions[0]!, box.pin)
  assert.match(questions[0]!, "admins now  ana")
  assert.is((await showTrust(await eva.store())).from, "state")
})

test("a no is remembered by nobody", async () => {
  assert.is(await codeOf(read({ confirm: async () => false })), "UNPINNED")
  assert.is((await eva.store()).state().pin, undefined)
})

test("one operation that verifies twice asks once, even where nothing can be remembered", async () => {
  const questions: string[] = []
  const env = { ...eva.env, XDG_STATE_HOME: "/proc/coffer" }
  const confirm = async (question: string) => questions.push(question) > 0
  const store = await eva.store({ env, confirm })
  await getSecret(store, { name: A })
  await getSecret(store, { name: A })
  assert.is(questions.length, 1)
  assert.match(eva.notes.join("\n"), "cannot remember the pin")
})

test("COFFER_PIN holds for one call and is not remembered", async () => {
  const { value } = await getSecret(await withPin(box.pin), { name: A })
  assert.is(Buffer.from(value).toString(), "a1")
  assert.is((await eva.store()).state().pin, undefined)
  assert.is(await codeOf(read()), "UNPINNED")
  assert.is(await printStorePin(await withPin(box.pin)), box.pin)
  assert.is((await showTrust(await withPin(box.pin))).from, "environment")
})

test("COFFER_PIN replaces a remembered pin, also a wrong one the right", async () => {
  ;(await eva.store()).updateState({ pin: box.pin })
  assert.is(await read(), "a1")
  assert.is(await codeOf(getSecret(await withPin(otherPin()), { name: A })), "PIN_MISMATCH")
  assert.is(await codeOf(listSecrets(await withPin(otherPin()))), "PIN_MISMATCH")
  assert.is(await codeOf(getSecret(await withPin("coffer1-x"), { name: A })), "SETTING_INVALID")
  // As CI systems give a secret to a fork's pull request.
  assert.is(await read({ env: { ...eva.env, COFFER_PIN: "" } }), "a1")
})

test("COFFER_PIN=tofu reads with a warning, writes nothing and remembers nothing", async () => {
  const { value } = await getSecret(await withPin("tofu"), { name: A })
  assert.is(Buffer.from(value).toString(), "a1")
  assert.match(eva.notes.join("\n"), "COFFER_PIN=tofu")
  const head = eva.git("rev-parse", "HEAD")
  const request = { name: A, value: Buffer.from("x"), at: nextTime() }
  assert.is(await codeOf(setSecret(await withPin("tofu"), request)), "UNPINNED")
  assert.is(eva.git("rev-parse", "HEAD"), head)
  const state = (await eva.store()).state()
  assert.is(state.pin, undefined)
  assert.is(state.newest.size, 0)
})

test("another store under the same path is STORE_CHANGED until reset", async () => {
  ;(await eva.store()).updateState({ pin: box.pin })
  assert.is(await read(), "a1")
  const other = await makeSandbox()
  const path = join(eva.repo, "secrets/.coffer/store.yaml")
  const real = readFileSync(path)
  writeFileSync(path, readFileSync(join(other.ana.repo, "secrets/.coffer/store.yaml")))
  other.remove()
  assert.is(await codeOf(read()), "STORE_CHANGED")
  assert.is(await codeOf(listSecrets(await eva.store())), "STORE_CHANGED")
  resetTrust(await eva.store())
  assert.is.not(await codeOf(listSecrets(await eva.store())), "STORE_CHANGED")
  writeFileSync(path, real)
})

test("a damaged state is refused and reset is the way out", async () => {
  ;(await eva.store()).updateState({ pin: box.pin })
  writeFileSync((await eva.store()).stateLocation!.path, "{}\n")
  assert.is(await codeOf(read()), "DAMAGED")
  resetTrust(await eva.store())
  assert.is(await codeOf(read()), "UNPINNED")
})

test("without a home folder nothing is remembered and COFFER_PIN is enough", async () => {
  const { HOME: _, XDG_STATE_HOME: __, ...env } = eva.env
  const identityFiles = [join(eva.home, "config/coffer/identity.txt")]
  const store = await eva.store({ env: { ...env, COFFER_PIN: box.pin }, identityFiles })
  assert.is(store.stateLocation, undefined)
  assert.is(Buffer.from((await getSecret(store, { name: A })).value).toString(), "a1")
})

test("accepting everything needs a pin, and says what was accepted", async () => {
  assert.is(await codeOf(acceptChanges(await eva.store(), {})), "UNPINNED")
  ;(await eva.store()).updateState({ pin: box.pin })
  assert.equal((await acceptChanges(await eva.store(), {})).accepted, [])
})

test("work trees of one clone share their trust", async () => {
  ;(await eva.store()).updateState({ pin: box.pin })
  const tree = join(box.root, "tree")
  mkdirSync(tree)
  eva.git("worktree", "add", "-q", join(tree, "w"))
  const store = await eva.store({ directory: join(tree, "w") })
  assert.is(Buffer.from((await getSecret(store, { name: A })).value).toString(), "a1")
})

test.run()
