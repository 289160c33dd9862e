/** Puts coffer's hooks where git looks for them, beside those that are there; finds out whether they fire; takes them out. */
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { basename, dirname, join, relative, sep } from "node:path"
import { CofferError } from "../errors.js"
import { quoteForShell } from "../format/shell.js"
import { errnoOf, ioError } from "./files.js"
import type { GitReader } from "./git/git.js"

/** The hooks that together see every way into the repository and out of it that git has hooks for. */
export const HOOK_NAMES = ["pre-commit", "pre-merge-commit", "pre-push"] as const

/** One of {@link HOOK_NAMES}. */
export type HookName = (typeof HOOK_NAMES)[number]

/** What the hooks start when the project has no coffer of its own. */
export interface HookProgram {
  /** The node binary. */
  readonly node: string
  /** coffer's package folder, with `bin/` and `hooks/` below it. */
  readonly folder: string
}

/** The folder that git runs hooks from, and why it is not for us to write to, if so. */
export interface HooksFolder {
  readonly path: string
  readonly refusal: CofferError | undefined
}

const MARK = '# coffer hook: "coffer hooks install" put it here'
const KEPT = ".before-coffer"

/** Whether git's hook of that name is the one that coffer installed. */
export function isInstalled(folder: string, hook: HookName): boolean {
  return isOurs(join(folder, hook))
}

/**
 * Finds the folder by git's own answer: `core.hooksPath` of any scope and linked worktrees are in it.
 * Nothing is written to a folder that git tracks (it would be everybody's, with this machine's paths)
 * or that other repositories use too.
 */
export async function findHooksFolder(git: GitReader): Promise<HooksFolder> {
  const path = realFolder(await git.hooksPath())
  return { path, refusal: await refusalOf(git, path) }
}

/** @throws CofferError `GIT_UNSUPPORTED` where git looks for hooks in what is no folder: it runs none then */
export function refuseNoFolder(path: string): void {
  let nearest = path
  while (!existsSync(nearest)) nearest = dirname(nearest)
  if (statSync(nearest).isDirectory()) return
  throw new CofferError(
    "GIT_UNSUPPORTED",
    `git looks for hooks in "${path}", which is no folder: it runs none`,
    {
      hint: "git config --show-origin core.hooksPath shows where it is set: take it out there, then coffer hooks install",
    },
  )
}

/**
 * Installs one hook; one that is there already is kept beside it under another name and run first.
 *
 * @throws CofferError `EXISTS` where two would have to be kept, `IO_FAILED`
 */
export function installHook(folder: string, hook: HookName, program: HookProgram): void {
  const path = join(folder, hook)
  const kept = path + KEPT
  try {
    mkdirSync(folder, { recursive: true })
    if (isThere(path) && !isOurs(path)) {
      if (isThere(kept)) throw keptTwice(path, kept)
      renameSync(path, kept)
    }
    writeExecutable(path, printHook(hook, program))
  } catch (error) {
    throw ioError("write", path, error)
  }
}

/** Removes one hook if it is ours and puts the one from before back in its place. @returns whether it was there */
export function uninstallHook(folder: string, hook: HookName): boolean {
  const path = join(folder, hook)
  if (!isOurs(path)) return false
  try {
    rmSync(path)
    if (isThere(path + KEPT)) renameSync(path + KEPT, path)
    return true
  } catch (error) {
    throw ioError("remove", path, error)
  }
}

/** Writes a file that others may run; whole or not at all, for a hook may be about to start. */
export function writeExecutable(path: string, text: string): void {
  const temporary = `${path}.coffer-new`
  writeFileSync(temporary, text)
  chmodSync(temporary, 0o755)
  renameSync(temporary, path)
}

function printHook(hook: HookName, program: HookProgram): string {
  const words = { HOOK: hook, NODE: program.node, COFFER: program.folder }
  const template = readFileSync(join(program.folder, "hooks", "check"), "utf8")
  return template.replace(/@(HOOK|NODE|COFFER)@/g, (_, word: keyof typeof words) =>
    quoteForShell(words[word]),
  )
}

async function refusalOf(git: GitReader, path: string): Promise<CofferError | undefined> {
  if (isHusky(path))
    return elsewhere('husky runs the hooks of this repository from ".husky"', ".husky/pre-commit")
  const inWorkTree = pathBelow(git.workTree, path)
  if (inWorkTree !== undefined && pathBelow(git.commonDir, path) === undefined) {
    if (!(await hasTrackedFiles(git, inWorkTree))) return undefined
    return elsewhere(`the hooks folder "${inWorkTree}" is tracked by git`, `${inWorkTree}/pre-commit`)
  }
  if (pathBelow(git.commonDir, path) !== undefined || isSetHere(git)) return undefined
  return elsewhere(`core.hooksPath is "${path}" for other repositories too`, `${path}/pre-commit`)
}

function elsewhere(why: string, file: string): CofferError {
  return new CofferError("GIT_UNSUPPORTED", `${why}, so coffer does not write there`, {
    hint: `add this line to "${file}", and likewise for pre-merge-commit and pre-push: npx --no-install coffer hook pre-commit "$@" || exit`,
  })
}

/** husky 9 regenerates `.husky/_` at every npm install; what is meant to be edited lies one folder up. */
function isHusky(path: string): boolean {
  const folder = basename(path) === "_" ? dirname(path) : path
  return basename(folder) === ".husky"
}

async function hasTrackedFiles(git: GitReader, prefix: string): Promise<boolean> {
  return (await git.entries("index", prefix)).length > 0
}

/** Whether the repository's own configuration names the folder, rather than the user's for all of his. */
function isSetHere(git: GitReader): boolean {
  return [join(git.commonDir, "config"), join(git.gitDir, "config.worktree")].some(path => {
    try {
      return /^\s*(?:\[core\]\s*)?hookspath\s*=/im.test(readFileSync(path, "latin1"))
    } catch {
      return false
    }
  })
}

/** `path` relative to `folder` with "/", or undefined if it is not below it. */
function pathBelow(folder: string, path: string): string | undefined {
  const below = relative(folder, path)
  const isBelow = below !== "" && below !== ".." && !below.startsWith(`..${sep}`) && below !== path
  return isBelow ? below.split(sep).join("/") : undefined
}

/** The folder behind links: what is tracked by git is where they lead. */
function realFolder(path: string): string {
  if (existsSync(path)) return realpathSync(path)
  const parent = dirname(path)
  return parent === path ? path : join(realFolder(parent), basename(path))
}

function isOurs(path: string): boolean {
  try {
    return lstatSync(path).isFile() && readFileSync(path, "utf8").includes(MARK)
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return false
    throw ioError("read", path, error)
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined
}

function keptTwice(path: string, kept: string): CofferError {
  return new CofferError("EXISTS", `"${path}" has replaced coffer's hook, and "${kept}" is kept already`, {
    hint: `join the two into "${kept}", remove "${path}", then coffer hooks install`,
  })
}
