import { test } from "uvu"
import * as assert from "uvu/assert"
import { CofferError, type ErrorCode, EXIT_CODES } from "../src/errors.js"

test("every error has a hint, its own or the usual one", () => {
  for (const code of Object.keys(EXIT_CODES) as ErrorCode[]) {
    assert.ok(new CofferError(code, "message").hint.length > 0, code)
    assert.is(new CofferError(code, "message", { hint: "own" }).hint, "own")
  }
})

test.run()
