/** The outcome of every flow as docs/flows.md has it: read, compared and written. */
import { readFileSync, writeFileSync } from "node:fs"
import { resolve } from "node:path"
import { FLOWS, type FlowName } from "./flows-git.js"

/** By case, then by flow and by whether the driver is there. */
export type Outcomes = Map<string, Map<string, string>>

const PAGE = resolve("docs/flows.md")
const DRIVERS = ["with the driver", "without the driver"] as const

export function columnOf(flow: FlowName, driver: boolean): string {
  return `${flow}, ${DRIVERS[driver ? 0 : 1]}`
}

/** The two tables of the page. */
function printTables(outcomes: Outcomes): string {
  return DRIVERS.map((driver, index) => {
    const rows = [...outcomes].map(([name, cells]) => [
      name,
      ...FLOWS.map(flow => cells.get(columnOf(flow, index === 0)) ?? ""),
    ])
    const lines = [["ours / theirs", ...FLOWS], ["---", ...FLOWS.map(() => "---")], ...rows]
    const table = lines.map(cells => `| ${cells.join(" | ")} |`).join("\n")
    return `### ${driver[0]!.toUpperCase()}${driver.slice(1)}\n\n${table}\n`
  }).join("\n")
}

export function readOutcomes(): Outcomes {
  const outcomes: Outcomes = new Map()
  const parts = readFileSync(PAGE, "utf8").split("### ").slice(1)
  for (const [index, part] of parts.entries()) {
    const rows = part.split("\n").filter(line => line.startsWith("| "))
    for (const row of rows.slice(2)) {
      const [name, ...cells] = row.slice(2, -2).split(" | ")
      const known = outcomes.get(name!) ?? new Map<string, string>()
      for (const [column, flow] of FLOWS.entries()) known.set(columnOf(flow, index === 0), cells[column]!)
      outcomes.set(name!, known)
    }
  }
  return outcomes
}

export function writeOutcomes(outcomes: Outcomes): void {
  const page = readFileSync(PAGE, "utf8")
  const start = page.indexOf("### ")
  writeFileSync(PAGE, `${start < 0 ? page : page.slice(0, start)}${printTables(outcomes)}`)
}
