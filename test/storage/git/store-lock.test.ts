/** The store lock: alone, at once where nobody is there, never taken from a living owner. */
import { spawn, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { withStoreLock } from "../../../src/storage/git/store-lock.js"
import { codeOf, freshFolder } from "./repositories.js"

const lockOf = (commonDir: string) => join(commonDir, "coffer/lock")

/** A lock as another process would have left it, made by looking at our own. */
async function plant(commonDir: string, change: Record<string, unknown>): Promise<string> {
  let own = {}
  await withStoreLock({ commonDir }, async () => {
    own = JSON.parse(readFileSync(lockOf(commonDir), "utf8"))
  })
  const text = JSON.stringify({ ...own, token: "other", ...change })
  writeFileSync(lockOf(commonDir), text)
  return text
}

function deadPid(): number {
  return spawnSync(process.execPath, ["-e", "0"]).pid
}

test("runs alone, also within one process, and leaves nothing", async () => {
  const commonDir = freshFolder()
  let inside = 0
  let most = 0
  const turn = () =>
    withStoreLock({ commonDir }, async () => {
      most = Math.max(most, ++inside)
      await new Promise(resolve => setTimeout(resolve, 2))
      inside -= 1
    })
  await Promise.all(Array.from({ length: 8 }, turn))
  assert.is(most, 1)
  assert.not.ok(existsSync(lockOf(commonDir)))
})

test("is released when its work fails", async () => {
  const commonDir = freshFolder()
  const failing = withStoreLock({ commonDir }, async () => {
    throw new RangeError("inner")
  })
  assert.match(await codeOf(failing), "inner")
  assert.not.ok(existsSync(lockOf(commonDir)))
})

test("recovers first, under the lock", async () => {
  const commonDir = freshFolder()
  const order: string[] = []
  const recover = async () => void order.push(existsSync(lockOf(commonDir)) ? "recover" : "unlocked")
  await withStoreLock({ commonDir, recover }, async () => void order.push("run"))
  assert.equal(order, ["recover", "run"])
})

test("a dead owner loses it: gone, restarted machine, pid used again", async () => {
  for (const change of [{ pid: deadPid() }, { boot: "other" }, { started: "1" }]) {
    const commonDir = freshFolder()
    await plant(commonDir, change)
    assert.is(await withStoreLock({ commonDir }, async () => "done", { wait: false }), "done")
    assert.not.ok(existsSync(lockOf(commonDir)))
  }
})

test("nobody else does: alive, another machine, other pids, unreadable", async () => {
  const pid = deadPid()
  for (const change of [{}, { pid, host: `not-${hostname()}` }, { pid, space: "pid:[1]" }, "garbage"]) {
    const commonDir = freshFolder()
    let text = await plant(commonDir, typeof change === "string" ? {} : change)
    if (typeof change === "string") {
      text = change
      writeFileSync(lockOf(commonDir), text)
    }
    const outcome = withStoreLock({ commonDir }, async () => "done", { wait: false })
    assert.is(await codeOf(outcome), "STORE_LOCKED")
    assert.is(readFileSync(lockOf(commonDir), "utf8"), text)
  }
})

test("a dead owner's lock goes to one of many, a dead breaker's too", async () => {
  const script = `
    import { withStoreLock } from ${JSON.stringify(new URL("../../../src/storage/git/store-lock.js", import.meta.url).href)}
    import { rmdirSync, mkdirSync } from "node:fs"
    const commonDir = process.argv[1]
    for (let n = 0; n < 20; n++) await withStoreLock({ commonDir }, async () => {
      mkdirSync(commonDir + "/alone")
      rmdirSync(commonDir + "/alone")
      if (n === 19) process.kill(process.pid, "SIGKILL")
    })`
  const commonDir = freshFolder()
  mkdirSync(join(commonDir, "coffer"))
  const text = await plant(commonDir, { pid: deadPid() })
  writeFileSync(`${lockOf(commonDir)}.break`, text)
  const signals = await Promise.all(
    Array.from({ length: 6 }, () => {
      const child = spawn(process.execPath, ["--input-type=module", "-e", script, commonDir], {
        stdio: "inherit",
      })
      return new Promise(resolve => child.on("close", (_, signal) => resolve(signal)))
    }),
  )
  assert.equal(signals, Array(6).fill("SIGKILL"))
})

test.run()
