/** The system back end: the git binary, through its plumbing. */
import { normalize } from "node:path"
import { CofferError } from "../../errors.js"
import type { Environment } from "../environment.js"
import { once } from "../once.js"
import { findRepository, inProgress, type Repository } from "../repository.js"
import { findPerson } from "./author.js"
import type { Backend } from "./backend.js"
import { canonicalKey } from "./config-file.js"
import { findForeignIndex } from "./foreign-index.js"
import type { Entry, OidHex } from "./git.js"
import { findGit, type GitProgram, wordsOf } from "./git-process.js"
import { foreignOwner, noRepository, noWorkTree, workTreeElsewhere } from "./not-opened.js"
import { emptyTreeOid } from "./object.js"
import { blobs, type ObjectReader } from "./object-reader.js"
import { introduced } from "./system-introduced.js"
import { systemObjects } from "./system-objects.js"
import * as reader from "./system-reader.js"
import { systemWriter } from "./system-writer.js"
import { diffTrees, findObstacle, listTree, lookupInTree } from "./trees.js"

/**
 * Opens the repository around `dir` with the git binary on PATH.
 *
 * @returns in words why that binary cannot be used, if so.
 * @throws CofferError `GIT_NO_REPOSITORY`, `GIT_REFUSED` (git does not trust its owner), `GIT_UNSUPPORTED` (bare)
 */
export async function openSystem(dir: string, env: Environment): Promise<Backend | string> {
  const git = findGit(env)
  if (git === undefined) return "there is no git on PATH"
  const found = await discover(git, dir)
  if (found === undefined) return "git is older than 2.31"
  const { at, oidHex, shallow, hooks } = found
  const foreignIndex = findForeignIndex(env, at)
  const settings = once(() => readSettings(git, at))
  const objects = systemObjects(git, at, oidHex)
  return {
    kind: "system",
    ...at,
    oidHex,
    shallow,
    foreignIndex,
    config: async key => (await settings()).get(canonicalKey(key)),
    head: () => reader.head(git, at),
    find: revision => find(git, at, objects, revision),
    mergeBase: async (a, b) => (a === b ? a : reader.mergeBase(git, at, a, b)),
    entries: (from, prefix) =>
      from === "index"
        ? reader.indexEntries(git, at, foreignIndex, [prefix])
        : listTree(objects, from, prefix),
    changes: (from, to, prefix) =>
      to === "index"
        ? reader.indexChanges(git, at, from ?? emptyTreeOid(oidHex), foreignIndex, prefix)
        : diffTrees(objects, from, to, prefix),
    blobs: oids => blobs(objects, oids),
    log: (path, from) => reader.log(git, at, { path, from, objects }),
    missing: (tips, remote, known) => reader.missing(git, at, tips, remote, known),
    introduced: commits => introduced(git, at, commits),
    state: async () => inProgress(at),
    author: async () => findPerson("author", await settings(), env),
    isIgnored: path => isIgnored(git, at, path),
    isTracked: async path => (await reader.indexEntries(git, at, foreignIndex, [path])).length > 0,
    hooksPath: async () => hooks,
    branchUpstream: async () => branchUpstream(git, at, await settings()),
    findObstacle: (commit, paths) => findObstacle(objects, commit, paths),
    lookup: (from, paths) =>
      from === "index" ? lookupInIndex(git, at, paths) : lookupInTree(objects, from, paths),
    ...systemWriter({ git, env, at, oidHex, hooks, settings }),
  }
}

interface Discovered {
  readonly at: Repository
  readonly oidHex: OidHex
  readonly shallow: boolean
  readonly hooks: string
}

/**
 * One process tells where the repository is and of what kind. The hooks path is asked for, so the setting that turns
 * hooks off must not be there, but where the user's own does that by being empty: git fails on such a path.
 *
 * @returns undefined for a git before 2.31, which takes the option for text to repeat.
 */
async function discover(git: GitProgram, dir: string): Promise<Discovered | undefined> {
  const format = "--path-format=absolute"
  const paths = ["--show-toplevel", "--git-dir", "--git-common-dir", "--git-path", "hooks"]
  const kinds = ["--show-object-format", "--is-shallow-repository"]
  const words = ["rev-parse", format, ...paths, ...kinds]
  const options = { cwd: dir, env: { LC_ALL: "C" } }
  const first = await git.run(words, { ...options, programs: "hooks" })
  const isOff = first.status !== 0 && /empty string is not a valid path/.test(wordsOf(first.stderr))
  const { status, stdout, stderr } = isOff ? await git.run(words, options) : first
  if (status !== 0) throw refusal(dir, stderr)
  const answers = stdout.toString().split("\n").slice(0, -1)
  if (answers[0] === format) return undefined
  if (answers.length !== 6)
    throw new CofferError("GIT_UNSUPPORTED", "the repository's path has a line end in it", {
      hint: "rename the folder",
    })
  const [workTree, gitDir, commonDir, hooks] = answers.slice(0, 4).map(normalize)
  // Every later command is started in the work tree, and has to find the way back by itself.
  if (findRepository(dir)?.workTree !== findRepository(workTree!)?.workTree) {
    throw workTreeElsewhere(workTree!, gitDir!)
  }
  return {
    at: { workTree: workTree!, gitDir: gitDir!, commonDir: commonDir! },
    oidHex: answers[4] === "sha256" ? 64 : 40,
    shallow: answers[5] === "true",
    hooks: hooks!,
  }
}

function refusal(dir: string, stderr: string): CofferError {
  const words = wordsOf(stderr)
  if (/dubious ownership|safe\.directory/.test(words)) {
    return foreignOwner(findRepository(dir)?.workTree ?? dir)
  }
  if (/work tree/.test(words)) return noWorkTree()
  if (/not a git repository/.test(words)) return noRepository(dir)
  if (/unknown repository extension|Expected git repo version/.test(words)) {
    return new CofferError("GIT_UNSUPPORTED", `this git is too old for the repository: ${words}`, {
      hint: "install a newer git: the one that made the repository, or later",
    })
  }
  return new CofferError("GIT_FAILED", `git rev-parse: ${words}`)
}

/** More paths than this are looked up by reading their common folder whole. */
const PATHS_ON_COMMAND_LINE = 32

async function lookupInIndex(
  git: GitProgram,
  at: Repository,
  paths: readonly string[],
): Promise<Map<string, Entry[]>> {
  const found = new Map<string, Entry[]>()
  const wanted = new Set(paths)
  const asked = paths.length > PATHS_ON_COMMAND_LINE ? [commonFolder(paths)] : paths
  for (const entry of await reader.indexEntries(git, at, undefined, asked)) {
    if (!wanted.has(entry.path)) continue
    found.set(entry.path, [...(found.get(entry.path) ?? []), entry])
  }
  return found
}

function commonFolder(paths: readonly string[]): string {
  const sorted = [...paths].sort()
  const [first, last] = [sorted[0]!.split("/").slice(0, -1), sorted.at(-1)!.split("/")]
  const different = first.findIndex((part, index) => part !== last[index])
  return first.slice(0, different === -1 ? first.length : different).join("/")
}

/** Every setting, the last value of each: git's own order of files, includes and environment. */
async function readSettings(git: GitProgram, at: Repository): Promise<ReadonlyMap<string, string>> {
  const options = { cwd: at.workTree, programs: "hooks" } as const
  const records = (await git.text(["config", "--list", "-z"], options)).split("\0").slice(0, -1)
  return new Map(
    records.map(record => {
      const [key] = record.split("\n", 1)
      // A name without "=" means true.
      return [key!, record.length === key!.length ? "true" : record.slice(key!.length + 1)]
    }),
  )
}

async function isIgnored(git: GitProgram, at: Repository, path: string): Promise<boolean> {
  const options = { cwd: at.workTree, env: { GIT_LITERAL_PATHSPECS: undefined }, input: `./${path}\0` }
  const { status, stderr } = await git.run(["check-ignore", "-q", "-z", "--stdin"], options)
  if (status > 1) throw new CofferError("GIT_FAILED", `git check-ignore: ${wordsOf(stderr)}`)
  return status === 0
}

/** Most revisions are whole ids, which need no resolving unless they name a tag. */
async function find(git: GitProgram, at: Repository, objects: ObjectReader, revision: string) {
  if (revision.length === objects.oidHex && /^[0-9a-f]+$/.test(revision)) {
    const object = await objects.find(revision)
    if (object === undefined) return undefined
    if (object.type === "commit") return revision
  }
  return reader.find(git, at, revision)
}

async function branchUpstream(git: GitProgram, at: Repository, settings: ReadonlyMap<string, string>) {
  const { ref } = await reader.head(git, at)
  if (ref === null || !settings.has(`${ref.replace(/^refs\/heads\//, "branch.")}.merge`)) return undefined
  const upstream = (
    await git.text(["for-each-ref", "--format=%(upstream)", ref], { cwd: at.workTree })
  ).split("\n")[0]!
  return upstream === "" ? undefined : { ref: upstream, commit: await reader.find(git, at, upstream) }
}
