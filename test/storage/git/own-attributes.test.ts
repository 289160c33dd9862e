import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { suite } from "uvu"
import * as assert from "uvu/assert"
import { printPattern, readOwnAttributes } from "../../../src/storage/git/own-attributes.js"

const test = suite<{ dir: string }>("own attributes")

test.before.each(context => {
  context.dir = mkdtempSync(join(tmpdir(), "coffer-attributes-"))
  execFileSync("git", ["init", "-q"], { cwd: context.dir })
  mkdirSync(join(context.dir, ".git", "info"), { recursive: true })
})

test.after.each(({ dir }) => rmSync(dir, { recursive: true, force: true }))

const NAMES = ["text", "filter", "ident", "merge", "working-tree-encoding"]

test("a path has the attributes that git says it has", ({ dir }) => {
  const lines = [
    "# a comment filter",
    "",
    "*.yaml filter=one",
    "  secrets/** merge=union text",
    "/secrets/*.yaml\tident",
    "secrets/prod/ filter=two",
    "!secrets/A.yaml filter=three",
    '"secrets/a b/*" -filter working-tree-encoding=UTF-16LE',
    "[attr]plain -text -merge filter=four",
    "B.yaml plain",
    "C.yaml binary",
    "D.yaml !filter -text",
    "**/deep/** filter=five=six",
    "x\\*.yaml filter=seven",
    `${printPattern('odd [x]*"\\', "/**")} filter=eight`,
    "*.crlf filter=nine\r",
    "[ filter=ten",
  ]
  writeFileSync(join(dir, ".git", "info", "attributes"), `\uFEFF${lines.join("\n")}`)
  const own = readOwnAttributes(join(dir, ".git"))!
  const paths = [
    "A.yaml",
    "B.yaml",
    "C.yaml",
    "D.yaml",
    "prod/E.yaml",
    "prod/deep/x/F.yaml",
    "a b/G",
    "x*.yaml",
  ]
  const all = [...paths, ...paths.map(path => `secrets/${path}`), 'odd [x]*"\\/H.yaml', "a.crlf", "xx.yaml"]
  for (const path of all) {
    const said = execFileSync("git", ["check-attr", "-z", ...NAMES, "--", path], {
      cwd: dir,
      encoding: "utf8",
      stdio: "pipe",
    })
    const words = said.split("\0")
    for (const [index, name] of NAMES.entries()) {
      const found = own.of(path).get(name)
      const value = found?.value ?? "unspecified"
      const word = value === true ? "set" : value === false ? "unset" : value
      assert.is(word, words[3 * index + 2], `${path} ${name}`)
    }
  }
  assert.is(own.of("secrets/A.yaml").get("ident")!.line, 5)
})

test("without the file there are none", ({ dir }) => {
  rmSync(join(dir, ".git", "info"), { recursive: true })
  assert.is(readOwnAttributes(join(dir, ".git")), undefined)
})

test.run()
