/** docs/format.md is normative: its examples are the frozen vectors, its limits those of the code. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { LIMITS } from "../../src/format/limits.js"

const document = readFileSync("docs/format.md", "utf8")

/** `files/x.yaml`, or `suite.json identities.0.card`: what an example has to equal. */
function vector(reference: string): string {
  const [file = "", path] = reference.split(" ")
  const text = readFileSync(join("test/vectors", file), "utf8")
  if (path === undefined) return text
  let value = JSON.parse(text)
  for (const key of path.split(".")) value = value[key]
  return `${value}\n`
}

test("every example is a frozen vector, byte for byte", () => {
  const examples = [...document.matchAll(/<!-- vector: (.+) -->\n```[a-z]*\n([\s\S]*?)```\n/g)]
  assert.ok(examples.length >= 6, `${examples.length} examples`)
  for (const [, reference, text] of examples) assert.is(text, vector(reference!), reference)
})

test("the limits are those of the code", () => {
  const rows = new Map(
    [...document.matchAll(/^\| ([^|]+) \| ([0-9]+)(?: [a-z]+)? \|$/gm)].map(row => [row[1]!, Number(row[2])]),
  )
  const { integer, ...limits } = LIMITS
  assert.equal([...rows.values()].sort(), Object.values(limits).sort())
  assert.is(rows.get("members of a record"), limits.members)
  assert.match(document, `1 to ${integer}`)
})

test("sections that comments cite are there", () => {
  const sections = new Set([...document.matchAll(/^##+ ([0-9.]+) /gm)].map(([, number]) => number))
  const cited = readdirSync("src", { recursive: true, encoding: "utf8" })
    .filter(path => path.endsWith(".ts"))
    .flatMap(path => {
      const text = readFileSync(join("src", path), "utf8")
      return [...text.matchAll(/format\.md §([0-9]+(?:\.[0-9]+)?)/g)].map(([, number]) => ({
        path,
        number: number!,
      }))
    })
  assert.ok(cited.length > 15)
  for (const { path, number } of cited) assert.ok(sections.has(number), `${path}: §${number}`)
})

test.run()
