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
  const value = await readFrom(session, source)
  if (value.length === 0) session.warn(`the value of "${source.name}" is empty`)
  return value
}

/** The same, but undefined where nobody gives one: stdin is a terminal, or there is nothing on it. */
export async function readValueIfAny(session: Session, source: ValueSource): Promise<Uint8Array | undefined> {
  if (source.file === undefined && session.host.stdin.isTty) return undefined
  const value = await readFrom(session, source)
  return value.length === 0 && source.file === undefined && !source.exact ? undefined : value
}

async function readFrom(session: Session, { name, file, exact }: ValueSource): Promise<Uint8Array> {
  if (file !== undefined) {
    const value = await readUserFile(resolve(session.cwd, file), LIMITS.valueBytes)
    if (withoutLineEnding(value).length < value.length) {
      session.warn(`the file holds one line, and its line ending is part of the value of "${name}" now`)
    }
    return value
  }
  if (!session.host.stdin.isTty) {
    const value = await collect(session.host.stdin.chunks(), LIMITS.valueBytes)
    return exact ? value : withoutLineEnding(value)
  }
  if (session.interactive) return askHidden(session, `value of "${name}" (hidden): `)
  throw new CofferError("USAGE", "there is no value: stdin is a terminal, and asking is switched off", {
    hint: `pipe it in: … | coffer set ${name}, or --file PATH`,
  })
}
