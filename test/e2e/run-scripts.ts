/** All scripts of this folder as tests, for one back end. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "uvu"
import { type Mode, runScript } from "./run-script.js"
import { parseScript } from "./script.js"

const FOLDER = "test/e2e"

export function runScripts(mode: Mode): void {
  const wanted = process.env.E2E ?? ""
  const files = readdirSync(FOLDER).filter(name => name.endsWith(".txt") && name.includes(wanted))
  if (files.length === 0) throw new Error("there are no scripts")
  for (const file of files) {
    const script = parseScript(readFileSync(join(FOLDER, file), "utf8"))
    if (script.only !== undefined && script.only !== mode) continue
    test(`${file}: ${script.title}`, () => runScript(script, mode))
  }
  test.run()
}
