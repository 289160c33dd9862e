/** Commits that people name. */
import { CofferError } from "../errors.js"
import type { Git, Oid } from "../storage/git/git.js"

/**
 * Finds the commit that a revision means.
 *
 * @param what - how a message names it, since the text itself may be anything.
 * @throws CofferError `HISTORY_MISSING`
 */
export async function requireCommit(git: Git, revision: string, what: string): Promise<Oid> {
  const commit = revision.startsWith("-") ? undefined : await git.find(revision)
  if (commit !== undefined) return commit
  throw new CofferError("HISTORY_MISSING", `this clone has no commit that ${what} could mean`, {
    hint: git.shallow ? "git fetch --unshallow" : "git fetch",
  })
}
