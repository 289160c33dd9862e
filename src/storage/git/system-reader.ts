/** What the system back end reads, with git's plumbing. */
import { once } from "node:events"
import { CofferError } from "../../errors.js"
import { type Head, type Repository, readHead } from "../repository.js"
import { LINE_END, readBytes } from "./byte-reader.js"
import { isRemoteName } from "./config-file.js"
import type { Change, Entry, LogEntry, Oid } from "./git.js"
import { type GitProgram, type RunOptions, wordsOf } from "./git-process.js"
import type { ObjectReader } from "./object-reader.js"
import { FETCH_HINT, isLackOf } from "./partial-clone.js"
import { lookupInTree } from "./trees.js"

/** HEAD from the files where they tell, else from git. */
export async function head(git: GitProgram, at: Repository): Promise<Head> {
  const read = readHead(at)
  if (read !== undefined) return read
  const [name, commit] = await Promise.all([
    git.run(["symbolic-ref", "-q", "HEAD"], { cwd: at.workTree }),
    find(git, at, "HEAD"),
  ])
  return { ref: name.status === 0 ? name.stdout.toString().trim() : null, commit: commit ?? null }
}

export async function find(git: GitProgram, at: Repository, revision: string): Promise<Oid | undefined> {
  if (revision.startsWith("-")) return undefined
  const { status, stdout } = await git.run(
    ["rev-parse", "--verify", "-q", "--end-of-options", `${revision}^{commit}`],
    {
      cwd: at.workTree,
    },
  )
  return status === 0 ? stdout.toString().trim() : undefined
}

export async function mergeBase(git: GitProgram, at: Repository, a: Oid, b: Oid): Promise<Oid | undefined> {
  const { status, stdout, stderr } = await git.run(["merge-base", a, b], { cwd: at.workTree })
  if (status === 0) return stdout.toString().trim()
  if (status === 1) return undefined
  throw new CofferError("GIT_MISSING_OBJECT", wordsOf(stderr), {
    hint: "git fsck says what is missing or cannot be read; git fetch --unshallow brings what a shallow clone lacks",
  })
}

/** Entries of the index. @param index - the file to read in place of the work tree's own. */
export async function indexEntries(
  git: GitProgram,
  at: Repository,
  index: string | undefined,
  paths: readonly string[],
): Promise<Entry[]> {
  const args = ["ls-files", "-t", "-s", "-z", "--", ...paths.filter(path => path !== "")]
  const options = { cwd: at.workTree, env: indexEnvironment(index) }
  return (await records(git, args, options)).map(parseIndexEntry)
}

function parseIndexEntry(record: string): Entry {
  const [, tag, mode, oid, stage, path] = /^(.) (\d+) ([0-9a-f]+) (\d)\t(.+)$/s.exec(record)!
  return {
    path: path!,
    mode: mode!,
    oid: oid!,
    stage: Number(stage) as Entry["stage"],
    skipWorktree: tag === "S",
  }
}

/** What differs between a commit or tree and the index. @param index - see {@link indexEntries} */
export async function indexChanges(
  git: GitProgram,
  at: Repository,
  from: Oid,
  index: string | undefined,
  prefix: string,
): Promise<Change[]> {
  const paths = prefix === "" ? [] : [prefix]
  const args = ["diff-index", "--cached", "--ita-invisible-in-index", ...DIFF_OPTIONS, from, "--", ...paths]
  const found = await records(git, args, { cwd: at.workTree, env: indexEnvironment(index) })
  const changes: Change[] = []
  for (let at = 0; at < found.length; at += 2) changes.push(parseChange(found[at]!, found[at + 1]!))
  return changes
}

const DIFF_OPTIONS = [
  "--raw",
  "-z",
  "--no-renames",
  "--no-ext-diff",
  "--no-textconv",
  "--no-abbrev",
  "--ignore-submodules=none",
]

function parseChange(about: string, path: string): Change {
  const [, fromMode, toMode, fromOid, toOid, status] = /^:(\d+) (\d+) ([0-9a-f]+) ([0-9a-f]+) (\w)/.exec(
    about,
  )!
  const side = (mode: string, oid: string) => (Number(mode) === 0 ? undefined : { mode, oid })
  const from = side(fromMode!, fromOid!)
  const to = side(toMode!, toOid!)
  return {
    path,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined || status === "U" ? {} : { to }),
    ...(status === "U" ? { conflicted: true as const } : {}),
  }
}

export async function* log(
  git: GitProgram,
  at: Repository,
  { path, from, objects }: { path: string; from: Oid; objects: ObjectReader },
): AsyncGenerator<LogEntry> {
  if (path.includes("\n"))
    throw new CofferError("GIT_UNSUPPORTED", `${JSON.stringify(path)} has a line end in it`)
  const format = "--format=%H%n%P%n%ct%n%an"
  const history = git.start(["rev-list", "--full-history", "--encoding=UTF-8", format, from, "--", path], {
    cwd: at.workTree,
  })
  const resolver = git.start(["cat-file", "--batch-check=%(objectname) %(objecttype)"], { cwd: at.workTree })
  try {
    let words = ""
    history.stderr.on("data", chunk => (words += chunk))
    resolver.stderr.resume()
    history.stdin.end()
    const lines = readBytes(history.stdout)
    const answers = readBytes(resolver.stdout)
    const line = async () => (await lines.until(LINE_END))?.toString() ?? ""
    // A line "commit <id>" precedes what the format prints.
    for (let first = await line(); first !== ""; first = await line()) {
      const commit = await line()
      const parents = (await line()).split(" ").filter(parent => parent !== "")
      const date = new Date(Number(await line()) * 1000)
      const author = await line()
      resolver.stdin.write(`${commit}:${path}\n`)
      const answer = (await answers.until(LINE_END))?.toString()
      // Of a blob that a partial clone lacks git tells nothing, and ends; trees tell its id.
      const oid =
        answer === undefined ? await findBlob(objects, commit, path) : /^(\w+) blob$/.exec(answer)?.[1]
      yield { commit, parents, at: date, author, ...(oid === undefined ? {} : { oid }) }
    }
    await expectSuccess(history, () => words)
  } finally {
    history.kill()
    resolver.kill()
  }
}

async function findBlob(objects: ObjectReader, commit: Oid, path: string): Promise<Oid | undefined> {
  const [entry] = (await lookupInTree(objects, commit, [path])).get(path) ?? []
  return entry?.mode.startsWith("1") && entry.mode !== "160000" ? entry.oid : undefined
}

/** @throws CofferError `GIT_MISSING_OBJECT` where a partial clone lacks a tree, `GIT_FAILED` */
async function expectSuccess(history: ReturnType<GitProgram["start"]>, words: () => string): Promise<void> {
  if (history.exitCode === null && history.signalCode === null) await once(history, "close")
  if (history.exitCode === 0) return
  const said = wordsOf(words()) || `status ${history.exitCode}`
  if (isLackOf(said))
    throw new CofferError("GIT_MISSING_OBJECT", `git rev-list: ${said}`, { hint: FETCH_HINT })
  throw new CofferError("GIT_FAILED", `git rev-list: ${said}`)
}

export async function missing(
  git: GitProgram,
  at: Repository,
  tips: readonly Oid[],
  remote: string,
  known: readonly Oid[],
): Promise<Oid[]> {
  const here = await presentCommits(git, at, known)
  // Anything else would be taken for a pattern.
  const remotes = isRemoteName(remote) ? [`--remotes=${remote}`] : []
  const input = [...tips, ...here.map(oid => `^${oid}`)].map(revision => `${revision}\n`).join("")
  const args = ["rev-list", "--stdin", "--not", ...remotes]
  return records(git, args, { cwd: at.workTree, input }, "\n")
}

async function presentCommits(git: GitProgram, at: Repository, oids: readonly Oid[]): Promise<Oid[]> {
  if (oids.length === 0) return []
  const input = oids.map(oid => `${oid}^{commit}\n`).join("")
  const text = await git.text(["cat-file", "--batch-check=%(objectname) %(objecttype)"], {
    cwd: at.workTree,
    input,
  })
  return text.split("\n").flatMap(line => (line.endsWith(" commit") ? [line.slice(0, -7)] : []))
}

/** What a command prints, each record without its end. @throws CofferError `GIT_FAILED` with git's words */
export async function records(
  git: GitProgram,
  args: readonly string[],
  options: RunOptions,
  end = "\0",
): Promise<string[]> {
  return (await git.text(args, options)).split(end).slice(0, -1)
}

function indexEnvironment(index: string | undefined) {
  return index === undefined ? {} : { GIT_INDEX_FILE: index }
}
