/** Every case in every flow: its outcome, and what does not hold afterwards. */
import { randomFrom } from "../keyring/histories.js"
import { CASES } from "./flows-cases.js"
import type { FlowName } from "./flows-git.js"
import { inspectFlow } from "./flows-inspect.js"
import { Pair } from "./flows-pair.js"
import { settleFlow } from "./flows-settle.js"
import { columnOf } from "./flows-table.js"

/** One case in one flow. */
export interface Cell {
  readonly flow: FlowName
  /** Whether the merge driver and the hooks are installed in ana's clone. */
  readonly driver: boolean
}

export interface CellResult {
  readonly column: string
  readonly outcome: string
  readonly failures: readonly string[]
}

/** Runs cells of one case; `base` is used where the case needs no further secrets. */
export function* runCase(
  base: Pair,
  name: string,
  cells: readonly Cell[],
  seed: number,
): Generator<CellResult> {
  const drawn = CASES[name]!
  const pair = drawn.more === undefined ? base : new Pair(drawn.more)
  try {
    pair.diverge(drawn)
    for (const { flow, driver } of cells) {
      const column = columnOf(flow, driver)
      pair.reset("diverged")
      if (!driver) pair.ana.must(["hooks", "uninstall"])
      try {
        const settled = settleFlow(pair, flow, randomFrom(`${seed}/${name}/${column}`))
        const failures = inspectFlow(pair, drawn, settled)
        yield { column, outcome: settled.steps.join(", "), failures }
      } catch (error) {
        yield { column, outcome: "FAILED", failures: [(error as Error).message] }
      }
    }
  } finally {
    if (pair !== base) pair.remove()
  }
}
