import { test } from "uvu"
import * as assert from "uvu/assert"
import { CofferError, hasCode } from "../../src/errors.js"
import {
  groupOf,
  isGroupName,
  isMemberName,
  isSecretName,
  NameIndex,
  nameOfPath,
  parseGroupName,
  parseReference,
  parseSecretName,
  pathOf,
} from "../../src/format/names.js"

test("names that are valid", () => {
  const names = ["A", "prod/db/PASSWORD", "1e3", "true", "null", "0123456789abcdef", "a.b-c_d", "default"]
  names.push("x".repeat(200), Array.from({ length: 16 }, () => "a").join("/"), "console", "com10")
  for (const name of names) assert.ok(isSecretName(name), name)
})

test("names that are not", () => {
  const names = ["", "/", "a/", "/a", "a//b", ".", "..", "a/../b", ".env", "a.", "a./b", "a.yaml", "a.yaml/b"]
  names.push("a.YAML/b", "-a", "_a", "a b", "a\n", "ä", "a@b", "con", "CON.txt/a", "x/nul", "lpt1", "COM9.x")
  names.push("x".repeat(201), Array.from({ length: 17 }, () => "a").join("/"), "a\\b", "a:b", "a\u0000")
  for (const name of names) assert.not.ok(isSecretName(name), JSON.stringify(name))
})

test("a message never repeats what may be a value", () => {
  const messageOf = (text: string) => {
    try {
      parseSecretName(text)
    } catch (error) {
      return (error as CofferError).message + (error as CofferError).hint
    }
    throw new Error("accepted")
  }
  assert.match(messageOf("prod/db."), 'the name is not valid: a part ends in "."')
  for (const text of [
    "hunter2.",
    "_hunter2",
    "A//hunter2",
    "hunter2.yaml",
    "DB=hunter2",
    "hunter2\u001b[2J",
    "hunter2 x",
    `hunter2${"x".repeat(300)}`,
  ]) {
    assert.not.match(messageOf(text), "hunter2")
  }
})

test("groups are paths above names, or the root group", () => {
  for (const group of ["default", "prod", "prod/eu", "defaults"]) assert.is(parseGroupName(group), group)
  const wrong = ["default/x", "Default", "DEFAULT/x", "", "a.yaml", "x".repeat(199)]
  wrong.push(Array.from({ length: 16 }, () => "a").join("/"))
  for (const group of wrong) assert.not.ok(isGroupName(group), group)
  assert.throws(
    () => parseGroupName("Default"),
    (error: unknown) => hasCode(error, "NAME_INVALID"),
  )
})

test("the longest group above a name is its group", () => {
  const groups = ["prod", "prod/eu", "default"]
  assert.is(groupOf("prod/eu/A", groups), "prod/eu")
  assert.is(groupOf("prod/eux/A", groups), "prod")
  assert.is(groupOf("prod", groups), "default")
  assert.is(groupOf("default/A", groups), "default")
})

test("members", () => {
  for (const name of ["alice", "a.b+c@example.org", "0", "x".repeat(64)]) assert.ok(isMemberName(name))
  for (const name of ["", "-a", "a b", "x".repeat(65), "a\n"]) assert.not.ok(isMemberName(name))
})

test("clashes are differences in case alone, of names and of folders", () => {
  const clash = (name: string, ...known: string[]) => new NameIndex(known).findClash(name)
  assert.is(clash("prod/A", "x", "prod/a"), "prod/a")
  assert.is(clash("Prod/b", "prod/a"), "prod/a")
  assert.is(clash("a/B/c", "a/b"), undefined)
  assert.is(clash("a/B/c", "a/b/d"), "a/b/d")
  assert.is(clash("prod/a", "prod/a", "prod/ab", "pro", "prodx/A"), undefined)
})

test("names are counted once, folders are not", () => {
  const index = new NameIndex(["a/b", "a/c", "a/b", "d"])
  assert.is(index.size, 3)
})

test("paths", () => {
  assert.is(pathOf("prod/A"), "prod/A.yaml")
  assert.is(nameOfPath("prod/A.yaml"), "prod/A")
  for (const path of ["A", "A.yml", ".coffer/store.yaml", "a.yaml.yaml", ".yaml"]) {
    assert.is(nameOfPath(path), undefined, path)
  }
})

test("references", () => {
  assert.equal(parseReference("a/B"), { name: "a/B" })
  assert.equal(parseReference("a/B@12"), { name: "a/B", version: 12 })
  assert.equal(parseReference("a/B@3~a1b2"), { name: "a/B", version: 3, hint: "a1b2" })
  for (const text of ["a@", "a@0", "a@01", "a@x", "a@3~A1B2", "a@3~a", "@3", "a@2147483648", "a@1@2"]) {
    assert.throws(
      () => parseReference(text),
      (error: unknown) => error instanceof CofferError && error.code === "NAME_INVALID",
    )
  }
})

test.run()
