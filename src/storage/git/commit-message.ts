/** A commit's message as git keeps it. */
import { fromLatin1 } from "./latin1.js"

const UTF8_SEQUENCE =
  /[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|\xed[\x80-\x9f][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}/g

/**
 * The text of a message's bytes: what is no UTF-8 in it counts as Latin-1, byte by byte, as git takes it.
 *
 * @see https://github.com/git/git/blob/v2.47.0/commit.c, verify_utf8
 */
export function decodeMessage(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("latin1").replace(UTF8_SEQUENCE, fromLatin1)
}

/** What `git stripspace` does: no blanks at the ends of lines, no surplus empty lines, a final line end. */
export function tidyMessage(message: string): string {
  const lines = message.split("\n").map(line => line.trimEnd())
  const joined = lines
    .join("\n")
    .replace(/\n{3,}/g, "\n\n")
    .replace(/^\n+|\n+$/g, "")
  return joined === "" ? "" : `${joined}\n`
}
