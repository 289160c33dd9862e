/** Where values come from: stdin, a file or a hidden prompt; never the command line. */
import { resolve } from "node:path"
import { CofferError } from "../errors.js"
import { LIMITS } from "../format/limits.js"
import { collect, readUserFile } from "../storage/user-file.js"
import { withoutLineEnding } from "./line-ending.js"
import type { Session } from "./session.js"
import { askHidden } from "./terminal.js"

export interface ValueSource {
  /** The secret that the value is for. */
  readonly name: string
  readonly file?: string | undefined
  /** Keep the final line ending of a single line from stdin. */
  readonly exact: boolean
}

/**
 * Reads one value.
 *
 * @throws CofferError `LIMIT_EXCEEDED` above 1 MiB, without reading on; `USAGE` where there is nothing to read from.
 */
export async function readValue(session: Session, source: ValueSource): Promise<Uint8Array> {
  return noteEmpty(session, source, await readFrom(session, source))
}

/** The same, but undefined where nobody gives one: stdin is a terminal, or there is nothing on it. */
export async function readValueIfAny(session: Session, source: ValueSource): Promise<Uint8Array | undefined> {
  if (source.file !== undefined) return readValue(session, source)
  if (session.host.stdin.isTty) return undefined
  const bytes = await collectPiped(session)
  // An empty line is a value: somebody has written it.
  return bytes.length === 0 && !source.exact ? undefined : noteEmpty(session, source, asValue(bytes, source))
}

function noteEmpty(session: Session, { name }: ValueSource, value: Uint8Array): Uint8Array {
  if (value.length === 0) session.warn(`the value of "${name}" is empty`)
  return value
}

/** The line ending that a single line loses does not count: the longest value can be piped in by `echo`, too. */
function collectPiped(session: Session): Promise<Uint8Array> {
  return collect(session.host.stdin.chunks(), LIMITS.valueBytes + "\r\n".length)
}

/** What was piped in: a single line loses its line ending, so that `echo` works. */
function asValue(bytes: Uint8Array, { exact }: ValueSource): Uint8Array {
  return exact ? bytes : withoutLineEnding(bytes)
}

async function readFrom(session: Session, source: ValueSource): Promise<Uint8Array> {
  const { name, file } = source
  if (file !== undefined) {
    const value = await readUserFile(resolve(session.cwd, file), LIMITS.valueBytes)
    if (withoutLineEnding(value).length < value.length) {
      session.warn(`the file holds one line, and its line ending is part of the value of "${name}" now`)
    }
    return value
  }
  if (!session.host.stdin.isTty) return asValue(await collectPiped(session), source)
  if (session.interactive) return askHidden(session, `value of "${name}" (hidden): `)
  throw new CofferError("USAGE", "there is no value: stdin is a terminal, and asking is switched off", {
    hint: `pipe it in: … | coffer set ${name}, or --file PATH`,
  })
}
