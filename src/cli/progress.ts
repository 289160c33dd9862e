/** A bar on the terminal for work that takes longer than half a second. */
import type { Host } from "./host.js"

const FIRST_MS = 500
const EVERY_MS = 100
const WIDTH = 30
/** Erases to the end of the line: what is printed next stands on a clean one. */
export const ERASE = "\u001b[K"

/** Draws how much is done, and takes the bar away at the end. The cursor stays at the start of the line. */
export function progressBar({
  now,
  stderr,
}: Pick<Host, "now" | "stderr">): (done: number, total: number) => void {
  const start = now().getTime()
  let drawn = 0
  return (done, total) => {
    const elapsed = now().getTime() - start
    if (done >= total) {
      if (drawn > 0) stderr.write(ERASE)
      drawn = 0
    } else if (elapsed >= FIRST_MS && elapsed - drawn >= EVERY_MS) {
      drawn = elapsed
      const filled = "#".repeat(Math.floor((WIDTH * done) / total))
      stderr.write(`[${filled.padEnd(WIDTH)}] ${done} of ${total}${ERASE}\r`)
    }
  }
}
