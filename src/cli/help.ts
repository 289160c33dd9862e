/** Help and the reference page, both made from the command objects. */
import { type ErrorCode, EXIT_CODES } from "../errors.js"
import type { Command, CommandGroup } from "./command.js"
import { SECTIONS } from "./commands/index.js"
import { GLOBALS } from "./globals.js"
import { flagOf, labelOf, type Option, type Options, type Positional } from "./option.js"

const WIDTH = 100

/** `coffer --help`. */
export async function overview(): Promise<string> {
  const lines = [
    "coffer [options] COMMAND [arguments]",
    "",
    "Keeps a team's secrets inside the git repository that uses them.",
  ]
  for (const { title, entries } of SECTIONS) {
    const loaded = await Promise.all(entries.map(entry => entry.load()))
    lines.push("", `${title}:`, ...columns(loaded.map(({ name, summary }) => [name, summary])))
  }
  lines.push("", "Options, before or after the command:", ...columns(optionRows(GLOBALS)))
  lines.push("", "coffer COMMAND --help tells more, with examples. New here? coffer init")
  return print(lines)
}

/** `coffer GROUP --help`. */
export function groupHelp(group: CommandGroup): string {
  return print([
    `coffer ${group.name} COMMAND`,
    "",
    sentence(group.summary),
    "",
    ...columns(group.commands.map(command => [usageOf(command), command.summary])),
    "",
    `coffer ${group.name} COMMAND --help tells more.`,
  ])
}

/** `coffer COMMAND --help`. */
export function commandHelp(command: Command): string {
  const lines = [`coffer ${usageOf(command)}`, "", ...wrap(sentence(command.summary), 0)]
  if (command.aliases !== undefined)
    lines.push(`Short: ${command.aliases.map(name => `coffer ${name}`).join(", ")}`)
  if (command.details !== undefined)
    lines.push("", ...command.details.split("\n").flatMap(text => wrap(text, 0)))
  const positionals = positionalRows(command)
  if (positionals.length > 0) lines.push("", "Arguments:", ...columns(positionals))
  if (command.options !== undefined) lines.push("", "Options:", ...columns(optionRows(command.options)))
  lines.push(
    "",
    "Options of every command: coffer --help",
    "",
    "Exit status:",
    ...columns(statusRows(command)),
  )
  lines.push("", command.examples.length === 1 ? "Example:" : "Examples:")
  for (const { command: typed, shows } of command.examples) {
    lines.push(`  ${typed}`)
    if (shows !== undefined) lines.push(...wrap(shows, 6))
  }
  return print(lines)
}

/** `set NAME`, `run [-p PREFIX] -- CMD ARGS`: a command with its words. */
export function usageOf(command: Command): string {
  const words = Object.entries(command.positionals ?? {}).map(([key, positional]) => placeOf(key, positional))
  const options = Object.keys(command.options ?? {}).length > 0 ? ["[options]"] : []
  const rest = command.rest === undefined ? [] : ["--", command.rest.label]
  return [command.name, ...options, ...words, ...rest].join(" ")
}

function placeOf(key: string, positional: Positional): string {
  const label = labelOf(key, positional)
  if (typeof positional === "string") return label
  const word = positional.repeats ? `${label}…` : label
  return positional.optional ? `[${word}]` : word
}

export function positionalRows(command: Command): [string, string][] {
  const rows = Object.entries(command.positionals ?? {}).map(([key, positional]): [string, string] => [
    labelOf(key, positional),
    typeof positional === "string" ? positional : positional.help,
  ])
  return command.rest === undefined ? rows : [...rows, [command.rest.label, command.rest.help]]
}

export function optionRows(options: Options): [string, string][] {
  return Object.entries(options).map(([key, option]) => [flagWithValue(key, option), helpOf(option)])
}

function flagWithValue(key: string, option: Option): string {
  const flag = option.alias === undefined ? flagOf(key, option) : `-${option.alias}, ${flagOf(key, option)}`
  return option.type === "boolean" ? flag : `${flag} ${(option.placeholder ?? key).toUpperCase()}`
}

function helpOf(option: Option): string {
  const notes = [
    ...(option.choices === undefined || option.help.includes(option.choices.at(-1)!)
      ? []
      : [option.choices.join(", ")]),
    ...(typeof option.default === "boolean" || option.default === undefined
      ? []
      : [`default ${option.default}`]),
  ]
  return notes.length === 0 ? option.help : `${option.help} (${notes.join("; ")})`
}

/** Status and meaning, by number. */
export function statusRows(command: Command): [string, string][] {
  const byStatus = new Map<number, string[]>([[0, ["done"]]])
  const codes: readonly ErrorCode[] = ["USAGE", ...command.errors]
  for (const code of codes) {
    const status = EXIT_CODES[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  for (const [status, meaning] of Object.entries(command.statuses ?? {})) {
    const codesThere = status === "0" ? [] : (byStatus.get(Number(status)) ?? [])
    byStatus.set(Number(status), [meaning, ...codesThere])
  }
  return [...byStatus]
    .sort(([a], [b]) => a - b)
    .map(([status, meanings]) => [String(status), [...new Set(meanings)].join(", ")])
}

/** Two columns, the second wrapped. */
function columns(rows: readonly (readonly [string, string])[]): string[] {
  const left = Math.min(34, Math.max(...rows.map(([term]) => term.length)))
  return rows.flatMap(([term, meaning]) => {
    const lines = wrap(meaning, left + 4)
    if (term.length > left) return [`  ${term}`, ...lines]
    const [first = "", ...others] = lines
    return [`  ${term.padEnd(left)}  ${first.trimStart()}`.trimEnd(), ...others]
  })
}

function wrap(text: string, indent: number): string[] {
  const lines: string[] = []
  let line = ""
  for (const word of text.split(" ")) {
    if (line !== "" && indent + line.length + 1 + word.length > WIDTH) {
      lines.push(line)
      line = ""
    }
    line = line === "" ? word : `${line} ${word}`
  }
  return [...lines, line].map(each => " ".repeat(indent) + each)
}

function sentence(summary: string): string {
  return `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`
}

function print(lines: readonly string[]): string {
  return `${lines.join("\n")}\n`
}
