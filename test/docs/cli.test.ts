import { readFileSync, writeFileSync } from "node:fs"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { allEntries, findEntry, LIKELY_WORDS, words } from "../../src/cli/commands/index.js"
import { commandHelp, groupHelp, overview } from "../../src/cli/help.js"
import { kebab } from "../../src/cli/option.js"
import { cliReference } from "./cli-reference.js"

const PATH = "docs/cli.md"

test("docs/cli.md is what the command objects say (npm run docs writes it)", async () => {
  const reference = await cliReference()
  if (process.env.UPDATE_DOCS === "1") writeFileSync(PATH, reference)
  assert.is(readFileSync(PATH, "utf8"), reference)
})

test("each command has help with its options, its exit statuses and an example", async () => {
  for (const entry of allEntries()) {
    const loaded = await entry.load()
    assert.is(loaded.name, entry.name)
    const commands = "commands" in loaded ? loaded.commands : [loaded]
    if ("commands" in loaded) {
      for (const { name } of commands) assert.match(groupHelp(loaded), name)
    } else assert.equal(loaded.aliases ?? [], entry.aliases)
    for (const command of commands) {
      const help = commandHelp(command)
      for (const key of Object.keys(command.options ?? {})) assert.match(help, kebab(key))
      assert.match(help, "Exit status:\n  0 ")
      assert.ok(command.examples.length > 0, command.name)
      for (const { command: typed } of command.examples) assert.match(typed, `coffer ${command.name}`)
      assert.ok(
        help.split("\n").every(line => line.length <= 102),
        command.name,
      )
    }
  }
})

test("the overview names every command, and no word means two", async () => {
  const text = await overview()
  for (const { name } of allEntries()) assert.match(text, new RegExp(`^  ${name} `, "m"))
  assert.is(new Set(words()).size, words().length)
})

test("words of other tools lead to commands that exist, and are none themselves", () => {
  for (const [word, command] of LIKELY_WORDS) {
    assert.ok(findEntry(command), command)
    assert.not.ok(findEntry(word), word)
  }
})

test.run()
