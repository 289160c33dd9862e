/** Several processes that write at once, and a user who stages and commits meanwhile: nothing of anybody's is lost. */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { test } from "uvu"
import * as assert from "uvu/assert"
import {
  commit,
  fsck,
  git,
  gitFails,
  KINDS,
  type Kind,
  leftovers,
  makeRepository,
  open,
  write,
} from "./repositories.js"

function start(job: string, folder: string, kind: Kind, ...args: string[]): Promise<void> {
  const script = fileURLToPath(new URL("writer-process.js", import.meta.url))
  const child = spawn(process.execPath, [script, job, folder, kind, ...args], {
    stdio: ["ignore", "ignore", "pipe"],
  })
  let words = ""
  child.stderr.on("data", chunk => (words += chunk))
  return new Promise((resolve, reject) =>
    child.on("close", status => (status === 0 ? resolve() : reject(new Error(words)))),
  )
}

for (const kind of KINDS) {
  // Of the embedded one only the objects are different: the locks, the index and the journal are the same code.
  const rounds = kind === "system" ? 10 : 4

  test(`${kind}: 8 processes make ${rounds} commits each`, async () => {
    const folder = makeRepository()
    write(folder, "staged", "staged\n")
    git(folder, "add", "staged")
    const names = Array.from({ length: 8 }, (_, n) => `p${n}`)
    await Promise.all(names.map(name => start("loop", folder, kind, name, String(rounds))))
    const files = git(folder, "ls-tree", "-r", "--name-only", "HEAD", "secrets").split("\n")
    for (const name of names) {
      for (let round = 0; round < rounds; round++) assert.ok(files.includes(`secrets/${name}/${round}.yaml`))
    }
    assert.is(git(folder, "rev-list", "--count", "HEAD").trim(), String(8 * rounds + 1))
    assert.equal(git(folder, "status", "--porcelain"), "A  staged\n")
    assert.equal(leftovers(folder), [])
    fsck(folder)
  })

  test(`${kind}: 4 processes count to 12 in one file`, async () => {
    const folder = makeRepository()
    const opened = await open(folder, kind)
    await commit(opened, { "secrets/N.yaml": "0\n" })
    await Promise.all(Array.from({ length: 4 }, () => start("count", folder, kind, "3")))
    assert.equal(git(folder, "show", "HEAD:secrets/N.yaml"), "12\n")
  })

  test(`${kind}: a user stages and commits meanwhile`, async () => {
    const folder = makeRepository()
    let isRunning = true
    const writers = Promise.all(["p0", "p1"].map(name => start("loop", folder, kind, name, "6"))).finally(
      () => {
        isRunning = false
      },
    )
    let committed = 0
    let staged = 0
    while (isRunning) {
      write(folder, `user/staged${staged}`, "x\n")
      if (!gitFails(folder, "add", `user/staged${staged}`)) staged += 1
      if (staged % 3 === 2 && !gitFails(folder, "commit", "-q", "-m", "user's")) committed += 1
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    await writers
    const subjects = git(folder, "log", "--format=%s").split("\n")
    assert.is(subjects.filter(subject => subject === "Set A").length, 12)
    assert.is(subjects.filter(subject => subject === "user's").length, committed)
    assert.ok(committed > 0)
    const tracked = git(folder, "ls-files").split("\n")
    for (let n = 0; n < staged; n++) assert.ok(tracked.includes(`user/staged${n}`), `staged${n}`)
    assert.equal(git(folder, "status", "--porcelain", "secrets"), "")
    assert.equal(leftovers(folder), [])
    fsck(folder)
  })
}

test.run()
