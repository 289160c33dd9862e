/** The long run of git flows; it keeps the tables of docs/flows.md, and fails where they say something else. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { compareRules } from "../hooks/merge-triples.js"
import { randomFrom } from "../keyring/histories.js"
import { runCase } from "./flows.js"
import { playScene, SCENES } from "./flows-alarms.js"
import { CASES } from "./flows-cases.js"
import { FLOWS } from "./flows-git.js"
import { Pair } from "./flows-pair.js"
import { type Outcomes, readOutcomes, writeOutcomes } from "./flows-table.js"
import { mergeAsText } from "./flows-text.js"
import { playRewriting, REWRITINGS } from "./flows-versions.js"
import type { StormOptions } from "./main.js"

const PAIRS = 1500
const TRIPLES = 10_000
const CELLS = FLOWS.flatMap(flow => [true, false].map(driver => ({ flow, driver })))

/** A round is one case in every flow, and the like part of the pairs and the triples. */
export async function flowsStorm({ rounds, seed }: StormOptions): Promise<boolean> {
  const cases = Object.keys(CASES)
  const part = Math.min(1, (rounds ?? cases.length) / cases.length)
  const base = new Pair()
  try {
    const results = [
      report("text merges", await mergeTexts(Math.ceil(part * PAIRS), seed)),
      report("header triples", mergeHeaders(Math.ceil(part * TRIPLES), seed)),
      report(
        "ordinary flows and attacks",
        playAll(Object.keys(SCENES), name => playScene(base, name)),
      ),
      report(
        "versions",
        playAll(Object.keys(REWRITINGS), name => playRewriting(base, name)),
      ),
      report("flows", runCases(base, cases.slice(0, rounds), seed)),
    ]
    return results.every(Boolean)
  } finally {
    base.remove()
  }
}

interface Figures {
  readonly figures: string
  readonly failures: readonly string[]
}

function report(what: string, { figures, failures }: Figures): boolean {
  console.log(`${what}: ${figures}, ${failures.length} wrong`)
  for (const failure of failures.slice(0, 20)) console.log(`  ${failure}`)
  return failures.length === 0
}

async function mergeTexts(pairs: number, seed: number): Promise<Figures> {
  const { picks, whole, codes, accepted } = await mergeAsText(pairs, randomFrom(`${seed}/text`))
  const refused = [...codes].map(([code, count]) => `${count} ${code}`).join(", ")
  return { figures: `${pairs} pairs, ${picks} picks: ${whole} a whole side, ${refused}`, failures: accepted }
}

function mergeHeaders(count: number, seed: number): Figures {
  const dir = mkdtempSync(join(tmpdir(), "coffer-triples-"))
  try {
    const { taken, differ } = compareRules(dir, count, seed)
    const outcomes = [...taken].map(([take, times]) => `${times} ${take}`).join(", ")
    return { figures: `${count} triples: ${outcomes}`, failures: differ }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function playAll(names: readonly string[], play: (name: string) => string[]): Figures {
  return { figures: `${names.length}`, failures: names.flatMap(play) }
}

function runCases(base: Pair, names: readonly string[], seed: number): Figures {
  const outcomes: Outcomes = new Map()
  const failures: string[] = []
  const documented = process.env.UPDATE_DOCS === undefined ? readOutcomes() : undefined
  for (const name of names) {
    const row = new Map<string, string>()
    const before = failures.length
    for (const { column, outcome, failures: wrong } of runCase(base, name, CELLS, seed)) {
      row.set(column, outcome)
      failures.push(...wrong.map(failure => `${name}, ${column}: ${failure}`))
      const says = documented?.get(name)?.get(column)
      if (documented !== undefined && says !== outcome)
        failures.push(`${name}, ${column}: ${outcome}; docs/flows.md says: ${says}`)
    }
    outcomes.set(name, row)
    const wrong = failures.slice(before)
    console.log(`  ${name}: ${[...row.values()].join(" | ")}; ${wrong.length} wrong`)
    for (const failure of wrong) console.log(`    ${failure}`)
  }
  if (documented === undefined && names.length === Object.keys(CASES).length) writeOutcomes(outcomes)
  return { figures: `${names.length} cases × ${CELLS.length}`, failures }
}
