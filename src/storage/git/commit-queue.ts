/** Commits waiting to be looked at, newest first; equal dates in the order they came in, as in git's own queue. */
import type { Oid } from "./git.js"

export class CommitQueue {
  /** Sorted: the next one to take is the last. As long as history is wide, not as it is deep. */
  readonly #waiting: { oid: Oid; seconds: number }[] = []

  get newestSeconds(): number | undefined {
    return this.#waiting.at(-1)?.seconds
  }

  push(oid: Oid, seconds: number): void {
    let low = 0
    let high = this.#waiting.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#waiting[middle]!.seconds < seconds) low = middle + 1
      else high = middle
    }
    this.#waiting.splice(low, 0, { oid, seconds })
  }

  pop(): Oid | undefined {
    return this.#waiting.pop()?.oid
  }

  every(test: (oid: Oid) => boolean): boolean {
    return this.#waiting.every(({ oid }) => test(oid))
  }
}
