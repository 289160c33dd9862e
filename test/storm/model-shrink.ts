/** One sequence of the model storm by its number, and the shortest part of it that still fails. */
import { pick, randomFrom } from "../keyring/histories.js"
import { describeStep, drawSteps, type Step } from "./model-operations.js"
import { Places } from "./model-places.js"
import { type Failure, play, type Tally } from "./model-sequence.js"

/** The same number gives the same sequence, on the same back end. */
export class Sequences {
  readonly #places = { system: new Places("system"), embedded: new Places("embedded") }

  async prepare(): Promise<void> {
    for (const places of Object.values(this.#places)) await places.prepare()
  }

  /** @returns a report of the shortest failing part; undefined where coffer and model agree throughout */
  async run(number: number, count: number, tally: Tally): Promise<string | undefined> {
    const random = randomFrom(`model ${number}`)
    const kind = number % 2 === 0 ? "system" : "embedded"
    const drivers = [pick(random, [true, false]), pick(random, [true, false])] as const
    const steps = drawSteps(random, count)
    const replay = (part: readonly Step[], counts?: Tally) => play(this.#places[kind], part, drivers, counts)
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
    for (const places of Object.values(this.#places)) places.remove()
  }
}

const PATIENCE_MS = 60_000

/** Leaves out halves, quarters and so on down to single steps, as long as it still fails. */
async function shrink(
  steps: readonly Step[],
  failure: Failure,
  replay: (part: readonly Step[]) => Promise<Failure | undefined>,
): Promise<{ shortest: readonly Step[]; failure: Failure }> {
  const end = Date.now() + PATIENCE_MS
  let shortest = steps
  let last = failure
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
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
