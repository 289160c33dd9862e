/** The shape of a command: one plain object that parsing, help, documentation and running all read. */
import type { CofferError, ErrorCode } from "../errors.js"
import type { Session } from "./session.js"

export interface Option {
  /** `boolean` takes no value; with `default: true` it is written `--no-NAME`. `integer` is 0 or more. */
  readonly type: "boolean" | "string" | "integer"
  readonly help: string
  /** One letter. */
  readonly alias?: string
  /** What the value is called in help. */
  readonly placeholder?: string
  readonly repeats?: true
  readonly choices?: readonly string[]
  readonly default?: boolean | string | number
}
export type Options = Readonly<Record<string, Option>>

/** A word after the command; `label` is how help writes it, by default the key in capitals. */
export type Positional =
  | string
  | { readonly help: string; readonly label?: string; readonly optional?: true; readonly repeats?: true }
/** In the order in which they are typed. One that may be left out or repeated comes last. */
export type Positionals = Readonly<Record<string, Positional>>

export interface Example {
  readonly command: string
  readonly shows?: string
}

/** What help, documentation and parsing need to know of a command. */
export interface CommandFacts {
  /** One word, or `group word`. */
  readonly name: string
  readonly aliases?: readonly string[]
  readonly summary: string
  /** What is worth knowing before using it: a paragraph or two. */
  readonly details?: string
  readonly positionals?: Positionals
  /**
   * Words that a later version has as commands below this one, and that are unknown until then. What has such a name
   * is written after `--`.
   */
  readonly reserved?: readonly string[]
  /** Keys in camelCase; typed as `--camel-case`. */
  readonly options?: Options
  /** What follows `--`, and is not looked at. */
  readonly rest?: { readonly label: string; readonly help: string }
  /** What `--json` prints, for people: fields are added, never removed or renamed. */
  readonly fields?: string
  /** The errors it is known for; `USAGE` goes without saying. */
  readonly errors: readonly ErrorCode[]
  /** Exit statuses that are not errors, with their meaning. */
  readonly statuses?: Readonly<Record<number, string>>
  /** The exit status of every error, where it is not the error's own; higher ones stay. */
  readonly failureStatus?: number
  readonly examples: readonly Example[]
  /** What is said about a word too many. The word itself is never repeated: it may be a secret. */
  surplus?(words: readonly string[]): { message: string; hint: string }
}

/** A command, whatever its arguments and its result. Only `runCommand` calls one, and hands on what fits. */
export interface Command extends CommandFacts {
  run(session: Session, args: never): Promise<unknown>
  text(result: never, session: Session): string | Uint8Array
  json?(result: never): unknown
  complaints?(result: never): readonly CofferError[]
  status?(result: never): number
}

export interface CommandOf<P extends Positionals, O extends Options, Result> extends CommandFacts {
  readonly positionals?: P
  readonly options?: O
  run(session: Session, args: Arguments<P, O>): Promise<Result>
  /** The result for people. Bytes are printed as they are; text is made safe for terminals. */
  text(result: Result, session: Session): string | Uint8Array
  /** The result as `--json` has it, where that is not the result itself; undefined prints nothing. */
  json?(result: Result): unknown
  /** What of the result is for stderr, in the form of errors; not with `--json`. */
  complaints?(result: Result): readonly CofferError[]
  /** The exit status, where a result is not simply success. */
  status?(result: Result): number
}

/** Several commands below one word: `coffer identity show`. */
export interface CommandGroup {
  readonly name: string
  readonly summary: string
  readonly commands: readonly Command[]
}

type Optional<T, K extends keyof T> = Omit<T, K> & { readonly [Key in K]?: T[Key] }
type Flatten<T> = { readonly [Key in keyof T]: T[Key] }

type One<O extends Option> = O extends { choices: readonly (infer Choice)[] }
  ? Choice
  : O extends { type: "integer" }
    ? number
    : string
type OptionValue<O extends Option> = O extends { type: "boolean" }
  ? boolean
  : O extends { repeats: true }
    ? readonly One<O>[]
    : One<O>
type KeysThatMayLack<O extends Options> = {
  [Key in keyof O]: O[Key] extends { type: "boolean" } | { repeats: true } | { default: string | number }
    ? never
    : Key
}[keyof O]
type OptionValues<O extends Options> = Optional<{ [Key in keyof O]: OptionValue<O[Key]> }, KeysThatMayLack<O>>

type PositionalValue<P extends Positional> = P extends { repeats: true } ? readonly string[] : string
type PositionalsThatMayLack<P extends Positionals> = {
  [Key in keyof P]: P[Key] extends { repeats: true } ? never : P[Key] extends { optional: true } ? Key : never
}[keyof P]
type PositionalValues<P extends Positionals> = Optional<
  { [Key in keyof P]: PositionalValue<P[Key]> },
  PositionalsThatMayLack<P>
>

/** What `run` gets: absent, not undefined, where nothing was given; repeated ones are lists. */
export type Arguments<P extends Positionals, O extends Options> = Flatten<
  PositionalValues<P> & OptionValues<O>
> & { readonly rest?: readonly string[] }

/** Types a command: its arguments follow from its positionals and options. */
export function defineCommand<const P extends Positionals, const O extends Options, Result>(
  command: CommandOf<P, O, Result>,
): CommandOf<P, O, Result> {
  return command
}

/** `cas` → `--cas`, `ifIdentity` → `--if-identity`, `C` → `-C`, a default of true → `--no-…`. */
export function flagOf(key: string, option: Option): string {
  if (key.length === 1) return `-${key}`
  return option.default === true ? `--no-${kebab(key)}` : `--${kebab(key)}`
}

/** `ifIdentity` → `if-identity`; `C` stays. */
export function kebab(key: string): string {
  return key.replace(/(?<=.)[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}

/** How help writes a positional: `NAME`, unless it says otherwise. */
export function labelOf(key: string, positional: Positional): string {
  return (typeof positional === "string" ? undefined : positional.label) ?? key.toUpperCase()
}
