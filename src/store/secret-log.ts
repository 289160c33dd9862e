/** The commits that git's log has of a secret, as far as this clone can tell. */
import { hasCode } from "../errors.js"
import type { Git, LogEntry } from "../storage/git/git.js"
import { isPartialClone } from "../storage/git/partial-clone.js"

/** What git's log has of a path, newest first. */
export interface SecretLog {
  readonly entries: readonly LogEntry[]
  /** Not where a partial clone lacks the trees to tell. */
  readonly isWhole: boolean
}

export const NO_LOG: SecretLog = { entries: [], isWhole: true }

/** @param path - of a secret's file, relative to the store's folder. */
export async function readLog(
  { git, folder }: { readonly git: Git; readonly folder: string },
  path: string,
): Promise<SecretLog> {
  const { commit } = await git.head()
  if (commit === null) return NO_LOG
  const entries: LogEntry[] = []
  try {
    for await (const entry of git.log(`${folder}/${path}`, commit)) entries.push(entry)
  } catch (error) {
    if (!hasCode(error, "GIT_MISSING_OBJECT") || !isPartialClone(git)) throw error
    return { entries, isWhole: false }
  }
  return { entries, isWhole: true }
}
