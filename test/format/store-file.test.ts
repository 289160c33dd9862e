import { test } from "uvu"
import * as assert from "uvu/assert"
import { decodeUtf8, encodeUtf8 } from "../../src/encoding.js"
import { hasCode } from "../../src/errors.js"
import { parseStoreFile, printStoreFile } from "../../src/format/store-file.js"
import { STORE_ID } from "./samples.js"

test("the store file is two lines", () => {
  const bytes = printStoreFile({ store: STORE_ID })
  assert.is(decodeUtf8(bytes), `coffer: store/1\nstore: "${STORE_ID}"\n`)
  assert.equal(parseStoreFile(bytes), { store: STORE_ID })
})

test("anything else is refused", () => {
  const good = `coffer: store/1\nstore: "${STORE_ID}"\n`
  const wrong: [string, string][] = [
    [good.replace("/1", "/2"), "NEWER_FORMAT"],
    [`${good}other: "x"\n`, "NEWER_FORMAT"],
    [good.toUpperCase(), "NOT_CANONICAL"],
    [good.replace("ff", "f"), "NOT_CANONICAL"],
    [`${good}#${"x".repeat(5000)}\n`, "NOT_CANONICAL"],
  ]
  for (const [text, code] of wrong) {
    assert.throws(
      () => parseStoreFile(encodeUtf8(text)),
      (error: unknown) => hasCode(error, code as "DAMAGED"),
      text,
    )
  }
})

test.run()
