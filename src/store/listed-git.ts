/** Git with one state listed once: looking at a commit from many sides would otherwise start git many times. */
import { isAtOrBelow } from "../format/names.js"
import type { Entry, Git, Oid } from "../storage/git/git.js"

/** The same git; entries of `at` come from one listing, made when they are first asked for. */
export function listOnce(git: Git, at: Oid | "index"): Git {
  let listing: Promise<readonly Entry[]> | undefined
  return {
    ...git,
    async entries(from, prefix) {
      if (from !== at) return git.entries(from, prefix)
      listing ??= git.entries(at, "")
      return (await listing).filter(({ path }) => isAtOrBelow(path, prefix))
    },
  }
}
