/** Makes a git repository where there is none. */
import { CofferError } from "../../errors.js"
import { type Environment, findGit } from "./git-process.js"

/** @throws CofferError `GIT_UNSUPPORTED` without a git binary, `GIT_FAILED` */
export async function makeRepository(folder: string, env: Environment): Promise<void> {
  const git = findGit(env)
  if (git === undefined) {
    throw new CofferError("GIT_UNSUPPORTED", "making a repository needs the git program", {
      hint: "install git, or run coffer in a clone",
    })
  }
  await git.text(["init", "--quiet"], { cwd: folder })
}
