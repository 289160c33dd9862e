/** Git's configuration as its own binary would see it: all files and the environment, includes followed. */
import { readFileSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { CofferError } from "../../errors.js"
import type { Environment } from "../environment.js"
import { errnoOf, ioError } from "../files.js"
import type { Repository } from "../repository.js"
import { homeFolder } from "../user-config.js"
import { type ConfigEntry, canonicalKey, parseBoolean, parseConfig, requireBoolean } from "./config-file.js"
import { compilePattern } from "./wildmatch.js"

/** Keys as `section.name` or `section.Subsection.name`, section and name in lower case. */
export interface GitConfig {
  has(key: string): boolean
  /** The value that counts, the last one; undefined where there is none, or a name without "=". */
  get(key: string): string | undefined
  /** All values of a key that may be given several times. */
  getAll(key: string): readonly string[]
  /** @throws CofferError `GIT_FAILED` for a value that is no boolean */
  getBoolean(key: string): boolean | undefined
  /** All values, as paths, without those of the repository's own files: what it cannot set for itself. */
  getProtectedPaths(key: string): readonly string[]
  /** A path with "~/" filled in. */
  getPath(key: string): string | undefined
}

interface Source extends ConfigEntry {
  readonly isProtected: boolean
}

const MAX_INCLUDE_DEPTH = 10

/** @param branch - full name of the branch HEAD names, for `includeIf "onbranch:…"`. */
export function readConfig(repository: Repository, branch: string | null, env: Environment): GitConfig {
  const remotes = collect({ repository, branch, env, remotes: [] })
    .filter(({ key }) => /^remote\..*\.url$/s.test(key))
    .map(({ value }) => value ?? "")
  const entries = collect({ repository, branch, env, remotes })
  const last = new Map(entries.map(entry => [entry.key, entry]))
  return {
    has: key => last.has(key),
    get: key => last.get(key)?.value,
    getAll: key => entries.filter(entry => entry.key === key).map(({ value }) => value ?? ""),
    getBoolean(key) {
      const entry = last.get(key)
      return entry && requireBoolean(key, entry.value)
    },
    getProtectedPaths(key) {
      const set = entries.filter(entry => entry.key === key && entry.isProtected)
      return set.map(({ value }) => expandHome(value ?? "", env))
    },
    getPath(key) {
      const value = last.get(key)?.value
      return value === undefined ? undefined : expandHome(value, env)
    },
  }
}

/** Git's home for per-user files without a dot: `$XDG_CONFIG_HOME/git`. */
export function userFolder(env: Environment): string | undefined {
  if (env.XDG_CONFIG_HOME) return join(env.XDG_CONFIG_HOME, "git")
  const home = homeFolder(env)
  return home === undefined ? undefined : join(home, ".config", "git")
}

interface Context {
  readonly repository: Repository
  readonly branch: string | null
  readonly env: Environment
  /** URLs of the remotes, for `includeIf "hasconfig:…"`. */
  readonly remotes: readonly string[]
}

function collect(context: Context): Source[] {
  const { repository, env } = context
  const { gitDir, commonDir } = repository
  const read = (path: string, isProtected: boolean) =>
    readFile(path, context, 0).map(entry => ({ ...entry, isProtected }))
  const own = read(join(commonDir, "config"), false)
  const perWorktree = own.findLast(({ key }) => key === "extensions.worktreeconfig")
  return [
    ...userFiles(env).flatMap(path => read(path, true)),
    ...own,
    ...(perWorktree && parseBoolean(perWorktree.value) ? read(join(gitDir, "config.worktree"), false) : []),
    ...environmentEntries(env).map(entry => ({ ...entry, isProtected: true })),
  ]
}

function userFiles(env: Environment): string[] {
  const home = homeFolder(env)
  const folder = userFolder(env)
  const system = parseBoolean(env.GIT_CONFIG_NOSYSTEM ?? "false")
    ? []
    : [env.GIT_CONFIG_SYSTEM ?? "/etc/gitconfig"]
  if (env.GIT_CONFIG_GLOBAL !== undefined)
    return [...system, env.GIT_CONFIG_GLOBAL].filter(path => path !== "")
  const global = folder === undefined ? [] : [join(folder, "config")]
  return [...system, ...global, ...(home === undefined ? [] : [join(home, ".gitconfig")])]
}

function readFile(path: string, context: Context, depth: number): ConfigEntry[] {
  if (depth > MAX_INCLUDE_DEPTH) {
    throw new CofferError("GIT_FAILED", `git configuration includes itself: "${path}"`)
  }
  const text = findConfigText(path)
  if (text === undefined) return []
  return parseConfig(text, path).flatMap(entry => {
    const included = includedPath(entry, path, context)
    return included === undefined ? [entry] : [entry, ...readFile(included, context, depth + 1)]
  })
}

/** Git passes over a file of another user that it may not read, but not over one that fails otherwise. */
function findConfigText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8")
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EACCES"].includes(errnoOf(error) ?? "")) return undefined
    throw ioError("read", path, error)
  }
}

function includedPath({ key, value }: ConfigEntry, file: string, context: Context): string | undefined {
  if (!value) return undefined
  const condition = /^includeif\.(.*)\.path$/s.exec(key)?.[1]
  if (key !== "include.path" && (condition === undefined || !holds(condition, file, context)))
    return undefined
  return resolve(dirname(file), expandHome(value, context.env))
}

/** A condition that git does not know does not hold. */
function holds(condition: string, file: string, { repository, branch, env, remotes }: Context): boolean {
  const colon = condition.indexOf(":")
  const kind = condition.slice(0, colon)
  const pattern = condition.slice(colon + 1)
  if (kind === "gitdir" || kind === "gitdir/i") {
    const full = anyDepth(expandHome(pattern, env).replace(/^\.\//, `${dirname(file)}/`))
    return matches(full, repository.gitDir, kind === "gitdir/i")
  }
  if (kind === "onbranch") {
    return branch !== null && matches(folderPattern(pattern), branch.replace(/^refs\/heads\//, ""))
  }
  if (condition.startsWith("hasconfig:remote.*.url:")) {
    return remotes.some(url => matches(condition.slice("hasconfig:remote.*.url:".length), url))
  }
  return false
}

function anyDepth(pattern: string): string {
  return folderPattern(pattern.startsWith("/") || /^[A-Za-z]:/.test(pattern) ? pattern : `**/${pattern}`)
}

function folderPattern(pattern: string): string {
  return pattern.endsWith("/") ? `${pattern}**` : pattern
}

function matches(pattern: string, text: string, ignoreCase = false): boolean {
  return compilePattern(pattern, { ignoreCase })?.(text.replaceAll("\\", "/")) ?? false
}

/** GIT_CONFIG_COUNT and its pairs; what `git -c` hands to its own children is not for us. */
function environmentEntries(env: Environment): ConfigEntry[] {
  const count = Number(env.GIT_CONFIG_COUNT || 0)
  return Array.from({ length: Number.isInteger(count) && count > 0 ? count : 0 }, (_, at) => {
    const [key, value] = [env[`GIT_CONFIG_KEY_${at}`], env[`GIT_CONFIG_VALUE_${at}`]]
    if (key === undefined || value === undefined) throw badParameters()
    if (key.indexOf(".") < 1) throw badParameters()
    return { key: canonicalKey(key), value }
  })
}

function badParameters(): CofferError {
  return new CofferError("GIT_FAILED", "bad git configuration in the environment (GIT_CONFIG_…)")
}

function expandHome(path: string, env: Environment): string {
  const home = homeFolder(env)
  return home !== undefined && /^~(\/|$)/.test(path) ? home + path.slice(1) : path
}
