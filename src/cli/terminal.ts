/** Talking with a person: questions on stderr, answers from the terminal. */
import { decodeUtf8 } from "../encoding.js"
import { CofferError } from "../errors.js"
import type { Host } from "./host.js"
import type { Notes } from "./notes.js"
import { printableLines } from "./printable.js"

/** Whom a question is asked, of a session. */
export interface Asking {
  readonly host: Host
  readonly interactive: boolean
  readonly notes: Pick<Notes, "release">
}

/** Asks a question whose safe answer is no. @throws CofferError `USAGE` where nobody can be asked */
export async function askYesNo(session: Asking, question: string): Promise<boolean> {
  const answer = await askLine(session, `${question} [y/N] `)
  return /^y(es)?$/i.test(answer)
}

/** Asks for one line that may be seen. */
async function askLine(session: Asking, question: string): Promise<string> {
  requirePerson(session)
  session.host.stderr.write(printableLines(question))
  const line: Uint8Array[] = []
  for await (const chunk of session.host.stdin.chunks()) {
    line.push(chunk)
    if (chunk.includes(NEWLINE)) break
  }
  return Buffer.concat(line).toString("utf8").trim()
}

/**
 * Asks for a value that nobody shall see.
 *
 * @throws CofferError `USAGE` for several lines or keys that are no characters: what was pasted would be
 * stored in part, or with bytes that nobody saw; `INTERRUPTED` on Ctrl-C and Ctrl-D.
 */
export async function askHidden(session: Asking, question: string): Promise<Uint8Array> {
  requirePerson(session)
  const { stdin, stderr, atExit } = session.host
  const forget = atExit(() => stdin.setRaw(false))
  // Before the question: whoever answers at once must not see it shown.
  stdin.setRaw(true)
  try {
    stderr.write(printableLines(question))
    return await readKeys(stdin.chunks())
  } finally {
    forget()
    stdin.setRaw(false)
    stderr.write("\n")
  }
}

const NEWLINE = 0x0a
const [CTRL_C, CTRL_D, CTRL_U, BACKSPACE, DELETE] = ["\u0003", "\u0004", "\u0015", "\b", "\u007f"]

async function readKeys(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  let typed: string[] = []
  let bytes = Buffer.alloc(0)
  for await (const chunk of chunks) {
    // A chunk may end inside a character.
    bytes = Buffer.concat([bytes, chunk])
    const text = decodeUtf8(bytes)
    if (text === undefined) continue
    bytes = Buffer.alloc(0)
    const keys = [...text]
    for (const [index, key] of keys.entries()) {
      if (key === "\r" || key === "\n") {
        if (index < keys.length - 1) throw severalLines()
        return Buffer.from(typed.join(""))
      }
      if (key === CTRL_C || key === CTRL_D) throw new CofferError("INTERRUPTED", "interrupted")
      if (key === CTRL_U) typed = []
      else if (key === BACKSPACE || key === DELETE) typed.pop()
      else if (key < " " && key !== "\t") throw noCharacter()
      else typed.push(key)
    }
  }
  throw new CofferError("INTERRUPTED", "the terminal was closed")
}

function severalLines(): CofferError {
  return new CofferError("USAGE", "several lines were pasted, and only the first would be stored", {
    hint: "give a value of several lines with --file, or pipe it in",
  })
}

function noCharacter(): CofferError {
  return new CofferError("USAGE", "a key was pressed that is no character; nothing was stored", {
    hint: "type the command again; Backspace and Ctrl-U correct what was typed",
  })
}

function requirePerson(session: Asking): void {
  if (!session.interactive) {
    throw new CofferError("USAGE", "there is a question to answer and nobody to ask", {
      hint: "run it in a terminal without --no-input and COFFER_NO_INPUT",
    })
  }
  // Who is asked has to know by then what there was to say.
  session.notes.release()
}
