/** Which index a hook of a running `git commit` has been given to look at. */
import { realpathSync } from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import type { Environment } from "../environment.js"
import { isGitDir, type Repository } from "../repository.js"

/**
 * The index that `GIT_INDEX_FILE` names, where it is not the work tree's ordinary one: `git commit -a` and
 * `git commit -- path` give their hooks another. One in another repository's git directory is that repository's
 * hook at work, with its submodule open here, and does not count.
 */
export function findForeignIndex(env: Environment, { workTree, gitDir }: Repository): string | undefined {
  const named = env.GIT_INDEX_FILE ?? ""
  if (named === "") return undefined
  const path = resolve(workTree, named)
  let folder: string
  try {
    folder = realpathSync.native(dirname(path))
  } catch {
    // A superproject's `.git/index`, where a submodule has a file `.git`.
    return undefined
  }
  if (folder === gitDir) return basename(path) === "index" ? undefined : join(folder, basename(path))
  return isGitDir(folder) ? undefined : path
}
