import fs, { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { watchFolder } from "../../src/cli/watch.js"
import { codeOf } from "../code-of.js"

const root = realpathSync(mkdtempSync(join(tmpdir(), "coffer-watch-")))
test.after(() => rmSync(root, { recursive: true }))

let count = 0

/** A work tree with a store in it. */
function makeTree(): { within: string; folder: string; change: (text: string) => void } {
  const within = join(root, `tree-${count++}`)
  const folder = join(within, "config", "secrets")
  mkdirSync(join(folder, "prod"), { recursive: true })
  return { within, folder, change: text => writeFileSync(join(folder, "prod", "A.yaml"), text) }
}

const notTold = (error: Error): never => {
  throw error
}

test("a folder that goes and comes back, as with a change of branches, is watched on", async () => {
  const { within, folder, change } = makeTree()
  const changes = await watchFolder(folder, { within, failed: notTold })
  for (const text of ["one", "two"]) {
    change(text)
    await changes.next()
    rmSync(join(within, "config"), { recursive: true })
    await changes.next()
    mkdirSync(join(folder, "prod"), { recursive: true })
    await changes.next()
  }
  change("three")
  await changes.next()
  await changes.close()
})

test("what lies beside the folder is no change", async () => {
  const { within, folder, change } = makeTree()
  const changes = await watchFolder(folder, { within, failed: notTold })
  let seen = 0
  const first = changes.next().then(() => seen++)
  mkdirSync(join(within, "config", "secrets-not"))
  writeFileSync(join(within, "config", "secrets-not", "B.yaml"), "x")
  writeFileSync(join(within, "README"), "x")
  await new Promise(resolve => setTimeout(resolve, 600))
  assert.is(seen, 0)
  change("one")
  await first
  await changes.close()
})

test("where the system watches no more, that is said: at once, or of folders that come later", async () => {
  const { watch } = fs
  const refuse =
    (path: string) =>
    (...args: Parameters<typeof watch>) => {
      if (String(args[0]).startsWith(path)) throw Object.assign(new Error("no more"), { code: "ENOSPC" })
      return watch(...args)
    }
  const { within, folder, change } = makeTree()
  try {
    fs.watch = refuse(folder) as typeof watch
    syncBuiltinESMExports()
    assert.is(await codeOf(watchFolder(folder, { within, failed: notTold })), "IO_FAILED")
    fs.watch = refuse(join(folder, "later")) as typeof watch
    syncBuiltinESMExports()
    const told: Error[] = []
    const changes = await watchFolder(folder, { within, failed: error => told.push(error) })
    for (const name of ["later", "later-too"]) mkdirSync(join(folder, name))
    await changes.next()
    change("one")
    await changes.next()
    await changes.close()
    assert.is(told.length, 1)
    assert.match(told[0]!.message, "ENOSPC")
  } finally {
    fs.watch = watch
    syncBuiltinESMExports()
  }
})

test.run()
