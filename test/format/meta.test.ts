import { test } from "uvu"
import * as assert from "uvu/assert"
import { CofferError } from "../../src/errors.js"
import { checkMeta } from "../../src/format/meta.js"

function faultOf(entries: Readonly<Record<string, string>>): string | undefined {
  try {
    checkMeta(new Map(Object.entries(entries)), "A")
    return undefined
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
    assert.is(error.code, "VALUE_INVALID")
    return error.message
  }
}

test("free text and known entries", () => {
  assert.is(
    faultOf({
      description: 'Größe "x" 📦',
      owner: "",
      tags: "a,b",
      rotateAfter: "90d",
      expires: "2031-01-31T00:00:00Z",
      env: "_DB_URL2",
      movedTo: "prod/db/URL",
      "x.y-z_1": "x".repeat(1024),
    }),
    undefined,
  )
})

test("what is refused is named by its key, never quoted", () => {
  const wrong: Readonly<Record<string, string>>[] = [
    { rotateAfter: "hunter2" },
    { rotateAfter: "0d" },
    { expires: "2031-02-30T00:00:00Z" },
    { env: "hunter2-x" },
    { movedTo: "../hunter2" },
    { owner: "hunter2\n" },
    { owner: "hunter2\u001b[2J" },
    { owner: "hunter2\u2028" },
    { owner: "hunter2\ufffe" },
    { owner: "hunter2\ud800" },
    { owner: `hunter2${"ä".repeat(512)}` },
    { "Hunter2=": "x" },
    { [`k${"x".repeat(32)}`]: "x" },
    Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`k${index}`, "x"])),
  ]
  for (const entries of wrong) {
    const fault = faultOf(entries)
    assert.ok(fault, JSON.stringify(entries))
    assert.not.match(fault!, /hunter2/i)
  }
})

test.run()
