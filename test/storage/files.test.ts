import { execFileSync, spawnSync } from "node:child_process"
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { CofferError } from "../../src/errors.js"
import { openFiles, readPlainFile, writePrivateFile } from "../../src/storage/files.js"

const FILES = new URL("../../src/storage/files.js", import.meta.url).href

let root = ""
test.before.each(() => {
  root = mkdtempSync(join(tmpdir(), "coffer-files-"))
})
test.after.each(() => rmSync(root, { recursive: true, force: true }))

function refusal(run: () => unknown): CofferError {
  try {
    run()
  } catch (error) {
    if (error instanceof CofferError) return error
    throw error
  }
  throw new Error("nothing was refused")
}

test("reads the exact bytes, and nothing where there is no file", () => {
  const big = Buffer.alloc(200_000, 7)
  mkdirSync(join(root, "prod/db"), { recursive: true })
  writeFileSync(join(root, "prod/db/A.yaml"), "x\r\n")
  writeFileSync(join(root, "prod/db/B.yaml"), big)
  writeFileSync(join(root, "empty.yaml"), "")
  const files = openFiles(root)
  assert.equal(Buffer.from(files.read("prod/db/A.yaml", 100)!).toString(), "x\r\n")
  assert.equal(files.read("prod/db/B.yaml", 200_000)?.length, 200_000)
  assert.equal(files.read("empty.yaml", 10)?.length, 0)
  assert.is(files.read("prod/db/C.yaml", 100), undefined)
  assert.is(files.read("none/db/C.yaml", 100), undefined)
  assert.is(files.read("empty.yaml/db/C.yaml", 100), undefined)
  assert.throws(() => files.read("prod/../../x", 10), TypeError)
})

test("a result is not overwritten by the next read", () => {
  writeFileSync(join(root, "a"), "first")
  writeFileSync(join(root, "b"), "other")
  const files = openFiles(root)
  const first = files.read("a", 100)
  files.read("b", 100)
  assert.equal(Buffer.from(first!).toString(), "first")
})

test("a folder that has become a pipe holds up nobody who makes it durable", () => {
  const pipe = join(root, "was-a-folder")
  execFileSync("mkfifo", [pipe])
  const code = `import { syncFolder } from ${JSON.stringify(FILES)}; syncFolder(${JSON.stringify(pipe)})`
  const { status, signal } = spawnSync(process.execPath, ["--input-type=module", "-e", code], {
    timeout: 20_000,
  })
  assert.equal({ status, signal }, { status: 0, signal: null })
})

test("links, pipes, folders and oversized files are refused by name, at once", () => {
  writeFileSync(join(root, "big.yaml"), Buffer.alloc(101))
  mkdirSync(join(root, "folder.yaml"))
  mkdirSync(join(root, "elsewhere"))
  writeFileSync(join(root, "elsewhere/A.yaml"), "outside")
  symlinkSync(join(root, "elsewhere/A.yaml"), join(root, "link.yaml"))
  symlinkSync("/nowhere", join(root, "dangling.yaml"))
  symlinkSync(join(root, "elsewhere"), join(root, "prod"))
  execFileSync("mkfifo", [join(root, "pipe.yaml")])
  const files = openFiles(root)
  for (const path of ["big.yaml", "folder.yaml", "link.yaml", "dangling.yaml", "pipe.yaml"]) {
    const error = refusal(() => files.read(path, 100))
    assert.is(error.code, "NOT_CANONICAL", path)
    assert.match(error.message, `"${path}"`)
  }
  // Whoever types the hint must not run what somebody chose as a name.
  symlinkSync("/nowhere", join(root, "$(x).yaml"))
  const { hint } = refusal(() => files.read("$(x).yaml", 100))
  assert.match(hint!, `'${join(root, "$(x).yaml")}' restores`)
  const error = refusal(() => files.read("prod/A.yaml", 100))
  assert.is(error.code, "NOT_CANONICAL")
  assert.match(error.message, '"prod" is a symbolic link')
})

test("a link in the root itself is the user's own", () => {
  mkdirSync(join(root, "real"))
  writeFileSync(join(root, "real/A.yaml"), "1")
  symlinkSync(join(root, "real"), join(root, "secrets"))
  assert.equal(Buffer.from(openFiles(join(root, "secrets")).read("A.yaml", 9)!).toString(), "1")
})

test("walks in the order of whole paths and tells files from anything else", () => {
  for (const path of ["a/x.yaml", "a.yaml", "a-b/y.yaml", ".coffer/store.yaml", "z/deep/er/q.yaml"]) {
    mkdirSync(join(root, path, ".."), { recursive: true })
    writeFileSync(join(root, path), path)
  }
  symlinkSync("/etc", join(root, "etc"))
  const files = openFiles(root)
  const seen = [...files.walk()]
  const paths = seen.map(entry => entry.path)
  assert.equal(paths, [".coffer/store.yaml", "a-b/y.yaml", "a.yaml", "a/x.yaml", "etc", "z/deep/er/q.yaml"])
  assert.equal(paths, [...paths].sort())
  assert.is(seen.find(entry => entry.path === "etc")?.kind, "other")
  assert.equal([...files.walk("z/deep")], [{ path: "z/deep/er/q.yaml", kind: "file" }])
  assert.equal([...files.walk("none")], [])
  assert.equal([...files.walk("a.yaml")], [])
  assert.is(refusal(() => [...files.walk("etc")]).code, "NOT_CANONICAL")
  for (const entry of files.walk()) {
    if (entry.kind === "file") {
      assert.equal(Buffer.from(files.read(entry.path, 100)!).toString(), entry.path)
    }
  }
})

test("what a walk has seen does not outlive it", () => {
  mkdirSync(join(root, "prod"))
  writeFileSync(join(root, "prod/A.yaml"), "1")
  const files = openFiles(root)
  for (const entry of files.walk()) files.read(entry.path, 100)
  rmSync(join(root, "prod"), { recursive: true })
  symlinkSync("/etc", join(root, "prod"))
  assert.is(refusal(() => files.read("prod/passwd", 100_000)).code, "NOT_CANONICAL")
})

test("folders nested without end are listed, not descended into", () => {
  mkdirSync(join(root, "d/".repeat(60)), { recursive: true })
  const entries = [...openFiles(root).walk()]
  assert.is(entries.length, 1)
  assert.is(entries[0]?.kind, "other")
})

test("tells an executable file", () => {
  writeFileSync(join(root, "a"), "")
  writeFileSync(join(root, "b"), "")
  chmodSync(join(root, "b"), 0o755)
  const files = openFiles(root)
  assert.is(files.isExecutable("a"), false)
  assert.is(files.isExecutable("b"), true)
  assert.is(files.isExecutable("c"), false)
})

test("private files: mode 0600, whole replacement, no leftovers, folders made 0700", () => {
  const path = join(root, "state/coffer/x.json")
  writePrivateFile(path, Buffer.from("one"))
  writePrivateFile(path, Buffer.from("two"))
  assert.is(readFileSync(path, "utf8"), "two")
  assert.is(statSync(path).mode & 0o777, 0o600)
  assert.is(statSync(join(root, "state")).mode & 0o777, 0o700)
  assert.equal(readdirSync(join(root, "state/coffer")), ["x.json"])
})

test("a folder that can never be made is an error, not an endless loop", () => {
  assert.is(refusal(() => writePrivateFile("/proc/coffer/state/x", Buffer.from(""))).code, "IO_FAILED")
  symlinkSync(join(root, "real"), join(root, "linked"))
  mkdirSync(join(root, "real"))
  writePrivateFile(join(root, "linked/deep/x"), Buffer.from("1"))
  assert.is(readFileSync(join(root, "real/deep/x"), "utf8"), "1")
})

test("file system errors name the path and the errno", () => {
  writeFileSync(join(root, "file"), "")
  const error = refusal(() => writePrivateFile(join(root, "file/below/x"), Buffer.from("")))
  assert.is(error.code, "IO_FAILED")
  assert.match(error.message, `"${join(root, "file")}": EEXIST`)
  assert.is(refusal(() => [...openFiles(join(root, "none")).walk()]).code, "IO_FAILED")
  assert.is(refusal(() => readPlainFile(root, 10)).code, "IO_FAILED")
  assert.is(readPlainFile(join(root, "none"), 10), undefined)
  writeFileSync(join(root, "file"), "12345")
  assert.is(refusal(() => readPlainFile(join(root, "file"), 4)).code, "IO_FAILED")
})

test("10,000 files are walked in a fraction of a second", () => {
  for (let folder = 0; folder < 100; folder++) {
    mkdirSync(join(root, `d${folder}`))
    for (let file = 0; file < 100; file++) writeFileSync(join(root, `d${folder}/S_${file}.yaml`), "x")
  }
  const before = process.cpuUsage()
  assert.is([...openFiles(root).walk()].length, 10_000)
  const { user, system } = process.cpuUsage(before)
  // 100 ms is the promise; processor time, and four times that, since test machines are busy.
  assert.ok((user + system) / 1000 < 400)
})

test.run()
