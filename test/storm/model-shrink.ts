/** One sequence of the model storm by its number, and the shortest part of it that still fails. */
import { pick, randomFrom } from "../keyring/histories.js"
import { KINDS, type Kind } from "./arena.js"
import { drawSteps } from "./model-draws.js"
import { describeStep, type Step } from "./model-operations.js"
import { type Failure, play, type Tally } from "./model-sequence.js"
import { prepareStart, type Start } from "./model-start.js"

/** The same number gives the same sequence, on the same back end. */
export class Sequences {
  readonly #starts = new Map<Kind, Start>()

  /** @returns a report of the shortest failing part; undefined where coffer and model agree throughout */
  async run(number: number, count: number, tally: Tally): Promise<string | undefined> {
    const random = randomFrom(`model ${number}`)
    const kind = KINDS[number % 2]!
    const start = this.#starts.get(kind) ?? (await prepareStart(kind))
    this.#starts.set(kind, start)
    const drivers = [pick(random, [true, false]), pick(random, [true, false])] as const
    const steps = drawSteps(random, count)
    const replay = (part: readonly Step[], counts?: Tally) => play(start, part, drivers, counts)
    const failure = await replay(steps, tally)
    if (failure === undefined) return undefined
    const { shortest, failure: last } = await shrink(steps.slice(0, failure.step + 1), failure, replay)
    return [
      `sequence ${number} (${kind}, merge driver ${drivers.map(driver => (driver ? "on" : "off")).join(" and ")}), shortest:`,
      ...shortest.map(step => `  ${describeStep(step)}`),
      `  ${last.message}`,
    ].join("\n")
  }

  remove(): void {
    for (const { places } of this.#starts.values()) places.remove()
  }
}

const PATIENCE_MS = 120_000

/** Leaves out what changed nothing, then halves, quarters and so on down to single steps, as long as it still fails. */
async function shrink(
  steps: readonly Step[],
  failure: Failure,
  replay: (part: readonly Step[]) => Promise<Failure | undefined>,
): Promise<{ shortest: readonly Step[]; failure: Failure }> {
  const end = Date.now() + PATIENCE_MS
  let shortest = steps
  let last = failure
  const telling = steps.filter((_, index) => failure.telling.includes(index))
  const found = await replay(telling)
  if (found !== undefined) {
    shortest = telling.slice(0, found.step + 1)
    last = found
  }
  for (let size = Math.ceil(shortest.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = shortest.length - size; at >= 0 && Date.now() < end; at -= size) {
      const part = [...shortest.slice(0, at), ...shortest.slice(at + size)]
      const found = await replay(part)
      if (found === undefined) continue
      shortest = part.slice(0, found.step + 1)
      last = found
    }
  }
  return { shortest, failure: last }
}
