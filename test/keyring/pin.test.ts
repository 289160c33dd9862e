import { test } from "uvu"
import * as assert from "uvu/assert"
import { hasCode } from "../../src/errors.js"
import { matchesPin, parsePin, printPin } from "../../src/keyring/pin.js"
import { forge, makePeople, member, STORE } from "./graphs.js"

const { ana } = await makePeople("ana")
const node = forge({ by: ana, members: [member(ana, "admin")] })

test("a pin names one record of one store", () => {
  const text = printPin(STORE, node)
  assert.match(text, /^coffer1-1-[a-z2-7]{52}$/)
  const pin = parsePin(`${text}\n`)
  assert.ok(matchesPin(pin, STORE, node))
  assert.not.ok(matchesPin(pin, "f".repeat(32), node))
  assert.not.ok(matchesPin({ ...pin, number: 2 }, STORE, node))
  const other = forge({ by: ana, members: [member(ana, "admin")] })
  assert.not.ok(matchesPin(pin, STORE, other))
})

test("what is no pin is refused without being shown", () => {
  const pin = printPin(STORE, node)
  for (const text of [
    "",
    "tofu",
    pin.slice(0, -1),
    `${pin}a`,
    pin.toUpperCase(),
    pin.replace("-1-", "-0-"),
  ]) {
    assert.throws(
      () => parsePin(text),
      (error: unknown) => hasCode(error, "SETTING_INVALID") && (text === "" || !error.message.includes(text)),
    )
  }
})

test.run()
