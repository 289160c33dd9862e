/** What the embedded back end refuses before it reads or writes, and why. */
import { accessSync, constants, existsSync, realpathSync, statSync } from "node:fs"
import { join, resolve } from "node:path"
import { findText } from "../disk.js"
import type { Environment } from "../environment.js"
import type { Repository } from "../repository.js"
import { type ConfigEntry, parseBoolean, parseConfig } from "./config-file.js"
import type { GitConfig } from "./embedded-config.js"
import { foreignOwner, workTreeElsewhere } from "./not-opened.js"
import { unsupported } from "./unsupported.js"

/** Extensions that change nothing for us, or that are taken care of. */
const KNOWN_EXTENSIONS = new Set([
  "noop",
  "noop-v1",
  "preciousobjects",
  "partialclone",
  "relativeworktrees",
  "worktreeconfig",
])

/** Variables by which git puts part of a repository somewhere else. */
const MOVING_VARIABLES = [
  "GIT_OBJECT_DIRECTORY",
  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
  "GIT_NAMESPACE",
  "GIT_SHALLOW_FILE",
  "GIT_GRAFT_FILE",
]

/**
 * Refuses a repository that would be read wrongly.
 *
 * @throws CofferError `GIT_UNSUPPORTED` naming the feature
 */
export function checkReadable(repository: Repository, env: Environment): void {
  const { gitDir, commonDir } = repository
  const path = join(commonDir, "config")
  checkFormat(parseConfig(findText(path) ?? "", path))
  // A linked work tree does not take these two from the common file.
  if (gitDir === commonDir) checkPlace(repository)
  if (findText(join(gitDir, "HEAD"))?.includes("refs/heads/.invalid")) throw unsupported("reftable")
  if ((findText(join(commonDir, "info", "grafts")) ?? "").trim() !== "")
    throw unsupported("grafts (info/grafts)")
  checkEnvironment(repository, env)
}

function checkFormat(entries: readonly ConfigEntry[]): void {
  const find = (key: string) => entries.findLast(entry => entry.key === key)?.value?.toLowerCase()
  const version = Number(find("core.repositoryformatversion") ?? 0)
  if (!(version <= 1)) throw unsupported(`core.repositoryFormatVersion ${version}`)
  const format = find("extensions.objectformat") ?? "sha1"
  if (format !== "sha1") throw unsupported(`extensions.objectFormat ${format}`)
  const refs = find("extensions.refstorage") ?? "files"
  if (refs !== "files") throw unsupported(`extensions.refStorage ${refs}`)
  for (const { key } of entries) {
    const name = /^extensions\.([^.]+)$/.exec(key)?.[1]
    if (name === undefined || name === "objectformat" || name === "refstorage") continue
    // Git, too, looks at unknown extensions from version 1 on only.
    if (version === 1 && !KNOWN_EXTENSIONS.has(name)) throw unsupported(`extensions.${name}`)
  }
}

function checkPlace({ workTree, gitDir }: Repository): void {
  const read = (name: string) => parseConfig(findText(join(gitDir, name)) ?? "", join(gitDir, name))
  const entries = [...read("config"), ...read("config.worktree")]
  const bare = entries.findLast(({ key }) => key === "core.bare")
  if (bare !== undefined && parseBoolean(bare.value)) throw unsupported("bare repository (core.bare)")
  const place = entries.findLast(({ key }) => key === "core.worktree")?.value
  if (place !== undefined && !isSameFolder(resolve(gitDir, place), workTree)) {
    throw workTreeElsewhere(resolve(gitDir, place), gitDir)
  }
}

/** In its hooks git sets GIT_DIR and its kind to where we look anyway. */
function checkEnvironment({ workTree, gitDir, commonDir }: Repository, env: Environment): void {
  const places: Readonly<Record<string, string>> = {
    GIT_DIR: gitDir,
    GIT_WORK_TREE: workTree,
    GIT_COMMON_DIR: commonDir,
  }
  for (const [name, place] of Object.entries(places)) {
    if (env[name] && !isSameFolder(resolve(workTree, env[name]), place))
      throw unsupported(`${name} in the environment`)
  }
  for (const name of MOVING_VARIABLES) if (env[name]) throw unsupported(`${name} in the environment`)
}

function isSameFolder(a: string, b: string): boolean {
  try {
    return realpathSync(a) === realpathSync(b)
  } catch {
    return false
  }
}

/**
 * Refuses a repository of another user, as git does: its configuration would decide what happens.
 *
 * @throws CofferError `GIT_REFUSED`
 * @see https://git-scm.com/docs/git-config#Documentation/git-config.txt-safedirectory
 */
export function checkOwner({ workTree, gitDir }: Repository, config: GitConfig, env: Environment): void {
  const places = [gitDir, workTree, join(workTree, ".git")]
  if (places.every(place => isOwn(place, env)) || isDeclaredSafe(workTree, config)) return
  throw foreignOwner(workTree)
}

function isOwn(path: string, env: Environment): boolean {
  const user = process.geteuid?.()
  if (user === undefined) return true
  const owner = statSync(path).uid
  return owner === user || (user === 0 && /^\d+$/.test(env.SUDO_UID ?? "") && owner === Number(env.SUDO_UID))
}

/** The list may be emptied by an empty value, and holds only what the user or the system has set. */
function isDeclaredSafe(workTree: string, config: GitConfig): boolean {
  const values = config.getProtectedPaths("safe.directory")
  return values
    .slice(values.lastIndexOf("") + 1)
    .some(value => value === "*" || isWithin(workTree, value) || isSameFolder(value, workTree))
}

function isWithin(workTree: string, pattern: string): boolean {
  return pattern.endsWith("/*") && workTree.startsWith(pattern.slice(0, -1))
}

const MESSAGE_HOOKS = ["prepare-commit-msg", "commit-msg"]

/**
 * Refuses a commit that hooks or signing would have a say in: embedded starts no programs.
 *
 * @param options.verify - false: the commit message hooks are to be skipped.
 * @throws CofferError `GIT_UNSUPPORTED`
 */
export function checkCommit(config: GitConfig, hooksFolder: string, options: { verify: boolean }): void {
  if (config.getBoolean("commit.gpgsign")) throw unsupported("signed commits (commit.gpgSign)")
  const refuse = (name: string, otherwise?: string) => {
    const path = join(hooksFolder, name)
    if (isRunnable(path)) throw unsupported(`the hook "${path}"`, otherwise)
  }
  refuse("reference-transaction")
  // husky puts in every hook that there is, whether the project has use for it or not.
  if (options.verify) for (const name of MESSAGE_HOOKS) refuse(name, "; --no-verify leaves this hook out")
}

function isRunnable(path: string): boolean {
  if (process.platform === "win32") return existsSync(path)
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
