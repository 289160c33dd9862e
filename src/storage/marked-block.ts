/** A few lines of ours in a file of git's own configuration, between two marks, so that they can be taken out again. */
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { dirname } from "node:path"
import { CofferError } from "../errors.js"
import { errnoOf, ioError } from "./files.js"

const BEGIN = '# coffer: begin ("coffer hooks uninstall" removes this)\n'
const END = "# coffer: end\n"
const BOM = Buffer.from("\uFEFF").toString("latin1")

/** The lines between the marks, or undefined where there are none. */
export function readBlock(path: string): string | undefined {
  const { block } = split(readText(path))
  return block === undefined ? undefined : Buffer.from(block, "latin1").toString("utf8")
}

/**
 * Puts lines between the marks, at the top: what the user wrote himself stands below and wins. Undefined
 * takes lines and marks out, and removes a file that held nothing else.
 *
 * @throws CofferError `GIT_LOCKED` while git has the file locked, `IO_FAILED`
 */
export function writeBlock(path: string, block: string | undefined): void {
  const target = existsSync(path) ? realpathSync(path) : path
  const before = readText(target)
  const { bom, rest } = split(before)
  const marked = block === undefined ? "" : BEGIN + Buffer.from(block, "utf8").toString("latin1") + END
  const text = bom + marked + rest
  if (text === before) return
  try {
    mkdirSync(dirname(target), { recursive: true })
    replaceUnderLock(target, text)
  } catch (error) {
    throw ioError("write", path, error)
  }
}

/** Git's own way to keep others from changing the same file: `<file>.lock`, made exclusively and renamed. */
function replaceUnderLock(path: string, text: string): void {
  const lock = `${path}.lock`
  try {
    closeSync(openSync(lock, "wx"))
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error
    throw new CofferError("GIT_LOCKED", `"${path}" is locked by another git process`, {
      hint: `try again; if no git is running, remove "${lock}"`,
    })
  }
  try {
    writeFileSync(lock, text, "latin1")
    if (existsSync(path)) chmodSync(lock, statSync(path).mode & 0o777)
    if (text === "") rmSync(path, { force: true })
    else renameSync(lock, path)
  } finally {
    rmSync(lock, { force: true })
  }
}

function split(text: string): { bom: string; block?: string; rest: string } {
  // Git takes a byte order mark at the very beginning only.
  const bom = text.startsWith(BOM) ? BOM : ""
  const begin = text.indexOf(BEGIN)
  const end = text.indexOf(END, begin)
  if (begin < 0 || end < 0) return { bom, rest: text.slice(bom.length) }
  return {
    bom,
    block: text.slice(begin + BEGIN.length, end),
    rest: text.slice(bom.length, begin) + text.slice(end + END.length),
  }
}

/** One character per byte: a configuration need not be UTF-8, and not a byte of it may change. */
function readText(path: string): string {
  try {
    return readFileSync(path, "latin1")
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return ""
    throw ioError("read", path, error)
  }
}
