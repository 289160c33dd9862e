/** What people type in the wrong place may be a value: no command and no option repeats it. */
import { test } from "uvu"
import * as assert from "uvu/assert"
import type { Command } from "../../src/cli/command.js"
import { allEntries } from "../../src/cli/commands/index.js"
import { GLOBALS } from "../../src/cli/globals.js"
import { runMain } from "../../src/cli/main.js"
import { flagOf, type Option } from "../../src/cli/option.js"
import { isMemberName } from "../../src/format/names.js"
import { makeSandbox } from "../store/sandbox.js"
import { fakeHost } from "./fake-host.js"

const SECRET = "hunter2"
/** Each with a number in place of `#`, so that no file of that name is there from an earlier call. */
const TYPED = [
  `pw=${SECRET}-#`,
  `_${SECRET}-#`,
  `${SECRET}-#.`,
  `a ${SECRET}-#`,
  `A//${SECRET}-#`,
  `A@${SECRET}-#`,
]
/** What other words a command wants, so that it comes to look at the one in question. */
const FILLED: Readonly<Record<string, string>> = { to: "B", text: "A", regex: "A", card: "", args: "" }
const WITH: Readonly<Record<string, readonly string[]>> = {
  "recipients add": ["--new"],
  "rotate --accept": ["--merge"],
  "rotate --keep": ["--merge"],
  resolve: ["--ours"],
}

const sandbox = await makeSandbox()
test.after(() => sandbox.remove())
await sandbox.ana.set("A", "one")

let count = 0

async function stderrOf(argv: readonly string[]): Promise<string> {
  const host = fakeHost(argv, { cwd: sandbox.ana.repo, env: { ...sandbox.ana.env, EDITOR: "true" } })
  await runMain(host)
  return host.printed.stderr
}

/** Calls of a command with `typed` in the place of each word and of each option's value. */
function callsWith(command: Command, typed: string): string[][] {
  const words = command.name.split(" ")
  const positionals = Object.keys(command.positionals ?? {})
  const others = positionals.map(key => FILLED[key] ?? "A").filter(word => word !== "")
  const rest = command.rest === undefined ? [] : ["--", "true"]
  const more = WITH[command.name] ?? []
  const inPlace = positionals.map((_, index) => [
    ...words,
    ...others.slice(0, index),
    typed,
    ...others.slice(index + 1),
    ...more,
    ...rest,
  ])
  const options: [string, Option][] = [...Object.entries(command.options ?? {}), ...Object.entries(GLOBALS)]
  const inOption = options
    .filter(([, { type }]) => type !== "boolean")
    .map(([key, option]) => {
      const flag = flagOf(key, option)
      const needed = WITH[`${command.name} ${flag}`] ?? more
      return [...words, ...others, ...needed, flag, typed, ...rest]
    })
  const surplus = [
    [...words, ...others, "B", "B", typed, ...rest],
    [...words, typed, "--no-such", ...rest],
  ]
  return [...inPlace, ...inOption, ...surplus]
}

for (const entry of allEntries()) {
  test(`${entry.name} repeats nothing that is no name`, async () => {
    const loaded = await entry.load()
    const repeated: string[] = []
    for (const command of "commands" in loaded ? loaded.commands : [loaded]) {
      for (const form of TYPED) {
        // What a member can be called is not refused, and so repeated.
        if (command.name === "recipients remove" && isMemberName(form.replace("#", "1"))) continue
        for (const call of callsWith(command, form)) {
          count++
          const stderr = await stderrOf(call.map(word => word.replace("#", String(count))))
          if (stderr.includes(SECRET)) repeated.push(`coffer ${call.join(" ")}: ${stderr}`)
        }
      }
    }
    assert.equal(repeated, [])
  })
}

test.run()
