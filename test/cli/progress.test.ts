import { test } from "uvu"
import * as assert from "uvu/assert"
import { progressBar } from "../../src/cli/progress.js"

function drawn(calls: readonly (readonly [ms: number, done: number])[]): string {
  let ms = 0
  let written = ""
  const stderr = {
    isTty: true,
    write(text: string | Uint8Array) {
      written += String(text)
    },
  }
  const bar = progressBar({ now: () => new Date(ms), stderr })
  for (const [at, done] of calls) {
    ms = at
    bar(done, 10)
  }
  return written
}

test("nothing is drawn for what is done in half a second", () => {
  assert.is(
    drawn([
      [10, 1],
      [499, 9],
      [499, 10],
    ]),
    "",
  )
})

test("a bar grows, not too often, and is gone at the end", () => {
  const bar = (filled: number, done: number) => `[${"#".repeat(filled).padEnd(30)}] ${done} of 10\u001b[K\r`
  assert.is(
    drawn([
      [600, 2],
      [650, 3],
      [750, 5],
      [800, 10],
    ]),
    `${bar(6, 2)}${bar(15, 5)}\u001b[K`,
  )
})

test.run()
