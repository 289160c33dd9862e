/** Finds the git repository around a folder and reads its HEAD from the files, without git: the `get` path. */
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  statSync,
} from "node:fs"
import { dirname, join, resolve } from "node:path"
import { isHex, isHex256 } from "../encoding.js"

/** The journal of a write in progress, relative to the git directory. */
export const JOURNAL_PATH = "coffer/journal"

/** Where a repository is. `gitDir` is the work tree's own, `commonDir` the one that all its work trees share. */
export interface Repository {
  readonly workTree: string
  readonly gitDir: string
  readonly commonDir: string
}

/** What HEAD names: a branch (null: detached) and its commit (null: none yet). */
export interface Head {
  readonly ref: string | null
  readonly commit: string | null
}

/** What git is in the middle of. */
export type GitState = "clean" | "merge" | "rebase" | "cherry-pick" | "revert" | "bisect"

/**
 * Finds the repository that `dir` lies in, as git would (`GIT_DIR` and friends are not looked at).
 *
 * @returns real paths; undefined outside any repository and in a bare one.
 */
export function findRepository(dir: string): Repository | undefined {
  for (let folder = findRealPath(dir); folder !== undefined; folder = parentOf(folder)) {
    const gitDir = findGitDir(join(folder, ".git"))
    if (gitDir !== undefined) return { workTree: folder, gitDir, commonDir: commonDirOf(gitDir) }
    // Git stops here as well: what lies above is another repository, with another store.
    if (isFile(join(folder, ".git"))) return undefined
  }
  return undefined
}

/** The file `.git` that ends the search for a repository: it leads to none, as in a worktree that git was told to forget. */
export function findDeadLink(dir: string): string | undefined {
  for (let folder = findRealPath(dir); folder !== undefined; folder = parentOf(folder)) {
    const link = join(folder, ".git")
    if (findGitDir(link) !== undefined) return undefined
    if (isFile(link)) return link
  }
  return undefined
}

/** Reads HEAD, or returns undefined where the files do not tell (reftable, a symbolic branch): ask git. */
export function readHead({ gitDir, commonDir }: Repository): Head | undefined {
  const head = findText(join(gitDir, "HEAD"))
  if (head === undefined) return undefined
  if (isOid(head)) return { ref: null, commit: head }
  const ref = /^ref:\s*(refs\/.+)$/s.exec(head)?.[1]
  // reftable keeps its HEAD elsewhere and leaves this name for tools that do not know.
  if (ref === undefined || ref === "refs/heads/.invalid") return undefined
  const isOwn = /^refs\/(bisect|worktree|rewritten)\//.test(ref)
  const loose = findText(join(isOwn ? gitDir : commonDir, ref))
  if (loose !== undefined && loose !== "") return isOid(loose) ? { ref, commit: loose } : undefined
  return { ref, commit: findPackedRef(commonDir, ref) ?? null }
}

/** What git has been left in the middle of in this work tree. */
export function inProgress({ gitDir }: { readonly gitDir: string }): GitState {
  for (const [name, state] of STATE_FILES) if (existsSync(join(gitDir, name))) return state
  return "clean"
}

/**
 * Whether git's index may hold conflicts: something is in progress, or git merged outside of a merge, as `git stash pop`,
 * `git merge --squash` and `git checkout -m` do. These leave what they merged in `AUTO_MERGE` until the next commit (not with the
 * strategy `recursive`, where a stash leaves nothing to know it by).
 */
export function mayBeInConflict(repository: { readonly gitDir: string }): boolean {
  if (inProgress(repository) !== "clean") return true
  return ["AUTO_MERGE", "SQUASH_MSG"].some(name => existsSync(join(repository.gitDir, name)))
}

/**
 * Whether this work tree may leave out files: it has patterns of a sparse checkout, in force or not, or an index with
 * entries that somebody has marked by hand, for which git needs version 3. (Version 4 does not tell, and is not looked
 * into: with many files that would cost more than what is asked for.)
 */
export function mayBeSparse({ gitDir }: { readonly gitDir: string }): boolean {
  return existsSync(join(gitDir, "info", "sparse-checkout")) || indexVersion(gitDir) === 3
}

function indexVersion(gitDir: string): number | undefined {
  const head = Buffer.alloc(8)
  try {
    const fd = openSync(join(gitDir, "index"), constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      if (readSync(fd, head, 0, 8, 0) < 8) return undefined
    } finally {
      closeSync(fd)
    }
  } catch {
    return undefined
  }
  return head.toString("latin1", 0, 4) === "DIRC" ? head.readUInt32BE(4) : undefined
}

/** In this order: a rebase stops with CHERRY_PICK_HEAD or MERGE_HEAD there too. */
const STATE_FILES: readonly (readonly [string, GitState])[] = [
  ["rebase-merge", "rebase"],
  ["rebase-apply", "rebase"],
  ["MERGE_HEAD", "merge"],
  ["CHERRY_PICK_HEAD", "cherry-pick"],
  ["REVERT_HEAD", "revert"],
  ["sequencer", "cherry-pick"],
  ["BISECT_LOG", "bisect"],
]

/** Whether a folder is a git directory by the three things git looks for. */
export function isGitDir(folder: string): boolean {
  return existsSync(join(folder, "HEAD")) && holdsObjects(commonDirOf(folder))
}

function holdsObjects(commonDir: string): boolean {
  return ["objects", "refs"].every(name => existsSync(join(commonDir, name)))
}

function findGitDir(path: string): string | undefined {
  const target = findText(path)?.match(/^gitdir: (.+)$/s)?.[1]
  const folder = findRealPath(target === undefined ? path : resolve(dirname(path), target))
  return folder !== undefined && isGitDir(folder) ? folder : undefined
}

function commonDirOf(gitDir: string): string {
  const target = findText(join(gitDir, "commondir"))
  return target === undefined ? gitDir : (findRealPath(resolve(gitDir, target)) ?? gitDir)
}

function findPackedRef(commonDir: string, ref: string): string | undefined {
  const packed = findText(join(commonDir, "packed-refs"))
  const end = packed === undefined ? -1 : `${packed}\n`.indexOf(` ${ref}\n`)
  if (packed === undefined || end < 0) return undefined
  const oid = packed.slice(packed.lastIndexOf("\n", end) + 1, end)
  return isOid(oid) ? oid : undefined
}

function parentOf(folder: string): string | undefined {
  const parent = dirname(folder)
  return parent === folder ? undefined : parent
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile()
}

function findRealPath(path: string): string | undefined {
  try {
    return realpathSync.native(path)
  } catch {
    return undefined
  }
}

/** The text of a small file without its last line end; undefined for a folder and for what is not there. */
function findText(path: string): string | undefined {
  try {
    // Most of these are not there, and asking is cheaper than an error.
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return undefined
    return readFileSync(path, "utf8").replace(/\r?\n$/, "")
  } catch {
    return undefined
  }
}

/** Whether `text` is a whole id of a git object, of either hash. */
export function isOid(text: string): boolean {
  return isHex(text, 40) || isHex256(text)
}
