/** Two clones of one store, for tests that need a branch of their own: what was seen is kept per branch. */
import { test } from "uvu"
import * as assert from "uvu/assert"
import { type Machine, makeSandbox, type Sandbox } from "./sandbox.js"

export let box: Sandbox
export let ana: Machine
export let eva: Machine
/** Branch of the test that runs. */
export let main = ""
let count = 0

/** Makes the clones before the tests of a file, and a clean start for each of them. */
export function startBranches(): void {
  test.before(async () => {
    box = await makeSandbox()
    ana = box.ana
    await ana.set("A", "a1")
    await ana.set("B", "b1")
    ana.git("push", "-q")
    ana.git("tag", "base")
    eva = await box.clone("eva")
    eva.git("tag", "base")
  })
  test.before.each(async () => {
    main = `t${count++}`
    ana.git("switch", "-qc", main, "base")
    await ana.get("A")
    ana.notes.length = 0
  })
  test.after(() => box.remove())
}

/** Gives the branch an upstream, and eva the branch. */
export function publish(): void {
  ana.git("push", "-qu", "origin", main)
  eva.git("fetch", "-q")
  eva.git("switch", "-q", main)
}

/** Reads everything; nothing may be refused and nothing said. */
export async function isQuiet(machine: Machine): Promise<void> {
  machine.notes.length = 0
  await machine.get("A")
  await machine.get("B")
  assert.equal(machine.notes, [])
}

/** Commits as somebody who does not use coffer. */
export function commitAll(machine: Machine, message: string): void {
  machine.git("add", "-A")
  machine.git("commit", "-qm", message)
}
