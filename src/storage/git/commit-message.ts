/** A commit's message as git keeps it. */

/** What `git stripspace` does: no blanks at the ends of lines, no surplus empty lines, a final line end. */
export function tidyMessage(message: string): string {
  const lines = message.split("\n").map(line => line.trimEnd())
  const joined = lines
    .join("\n")
    .replace(/\n{3,}/g, "\n\n")
    .replace(/^\n+|\n+$/g, "")
  return joined === "" ? "" : `${joined}\n`
}
