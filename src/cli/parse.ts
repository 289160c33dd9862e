/** Words of the command line to a command's arguments. yargs splits them; what is refused, and how, is decided here. */
import type { Parser } from "yargs/helpers"
import { CofferError } from "../errors.js"
import { nearest } from "../format/nearest.js"
import type { Command } from "./command.js"
import { GLOBALS, type Globals } from "./globals.js"
import { flagOf, kebab, labelOf, type Option, type Options } from "./option.js"

export interface Parsed {
  readonly globals: Globals
  /** Throws what is wrong with the command's own words; `--help` is answered before that. */
  arguments(): Values
}

/**
 * Splits off the options before the first word.
 *
 * @returns the word, if there is one, and all others in order.
 */
export async function findWord(
  argv: readonly string[],
): Promise<{ word?: string; others: readonly string[]; globals: Globals }> {
  const [first, ...rest] = argv
  // The usual case needs no parser to see it.
  if (first !== undefined && /^[a-z]/.test(first)) {
    return { word: first, others: rest, globals: valuesOf({}, GLOBALS, helpOf("coffer")) as Globals }
  }
  const { values, problem } = await split(argv, GLOBALS, { "halt-at-non-option": true })
  if (problem !== undefined) throw usage(problem, helpOf("coffer"))
  const words = values._ as string[]
  const before = argv.slice(0, argv.length - words.length)
  const [word, ...after] = words
  const known = without(values, "_")
  refuseUnknown(known, GLOBALS, "coffer")
  const globals = valuesOf(known, GLOBALS, helpOf("coffer")) as Globals
  return word === undefined ? { others: before, globals } : { word, others: [...before, ...after], globals }
}

/** The word that a call has, whatever is wrong with the options before it: an unknown one takes no value. */
export async function findMeantWord(argv: readonly string[]): Promise<string | undefined> {
  const lenient = { "halt-at-non-option": true, "unknown-options-as-args": true }
  const { values } = await split(argv, GLOBALS, lenient)
  return (values._ as string[]).find(word => !word.startsWith("-"))
}

/** Parses the words of a command, its name taken out. */
export async function parseWords(command: Command, argv: readonly string[]): Promise<Parsed> {
  const options: Options = { ...command.options, ...GLOBALS }
  const { values, problem } = await split(argv, options, { "populate--": command.rest !== undefined })
  const { _: words, "--": rest, ...given } = values as { _: string[]; "--"?: string[] }
  return {
    globals: valuesOf(given, GLOBALS, undefined) as Globals,
    arguments() {
      // First of all: options that are not fit may be the program's.
      if (command.rest !== undefined && rest === undefined && words.length > 0) throw withoutDashes(command)
      if (problem !== undefined) throw usage(problem, helpOf(command.name))
      refuseUnknown(given, options, command.name)
      valuesOf(given, GLOBALS, helpOf(command.name))
      const own = valuesOf(given, command.options ?? {}, helpOf(command.name))
      if (!argv.includes("--")) refuseReserved(words, command)
      const named = positionalsOf(words, command)
      return { ...named, ...own, ...(rest === undefined ? {} : { rest }) }
    },
  }
}

type Values = Record<string, unknown>
type ParserOptions = NonNullable<Parameters<typeof Parser.detailed>[1]>

/**
 * yargs' parser without the rest of yargs: commands, help and exit are coffer's own, and a start is paid by each call.
 *
 * @returns what it made of the words, also where some of them are a problem.
 */
async function split(
  argv: readonly string[],
  options: Options,
  configuration: Record<string, boolean>,
): Promise<{ values: Values; problem: string | undefined }> {
  const { Parser } = await import("yargs/helpers")
  const { argv: values, error } = Parser.detailed([...argv], {
    ...parserOptions(options),
    configuration: {
      // A secret may be called 1e3, 007 or a.b, and a value may begin with a digit.
      "parse-numbers": false,
      "parse-positional-numbers": false,
      "dot-notation": false,
      "camel-case-expansion": false,
      "strip-aliased": true,
      ...configuration,
    },
  })
  return { values, problem: error === null ? undefined : explain(error.message, options) }
}

function parserOptions(options: Options): Omit<ParserOptions, "configuration"> {
  const named = Object.entries(options).map(([key, option]) => ({ ...option, name: kebab(key) }))
  const names = (test: (option: Option) => boolean) => named.filter(test).map(({ name }) => name)
  return {
    boolean: names(({ type }) => type === "boolean"),
    string: names(({ type }) => type !== "boolean"),
    array: names(({ repeats }) => repeats === true),
    // 0 keeps a flag from taking a secret called "true" for its value; 1 a list from taking all words.
    narg: Object.fromEntries(named.map(({ name, type }) => [name, type === "boolean" ? 0 : 1])),
    alias: Object.fromEntries(
      named.flatMap(({ name, alias }) => (alias === undefined ? [] : [[name, alias]])),
    ),
  }
}

/** yargs' own messages name the option, and nothing else of what was typed. */
function explain(message: string, options: Options): string {
  const named = /: ([\w-]+)$/.exec(message)?.[1]
  const known = Object.entries(options).find(([key, { alias }]) => kebab(key) === named || alias === named)
  if (known === undefined) return "an option is not used the way it is meant"
  const flag = flagOf(...known)
  return known[1].type === "boolean" ? `${flag} takes no value` : `${flag} wants a value`
}

function refuseUnknown(given: Values, options: Options, command: string): void {
  const known = new Map(Object.entries(options).map(([key, option]) => [kebab(key), option]))
  for (const [word, value] of Object.entries(given)) {
    const option = known.get(word)
    const negated = option?.type === "boolean" && value === false && option.default !== true
    if (option !== undefined && !negated) continue
    const likely = likelyFlag(word, options)
    // The word itself is not repeated: it may be a value that begins with a dash.
    throw usage(
      "there is an option that coffer does not know",
      likely ? `did you mean ${likely}?` : helpOf(command),
    )
  }
}

function helpOf(command: string): string {
  return command === "coffer" ? "coffer --help" : `coffer ${command} --help`
}

function likelyFlag(word: string, options: Options): string | undefined {
  const flags = new Map(
    Object.entries(options)
      .filter(([key]) => key.length > 1)
      .flatMap(([key, option]) => [
        [kebab(key), flagOf(key, option)],
        [`no-${kebab(key)}`, flagOf(key, option)],
      ]),
  )
  return flags.get(nearest(word, flags.keys()) ?? "")
}

/** The values of known options in their types. Without a hint for what is not fit that is left out. */
function valuesOf(given: Values, options: Options, hint: string | undefined): Values {
  const values: Values = {}
  for (const [key, option] of Object.entries(options)) {
    const typed = typedValue(given[kebab(key)], option)
    if (typed.problem === undefined) {
      if (typed.value !== undefined) values[key] = typed.value
    } else if (hint !== undefined) {
      throw usage(`${flagOf(key, option)} ${typed.problem}`, hint)
    }
  }
  return values
}

/** A value in its type, or what is wrong with it. */
type Typed = { readonly value: unknown; readonly problem?: undefined } | { readonly problem: string }

function typedValue(given: unknown, option: Option): Typed {
  if (option.type === "boolean")
    return { value: given === undefined ? option.default === true : given === true }
  if (option.repeats) {
    const all = (given as string[] | undefined) ?? []
    return { value: all, ...firstProblem(all, option) }
  }
  if (given === undefined) return { value: option.default }
  if (typeof given !== "string") return { problem: "is given more than once" }
  const problem = firstProblem([given], option)
  if (problem !== undefined) return problem
  if (option.type === "string") return { value: given }
  return /^\d{1,9}$/.test(given) ? { value: Number(given) } : { problem: "wants a whole number" }
}

function firstProblem(texts: readonly unknown[], { choices }: Option): { problem: string } | undefined {
  if (texts.some(text => typeof text !== "string" || text === "")) return { problem: "wants a value" }
  if (choices === undefined || texts.every(text => choices.includes(text as string))) return undefined
  return { problem: `is one of ${choices.join(", ")}` }
}

function refuseReserved([word = ""]: readonly string[], { name, reserved = [] }: Command): void {
  if (!reserved.includes(word)) return
  const hint = `coffer ${name} --help; for what is called so: coffer ${name} -- ${word}`
  throw usage(`there is no command "${name} ${word}"`, hint)
}

function positionalsOf(words: readonly string[], command: Command): Values {
  const values: Values = {}
  let left = words
  for (const [key, positional] of Object.entries(command.positionals ?? {})) {
    const { optional, repeats } = typeof positional === "string" ? {} : positional
    const [word, ...others] = left
    if (word === undefined && !optional) {
      throw usage(`coffer ${command.name} wants ${labelOf(key, positional)}`, `coffer ${command.name} --help`)
    }
    if (repeats) values[key] = left
    else if (word !== undefined) values[key] = word
    left = repeats ? [] : others
  }
  if (left.length > 0) throw surplus(command, words, left.length)
  return values
}

function withoutDashes({ name, rest }: Command): CofferError {
  return usage(`-- is missing before ${rest!.help}`, `coffer ${name} -- ${rest!.label}`)
}

function surplus(command: Command, words: readonly string[], count: number): CofferError {
  const said = command.surplus?.(words.slice(0, words.length - count))
  if (said !== undefined) return usage(said.message, said.hint)
  const many = count === 1 ? "there is a word too many" : `there are ${count} words too many`
  return usage(many, `coffer ${command.name} --help`)
}

function usage(message: string, hint?: string): CofferError {
  return new CofferError("USAGE", message, { hint })
}

function without(values: Values, key: string): Values {
  const { [key]: _, ...others } = values
  return others
}
