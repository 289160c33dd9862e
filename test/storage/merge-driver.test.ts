import { execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { suite } from "uvu"
import * as assert from "uvu/assert"
import { hasMergeDriver, installMergeDriver, uninstallMergeDriver } from "../../src/storage/merge-driver.js"

/** The user's own settings may colour what git prints. */
const env = { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null" }

const test = suite<{ dir: string; git(...args: string[]): string }>("merge driver")

test.before.each(context => {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'coffer it\'s "so" ')))
  context.dir = dir
  context.git = (...args) => execFileSync("git", args, { cwd: dir, encoding: "utf8", env })
  context.git("init", "-q")
})

test.after.each(({ dir }) => rmSync(dir, { recursive: true, force: true }))

const source = process.cwd()

test("git finds driver and textconv for files of the store, and only there", ({ dir, git }) => {
  for (const store of ["secrets", "a b/[x]*'\"\\s"]) {
    installMergeDriver(join(dir, ".git"), [store], source)
    const attribute = (path: string) => git("check-attr", "-z", "merge", "--", path).split("\0")[2]
    assert.is(attribute(`${store}/A.yaml`), "coffer")
    assert.is(attribute(`${store}/prod/db/A.yaml`), "coffer")
    assert.is(attribute(`${store}/prod/db/A.txt`), "unspecified")
    assert.is(attribute("other/A.yaml"), "unspecified")
    assert.is(attribute(`x/${store}/A.yaml`), "unspecified")
    assert.ok(hasMergeDriver(join(dir, ".git"), [store]))
  }
  assert.ok(hasMergeDriver(join(dir, ".git"), ["secrets"]), "the first store is kept")
  assert.not.ok(hasMergeDriver(join(dir, ".git"), ["third"]))
  const driver = git("config", "merge.coffer.driver").trim().replace(" %O %A %B", "")
  execFileSync("sh", ["-n", "-c", driver])
  assert.match(execFileSync("sh", ["-c", driver.replace("sh ", "cat ")], { encoding: "utf8" }), "#!/bin/sh")
})

test("git diff leaves out the sealed part, without any key", ({ dir, git }) => {
  installMergeDriver(join(dir, ".git"), ["secrets"], source)
  writeFileSync(join(dir, ".gitattributes"), "*.yaml diff=coffer\n")
  writeFileSync(join(dir, "a.yaml"), "version: 1\nnonce: |\n  sealed-one\n")
  git("add", ".")
  writeFileSync(join(dir, "a.yaml"), "version: 2\nnonce: |\n  sealed-two\n")
  const diff = git("diff")
  assert.match(diff, "+version: 2")
  assert.not.match(diff, "sealed")
})

test("uninstalling leaves every byte as it was", ({ dir, git }) => {
  const config = join(dir, ".git", "config")
  const attributes = join(dir, ".git", "info", "attributes")
  const odd = Buffer.concat([
    readFileSync(config),
    Buffer.from("# no UTF-8: \xff\n[alias]\n\tx = y", "latin1"),
  ])
  writeFileSync(config, odd)
  writeFileSync(attributes, "*.yaml merge=mine")
  installMergeDriver(join(dir, ".git"), ["secrets"], source)
  assert.is(git("config", "alias.x"), "y\n")
  assert.is(
    git("check-attr", "merge", "secrets/A.yaml"),
    "secrets/A.yaml: merge: mine\n",
    "the user's own line wins",
  )
  installMergeDriver(join(dir, ".git"), ["secrets"], source)
  uninstallMergeDriver(join(dir, ".git"))
  assert.equal(readFileSync(config), odd)
  assert.is(readFileSync(attributes, "utf8"), "*.yaml merge=mine")
  assert.not.ok(existsSync(join(dir, ".git", "coffer")))
  uninstallMergeDriver(join(dir, ".git"))
})

test("files and folders that were not there are gone again", ({ dir }) => {
  rmSync(join(dir, ".git", "info"), { recursive: true })
  installMergeDriver(join(dir, ".git"), ["secrets"], source)
  uninstallMergeDriver(join(dir, ".git"))
  assert.not.ok(existsSync(join(dir, ".git", "info")))
})

test("a byte order mark stays the first thing in the configuration", ({ dir, git }) => {
  const config = join(dir, ".git", "config")
  writeFileSync(config, `\uFEFF${readFileSync(config, "utf8")}`)
  installMergeDriver(join(dir, ".git"), ["secrets"], source)
  assert.match(git("config", "merge.coffer.driver"), "merge-secret")
})

test("a configuration that git has locked is left alone", ({ dir }) => {
  writeFileSync(join(dir, ".git", "config.lock"), "")
  assert.throws(
    () => installMergeDriver(join(dir, ".git"), ["secrets"], source),
    (error: { code: string }) => error.code === "GIT_LOCKED",
  )
  assert.ok(existsSync(join(dir, ".git", "config.lock")))
})

test("after the repository was moved it is not taken for installed", ({ dir }) => {
  const common = join(dir, ".git")
  installMergeDriver(common, ["secrets"], source)
  const text = readFileSync(join(common, "config"), "utf8")
  writeFileSync(join(common, "config"), text.replaceAll(dir.slice(-6), "moved!"))
  assert.not.ok(hasMergeDriver(common, ["secrets"]))
})

test.run()
