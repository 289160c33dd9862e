/** Files that a user names on the command line: anything that can be read, a pipe too, up to a limit. */
import { createReadStream } from "node:fs"
import { concat } from "../encoding.js"
import { CofferError } from "../errors.js"
import { errnoOf } from "./files.js"

/**
 * Reads a file to its end, or until it is too long.
 *
 * @throws CofferError `NOT_FOUND`, `LIMIT_EXCEEDED`, `IO_FAILED`
 */
export async function readUserFile(path: string, maxBytes: number): Promise<Uint8Array> {
  try {
    return await collect(createReadStream(path), maxBytes)
  } catch (error) {
    if (error instanceof CofferError) throw error
    const errno = errnoOf(error)
    // The path is not repeated: where there is no such file, it may be a value typed in the wrong place.
    if (errno === "ENOENT" || errno === "ENOTDIR") {
      throw new CofferError("NOT_FOUND", "there is no such file", {
        hint: "paths start from the folder you are in; /dev/stdin is what is piped in",
      })
    }
    if (errno === "EISDIR") {
      throw new CofferError("IO_FAILED", "the file cannot be read: it is a folder", {
        hint: "name a file in it",
      })
    }
    throw new CofferError("IO_FAILED", `the file cannot be read: ${errno ?? "unknown error"}`, {
      cause: error,
    })
  }
}

/** Joins chunks. @throws CofferError `LIMIT_EXCEEDED` as soon as there are more than `maxBytes` */
export async function collect(chunks: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const read: Uint8Array[] = []
  let length = 0
  for await (const chunk of chunks) {
    length += chunk.length
    if (length > maxBytes) {
      throw new CofferError(
        "LIMIT_EXCEEDED",
        `the input is longer than the ${Math.floor(maxBytes / 1024)} KiB allowed`,
        {
          hint: "keep large files elsewhere, encrypted, and the key to them here",
        },
      )
    }
    read.push(chunk)
  }
  return concat(read)
}
