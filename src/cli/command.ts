/** The shape of a command: one plain object that parsing, help, documentation and running all read. */
import type { CofferError, ErrorCode } from "../errors.js"
import type { Arguments, Options, Positionals } from "./option.js"
import type { Session } from "./session.js"

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

/** Types a command: its arguments follow from its positionals and options. */
export function defineCommand<const P extends Positionals, const O extends Options, Result>(
  command: CommandOf<P, O, Result>,
): CommandOf<P, O, Result> {
  return command
}
