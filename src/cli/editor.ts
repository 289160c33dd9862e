/** Text in the user's editor, until it is accepted. */
import { existsSync, realpathSync, statSync, writeFileSync } from "node:fs"
import { basename, delimiter, join, resolve } from "node:path"
import { CofferError } from "../errors.js"
import { readPlainFile } from "../storage/files.js"
import { makeTemporaryFolder } from "../storage/temporary-folder.js"
import { readUserConfig } from "../storage/user-config.js"
import { type ChildEnd, startChild } from "./child.js"
import type { Session } from "./session.js"
import { askYesNo } from "./terminal.js"

export interface EditRequest {
  /** Its ending tells the editor what the text is. */
  readonly fileName: string
  readonly content: Uint8Array
  readonly maxBytes: number
}

/**
 * Opens the content in the user's editor and hands what came out to `accept`. Where that refuses it, for whatever
 * reason, a person may have it in the editor again: what was typed is not lost.
 *
 * @throws CofferError `USAGE` without an editor or when the editor fails, `LIMIT_EXCEEDED` above `maxBytes`, and what
 *   `accept` throws
 */
export async function editUntilAccepted<T>(
  session: Session,
  request: EditRequest,
  accept: (edited: Uint8Array) => Promise<T> | T,
): Promise<T> {
  const editor = await editorWords(session)
  const folder = makeTemporaryFolder(session.env)
  const forget = session.host.atExit(folder.remove)
  if (!folder.inMemory)
    session.note(`no storage in memory here: while you edit, the text is in ${folder.path}`)
  const path = join(folder.path, request.fileName)
  try {
    writeFileSync(path, request.content, { flag: "wx", mode: 0o600 })
    for (;;) {
      await runEditor(session, editor, path)
      try {
        return await accept(readEdited(path, request.maxBytes))
      } catch (error) {
        if (!(await wantsToGoOn(session, error))) throw error
      }
    }
  } finally {
    folder.remove()
    forget()
  }
}

function readEdited(path: string, maxBytes: number): Uint8Array {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > maxBytes)
    throw new CofferError(
      "LIMIT_EXCEEDED",
      "what was saved is longer than a value may be; nothing was changed",
      {
        hint: "keep large files elsewhere, encrypted, and the key to them here",
      },
    )
  const edited = readPlainFile(path, maxBytes)
  if (edited !== undefined) return edited
  throw new CofferError("USAGE", "the editor removed the file; nothing was changed", {
    hint: "run it again, and save under the name that the editor was given",
  })
}

async function wantsToGoOn(session: Session, error: unknown): Promise<boolean> {
  if (!(error instanceof CofferError) || !session.interactive) return false
  session.warn(error.message)
  return askYesNo(session, "edit again?")
}

async function runEditor(session: Session, editor: readonly string[], path: string): Promise<void> {
  const [file = "", ...words] = editor
  const args = [...words, ...(isVim(session, file) ? VIM_ARGUMENTS : []), path]
  const child = startChild(session.host, { file, args, env: session.env, cwd: session.cwd, aside: true })
  let end: ChildEnd
  try {
    end = await child.ended
  } catch (error) {
    throw new CofferError("USAGE", `the editor "${file}" could not be started`, {
      hint: "set EDITOR to the editor you use, for example: export EDITOR=nano",
      cause: error,
    })
  }
  if ("signal" in end) session.host.die(end.signal)
  if (end.status !== 0) {
    throw new CofferError("USAGE", `the editor ended with status ${end.status}; nothing was changed`, {
      hint: "run it again; EDITOR names the editor to use",
    })
  }
}

/** VISUAL, EDITOR, the user's configuration, then vi where there is a terminal: a program and its arguments. */
async function editorWords({ env, interactive }: Session): Promise<readonly string[]> {
  const variable = env.VISUAL ? "VISUAL" : "EDITOR"
  const words = splitWords(env[variable] ?? "")
  if (words === undefined)
    throw new CofferError("USAGE", `${variable} has a quote that is not closed, or ends in a backslash`, {
      hint: `${variable} is a program and its arguments, for example: export ${variable}='code --wait'`,
    })
  if (words.length > 0) return words
  const { editor } = await readUserConfig(env)
  if (editor !== undefined || interactive) return editor ?? ["vi"]
  throw new CofferError("USAGE", "no editor is named, and vi wants a terminal", {
    hint: "EDITOR names one that needs none; coffer set NAME takes the value from stdin",
  })
}

const WORD = /(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*')+/g

/**
 * Splits like a shell at blanks, with quotes and backslashes; no shell is involved.
 *
 * @returns undefined where the end of a quote, or what a backslash stands before, is missing
 */
export function splitWords(line: string): readonly string[] | undefined {
  if (line.replace(WORD, "").trim() !== "") return undefined
  const words: string[] = []
  for (const [word] of line.matchAll(WORD)) {
    words.push(
      word.replace(
        /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)/g,
        (_, single, double, plain) => single ?? double?.replace(/\\(.)/g, "$1") ?? plain,
      ),
    )
  }
  return words
}

// Swap files, undo files and the list of recent texts (viminfo, shada) would outlive the folder.
const VIM_ARGUMENTS = ["-n", "-i", "NONE", "-c", "set nobackup nowritebackup noundofile"]

/** By the name that the program has at the end of its links: `vi` and `editor` are vim on most systems. */
function isVim({ env, cwd }: Session, program: string): boolean {
  const folders = /[\\/]/.test(program) ? [""] : (env.PATH ?? "").split(delimiter)
  const found = folders.map(folder => resolve(cwd, folder, program)).find(file => existsSync(file))
  return /^(r|g|rg|e|m|n)?vimx?(\.\w+)?$/.test(basename(found === undefined ? program : realpathSync(found)))
}
