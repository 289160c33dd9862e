/** From the words of a call to the command that they mean, or to the help that was asked for. */
import { CofferError } from "../errors.js"
import { nearest } from "../format/nearest.js"
import type { Command, CommandGroup } from "./command.js"
import { findEntry, LIKELY_WORDS, words } from "./commands/index.js"
import type { Globals } from "./globals.js"
import { commandHelp, groupHelp, overview } from "./help.js"
import type { Host } from "./host.js"
import { errorForm, reportError, runCommand } from "./output.js"
import { findMeantWord, findWord, parseWords } from "./parse.js"
import { startSession } from "./session.js"
import { VERSION } from "./version.js"

/** Runs the call that `host.argv` describes. @returns the exit status */
export async function dispatch(host: Host): Promise<number> {
  try {
    return await runCall(host)
  } catch (error) {
    const status = await failureStatus(host.argv)
    if (status === undefined || (error instanceof CofferError && error.exit > status)) throw error
    return reportError(host, error, { ...errorForm(host.argv), status })
  }
}

/** The status of every failure of a call whose command has one, be it only its words that are wrong. */
async function failureStatus(argv: readonly string[]): Promise<number | undefined> {
  const word = await findMeantWord(argv)
  const meant = word === undefined ? undefined : await findEntry(word)?.load()
  return meant === undefined || isGroup(meant) ? undefined : meant.failureStatus
}

async function runCall(host: Host): Promise<number> {
  const { word, others, globals } = await findWord(host.argv)
  if (word === undefined) return withoutWord(host, globals)
  const entry = findEntry(word)
  if (entry === undefined) throw unknownWord(word)
  const loaded = await entry.load()
  if (!isGroup(loaded)) return runParsed(host, loaded, others)
  return inGroup(host, loaded, others)
}

async function withoutWord(host: Host, globals: Globals): Promise<number> {
  if (await answers(host, globals, overview)) return 0
  throw new CofferError("USAGE", "there is no command", { hint: "coffer --help lists them" })
}

/** Prints what `--version` or `--help` asks for. @returns whether one of them was given */
async function answers(host: Host, globals: Globals, help: () => string | Promise<string>): Promise<boolean> {
  const { version, json } = globals
  if (version) host.stdout.write(json ? `${JSON.stringify({ version: VERSION })}\n` : `coffer ${VERSION}\n`)
  else if (globals.help) host.stdout.write(await help())
  return version || globals.help
}

async function inGroup(host: Host, group: CommandGroup, others: readonly string[]): Promise<number> {
  const { word, others: rest, globals } = await findWord(others)
  if (word === undefined && (await answers(host, globals, () => groupHelp(group)))) return 0
  const own = group.commands.map(command => lastWord(command.name))
  const command = group.commands.find(({ name }) => lastWord(name) === word)
  if (command !== undefined) return runParsed(host, command, rest)
  const likely = word === undefined ? undefined : nearest(word, own)
  throw new CofferError("USAGE", `coffer ${group.name} wants one of: ${own.join(", ")}`, {
    hint: likely === undefined ? `coffer ${group.name} --help` : `coffer ${group.name} ${likely}`,
  })
}

async function runParsed(host: Host, command: Command, others: readonly string[]): Promise<number> {
  const parsed = await parseWords(command, others)
  if (await answers(host, parsed.globals, () => commandHelp(command))) return 0
  return runCommand(startSession(host, parsed.globals), command, parsed.arguments)
}

function unknownWord(word: string): CofferError {
  const likely = LIKELY_WORDS.get(word.toLowerCase()) ?? nearest(word, words())
  // Only what looks like a command is repeated: anything else may be a value.
  const said = /^[a-z][a-z-]{1,15}$/.test(word) ? `there is no command "${word}"` : "there is no such command"
  return new CofferError("USAGE", said, {
    hint: likely === undefined ? "coffer --help lists them" : `coffer ${likely} --help`,
  })
}

function isGroup(entry: Command | CommandGroup): entry is CommandGroup {
  return "commands" in entry
}

function lastWord(name: string): string {
  return name.slice(name.lastIndexOf(" ") + 1)
}
