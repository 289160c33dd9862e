/** Clones that lack objects: partial ones, for which git fetches what it needs when it needs it, and shallow ones. */
import { readdirSync } from "node:fs"
import { join } from "node:path"

/** What brings the objects that a clone lacks. coffer itself opens no connection. */
export const FETCH_HINT =
  "what a shallow clone lacks: git fetch --unshallow; a partial one: git fetch --refetch --no-filter"

/** Whether the repository was cloned with a filter, and may lack objects that its commits name. */
export function isPartialClone({ commonDir }: { readonly commonDir: string }): boolean {
  try {
    return readdirSync(join(commonDir, "objects", "pack")).some(name => name.endsWith(".promisor"))
  } catch {
    return false
  }
}

/** Whether these are git's words for an object that it may not fetch. */
export function isLackOf(words: string): boolean {
  return /promisor|lazy fetch/.test(words)
}
