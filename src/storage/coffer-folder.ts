/** Our folder in a git directory: journal, locks and what was seen. */
import { chmodSync, lstatSync, mkdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { CofferError } from "../errors.js"
import { errnoOf, ioError } from "./files.js"

/**
 * Our folder in a git directory, made if it is not there. It has the git directory's own permissions, so that
 * whoever shares the repository can finish what another one's killed process left.
 */
export function cofferFolder(gitDir: string): string {
  const folder = join(gitDir, "coffer")
  try {
    const stats = lstatSync(folder, { throwIfNoEntry: false })
    if (stats?.isDirectory() === true) return folder
    // A link would have journal and locks written elsewhere.
    if (stats !== undefined) throw inTheWay(folder)
    mkdirSync(folder)
    chmodSync(folder, statSync(gitDir).mode & 0o7777)
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw ioError("make the folder", folder, error)
  }
  return folder
}

function inTheWay(folder: string): CofferError {
  return new CofferError("IO_FAILED", `"${folder}" is not a folder`, {
    hint: `move it away; coffer makes a new one: mv "${folder}" "${folder}.old"`,
  })
}
