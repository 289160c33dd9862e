/** Repositories of every shape for the tests of git, made with the real git. */
import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import type { Git } from "../../../src/storage/git/git.js"
import { openGit } from "../../../src/storage/git/open.js"
import type { Step } from "../../../src/storage/git/write.js"

export const KINDS = ["system", "embedded"] as const
export type Kind = (typeof KINDS)[number]

const scratch = realpathSync(mkdtempSync(join(tmpdir(), "coffer-git-")))
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }))

/** Nobody's settings but these: a user, and no other machine's configuration. */
export const env = {
  PATH: process.env.PATH,
  HOME: join(scratch, "home"),
  GIT_CONFIG_GLOBAL: join(scratch, "gitconfig"),
  GIT_CONFIG_NOSYSTEM: "1",
  LC_ALL: "C",
}
mkdirSync(env.HOME)
// With `info`, where sparse checkout keeps its patterns; without the sample hooks.
mkdirSync(join(scratch, "template/info"), { recursive: true })
writeFileSync(
  env.GIT_CONFIG_GLOBAL,
  `[user]\nname = Ann Other\nemail = ann@example.com\n[init]\ndefaultBranch = main\ntemplateDir = ${scratch}/template\n[protocol "file"]\nallow = always\n`,
)

export const AT = new Date("2030-01-02T03:04:05Z")

export function git(cwd: string, ...args: string[]): string {
  return execFileSync("git", args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })
}

/** The status of a git command that is expected to fail. */
export function gitFails(cwd: string, ...args: string[]): boolean {
  try {
    git(cwd, ...args)
    return false
  } catch {
    return true
  }
}

export function freshFolder(): string {
  return mkdtempSync(join(scratch, "r-"))
}

export function write(folder: string, path: string, text: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
}

/** A repository with a store of three files in it and two files beside it. */
export function makeRepository(...init: string[]): string {
  return copyOf(`init ${init.join(" ")}`, folder => {
    git(folder, "init", "-q", ...init)
    for (const name of ["A", "B", "prod/C"]) write(folder, `secrets/${name}.yaml`, `first ${name}\n`)
    write(folder, "src/main.c", "int main(void) {}\n")
    write(folder, "README", "read me\n")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
  })
}

const templates = new Map<string, string>()

/** A copy of a repository that is made once: git's many processes are what tests wait for. */
export function copyOf(name: string, make: (folder: string) => void): string {
  let template = templates.get(name)
  if (template === undefined) {
    template = freshFolder()
    make(template)
    templates.set(name, template)
  }
  const folder = freshFolder()
  cpSync(template, folder, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true })
  git(folder, "update-index", "-q", "--refresh")
  return folder
}

/** What a user may have in the middle of: staged, unstaged, half added, deleted, in conflict, left alone. */
export function makeUserWork(folder: string): void {
  write(folder, "conflicted", "base\n")
  write(folder, "removed", "base\n")
  write(folder, "flagged", "base\n")
  git(folder, "add", ".")
  git(folder, "commit", "-q", "-m", "more")
  // A conflict without a merge in progress: what `git stash pop` leaves.
  write(folder, "conflicted", "stashed\n")
  git(folder, "stash", "-q")
  write(folder, "conflicted", "committed\n")
  git(folder, "commit", "-q", "-am", "other")
  gitFails(folder, "stash", "pop")
  write(folder, "staged", "staged\n")
  write(folder, "README", "staged\n")
  git(folder, "add", "staged", "README")
  write(folder, "README", "staged, then edited\n")
  write(folder, "src/main.c", "edited\n")
  write(folder, "half-added", "text\n")
  git(folder, "add", "--intent-to-add", "half-added")
  git(folder, "rm", "-q", "removed")
  git(folder, "update-index", "--assume-unchanged", "flagged")
  write(folder, "untracked", "text\n")
}

/** Everything that git tells of the user's own work; `except` is the store. */
export function userState(folder: string, except = "secrets"): Record<string, string> {
  const others = ["--", ".", `:(exclude)${except}`]
  return {
    status: git(folder, "status", "--porcelain=v2", ...others),
    index: git(folder, "ls-files", "-s", "-v", ...others),
    staged: git(folder, "diff", "--cached", ...others),
    unstaged: git(folder, "diff", ...others),
    stash: git(folder, "stash", "list"),
  }
}

/** Locks and temporary files that a write has left; none, if all is well. */
export function leftovers(folder: string): string[] {
  const gitDir = git(folder, "rev-parse", "--absolute-git-dir").trim()
  const commonDir = git(folder, "rev-parse", "--path-format=absolute", "--git-common-dir").trim()
  const own = [...new Set([gitDir, commonDir])].flatMap(dir =>
    readdirSync(dir, { recursive: true, encoding: "utf8" })
      .filter(
        path => /(\.lock|fast_import_crash.*|\.keep)$|coffer\/./.test(path) && !/coffer\/seen$/.test(path),
      )
      .map(path => join(dir, path)),
  )
  const temporary = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(path =>
    path.endsWith(".tmp"),
  )
  const refs = git(folder, "for-each-ref", "refs/coffer").split("\n").filter(Boolean)
  // Small letters: entries whose files git is kept from looking at.
  const held = git(folder, "ls-files", "-v", "secrets").match(/^[a-z] .*$/gm) ?? []
  return [...own, ...temporary, ...refs, ...held]
}

export function fsck(folder: string): string {
  return (
    git(folder, "fsck", "--strict", "--no-dangling", "--connectivity-only") +
    git(folder, "fsck", "--strict", "--no-dangling")
  )
}

export function open(folder: string, kind: Kind, reached?: (step: Step) => void): Promise<Git> {
  return openGit(folder, env, kind, reached)
}

/** Commits text files (null: removals) on HEAD. */
export async function commit(
  opened: Git,
  files: Readonly<Record<string, string | null>>,
  more: { message?: string; verify?: boolean; scope?: string } = {},
): Promise<string> {
  const { commit: base } = await opened.head()
  return opened.commit({
    base,
    files: toFiles(files),
    message: more.message ?? "Set A\n",
    at: AT,
    verify: more.verify ?? true,
    ...(more.scope === undefined ? {} : { scope: more.scope }),
  })
}

export function toFiles(files: Readonly<Record<string, string | null>>): Map<string, Uint8Array | null> {
  return new Map(
    Object.entries(files).map(([path, text]) => [path, text === null ? null : Buffer.from(text)]),
  )
}

/** The code of the error that a promise ends with. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return "no error"
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error)
  }
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}
