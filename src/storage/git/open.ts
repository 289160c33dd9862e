/** Where a repository is opened. Loads nothing before that: most reads never ask git. */

import type { Environment } from "../environment.js"
import type { Git, GitPreference } from "./git.js"
import type { Step } from "./write.js"

/**
 * Opens the repository around a folder; what a killed write left there is finished first if that needs no waiting.
 *
 * @param reached - is told of each step of a write, for tests that stop it there.
 * @throws CofferError `GIT_NO_REPOSITORY`, `GIT_REFUSED` (another user's), `GIT_UNSUPPORTED`
 */
export async function openGit(
  dir: string,
  env: Environment,
  prefer: GitPreference,
  reached: (step: Step) => void = () => {},
): Promise<Git> {
  const { openBackend, withWrites } = await import("./open-git.js")
  return withWrites(await openBackend(dir, env, prefer), reached)
}
