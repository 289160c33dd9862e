/** A new, empty repository: by `git init`, or by hand where there is no git binary. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Environment } from "../environment.js"
import { ioError } from "../files.js"
import { findGit } from "./git-process.js"

/** What `git init` writes without templates; see gitrepository-layout(5). */
const CONFIG =
  "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n"

/**
 * Makes a repository in a folder that is in none.
 *
 * @throws CofferError `GIT_FAILED`, `IO_FAILED`
 */
export async function createRepository(folder: string, env: Environment): Promise<void> {
  const git = findGit(env)
  if (git !== undefined) {
    await git.text(["init", "--quiet"], { cwd: folder })
    return
  }
  const gitDir = join(folder, ".git")
  try {
    for (const path of ["objects/info", "objects/pack", "refs/heads", "refs/tags", "info"]) {
      mkdirSync(join(gitDir, path), { recursive: true })
    }
    writeFileSync(join(gitDir, "config"), CONFIG)
    writeFileSync(join(gitDir, "HEAD"), "ref: refs/heads/main\n")
  } catch (error) {
    throw ioError("make a repository in", folder, error)
  }
}
