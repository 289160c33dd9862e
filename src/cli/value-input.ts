/** Where values come from: stdin, a file or a hidden prompt; never the command line. */
import { createReadStream } from "node:fs"
import { resolve } from "node:path"
import { CofferError } from "../errors.js"
import { LIMITS } from "../format/secret-file.js"
import { errnoOf } from "../storage/files.js"
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

async function readFrom(session: Session, { name, file, exact }: ValueSource): Promise<Uint8Array> {
  if (file !== undefined) {
    const value = await readInputFile(session, file, LIMITS.valueBytes)
    if (withoutLineEnding(value).length < value.length) {
      session.warn(`the file holds one line, and its line ending is part of the value of "${name}" now`)
    }
    return value
  }
  if (!session.host.stdin.isTty) {
    const value = await readStdin(session, LIMITS.valueBytes)
    return exact ? value : withoutLineEnding(value)
  }
  if (session.interactive) return askHidden(session, `value of "${name}" (hidden): `)
  throw new CofferError("USAGE", "there is no value: stdin is a terminal, and asking is switched off", {
    hint: `pipe it in: … | coffer set ${name}, or --file PATH`,
  })
}

/** Drops the final line ending of a value of one line; a value of several lines is kept as it is. */
export function withoutLineEnding(value: Uint8Array): Uint8Array {
  const end = value.indexOf(LF)
  if (end < 0 || end !== value.length - 1) return value
  return value.subarray(0, end > 0 && value[end - 1] === CR ? end - 1 : end)
}

const LF = 0x0a
const CR = 0x0d

/** All of stdin. @throws CofferError `LIMIT_EXCEEDED` */
export async function readStdin(session: Session, maxBytes: number): Promise<Uint8Array> {
  return collect(session.host.stdin.chunks(), maxBytes)
}

/** A file that the user names: a pipe or a device is read too. @throws CofferError `NOT_FOUND`, `IO_FAILED` */
export async function readInputFile(session: Session, path: string, maxBytes: number): Promise<Uint8Array> {
  try {
    return await collect(createReadStream(resolve(session.cwd, path)), maxBytes)
  } catch (error) {
    if (error instanceof CofferError) throw error
    const errno = errnoOf(error)
    // The path is not repeated: where there is no such file, it may be a value.
    if (errno === "ENOENT" || errno === "ENOTDIR") throw new CofferError("NOT_FOUND", "there is no such file")
    throw new CofferError("IO_FAILED", `the file cannot be read: ${errno ?? "unknown error"}`, {
      cause: error,
    })
  }
}

async function collect(chunks: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const read: Uint8Array[] = []
  let length = 0
  for await (const chunk of chunks) {
    length += chunk.length
    if (length > maxBytes) {
      throw new CofferError(
        "LIMIT_EXCEEDED",
        `that is more than ${maxBytes / 1024} KiB, which is the most allowed`,
      )
    }
    read.push(chunk)
  }
  return Buffer.concat(read)
}
