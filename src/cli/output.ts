/** How a call ends: its result as text or JSON on stdout, an error on stderr, and the exit status. */
import { CofferError } from "../errors.js"
import { systemError } from "../storage/files.js"
import type { Command } from "./command.js"
import type { Host } from "./host.js"
import { printable, printableJson, printableLines } from "./printable.js"
import { ERASE } from "./progress.js"
import { checkSurroundings, type Session } from "./session.js"

/**
 * Runs a command and prints what it returns, or the error that it ends with.
 *
 * @param parse - gives the command's arguments, or throws what is wrong with them.
 * @returns the exit status
 */
export async function runCommand(
  session: Session,
  command: Command,
  parse: () => Readonly<Record<string, unknown>>,
): Promise<number> {
  const { host, globals, notes } = session
  try {
    checkSurroundings(session)
    // The arguments were made from the command's own table, and the result is its own.
    const result = (await command.run(session, parse() as never)) as never
    printResult(session, command, result)
    notes.release()
    return command.status?.(result) ?? 0
  } catch (error) {
    const { json, debug } = globals
    return reportError(host, error, {
      json,
      debug,
      status: failureStatus(command, error),
      notes: notes.take(),
    })
  }
}

function printResult(session: Session, command: Command, result: never): void {
  const { stdout } = session.host
  if (session.globals.json) {
    const json = JSON.stringify(command.json === undefined ? result : command.json(result))
    if (json !== undefined) stdout.write(`${printableJson(json)}\n`)
  } else {
    const text = command.text(result, session)
    stdout.write(typeof text === "string" ? printableLines(text) : text)
    for (const complaint of command.complaints?.(result) ?? []) printError(session.host, complaint)
  }
}

function failureStatus({ failureStatus: status }: Command, error: unknown): number | undefined {
  return status !== undefined && error instanceof CofferError && error.exit > status ? undefined : status
}

/** How errors of a call are told, from the words themselves: parsing them is among the things that fail. */
export function errorForm(argv: readonly string[]): { json: boolean; debug: boolean } {
  const end = argv.indexOf("--")
  const own = end < 0 ? argv : argv.slice(0, end)
  return { json: own.includes("--json"), debug: own.includes("--debug") }
}

/** Prints an error. @returns the exit status: `status`, else the error's own */
export function reportError(
  host: Host,
  error: unknown,
  options: {
    json: boolean
    debug: boolean
    status?: number | undefined
    /** What was to be said besides, and was kept because of `json`. */
    notes?: readonly string[]
  },
): number {
  const known = error instanceof CofferError ? error : (systemError(error) ?? bug(error))
  const { code, message, hint } = known
  const exit = options.status ?? known.exit
  if (options.json) {
    const { notes = [] } = options
    const said = notes.length === 0 ? {} : { notes }
    const line = JSON.stringify({
      error: { code, message, hint, exit, ...said },
    })
    host.stderr.write(`${printableJson(line)}\n`)
  } else {
    printError(host, known)
  }
  if (options.debug) host.stderr.write(traceOf(error))
  return exit
}

function printError(host: Host, { message, hint }: CofferError): void {
  const paint = painter(host)
  host.stderr.write(`${paint(RED, "coffer: error:")} ${indented(message)}\n`)
  host.stderr.write(`${paint(CYAN, "coffer: hint:")} ${indented(hint)}\n`)
}

// The message of an unknown error may hold anything, a value too: it is shown only when asked for.
function bug(error: unknown): CofferError {
  const name = error instanceof Error ? error.name : typeof error
  return new CofferError("BUG", `this is a bug in coffer (${name}), please report it`)
}

/** Names, places and error numbers. Only our own messages: those of others may quote what they choked on. */
function traceOf(error: unknown): string {
  const lines: string[] = []
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code, syscall, path } = cause as NodeJS.ErrnoException
    const said = cause instanceof CofferError ? [code, cause.message] : [code, syscall, path]
    const frames = cause.stack?.split("\n").filter(line => /^\s+at /.test(line)) ?? []
    lines.push([cause.name, ...said.filter(part => part !== undefined)].join(" "), ...frames)
  }
  return lines.map(line => `  ${printable(line)}\n`).join("")
}

/** Lines after the first are indented, so that text from elsewhere cannot pose as a message of coffer. */
function indented(text: string): string {
  return printableLines(text.trimEnd()).replaceAll("\n", "\n  ")
}

const RED = 31
const CYAN = 36

function painter(host: Host): (colour: number, text: string) => string {
  const plain = !host.stderr.isTty || !!host.env.NO_COLOR || host.env.TERM === "dumb"
  // The line may still show a progress bar.
  return (colour, text) => (plain ? text : `${ERASE}\u001b[${colour}m${text}\u001b[0m`)
}
