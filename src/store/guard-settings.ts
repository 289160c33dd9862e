/** The scanner's allow list, from the state that is looked at: the work tree may say something else. */
import { parseSettings } from "../format/settings.js"
import type { Git, Oid } from "../storage/git/git.js"
import { SETTINGS_PATH } from "./locate.js"

/** Globs of paths whose content may be plaintext. @throws CofferError `SETTING_UNKNOWN`, `SETTING_INVALID` */
export async function readAllowList(git: Git, at: Oid | "index"): Promise<readonly string[]> {
  for (const { path, oid, stage } of await git.entries(at, SETTINGS_PATH)) {
    if (path !== SETTINGS_PATH || stage !== 0) continue
    for await (const { bytes } of git.blobs([oid])) {
      if (bytes !== undefined) return (await parseSettings(bytes)).scan?.allow ?? []
    }
  }
  return []
}
