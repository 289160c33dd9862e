/** Values written to files: mode 0600, and never where the next `git add` would take them in. */
import { realpathSync, statSync } from "node:fs"
import { basename, dirname, join, relative, resolve, sep } from "node:path"
import { CofferError } from "../errors.js"
import { writeInto, writePrivateFile } from "../storage/files.js"
import type { Store } from "../store/store.js"
import type { Session } from "./session.js"

/**
 * Writes a value to a file, or into a device or pipe that is there.
 *
 * @returns its absolute path.
 * @throws CofferError `USAGE` inside the work tree where git does not ignore the path, `IO_FAILED`
 */
export async function writeValueFile(
  session: Session,
  store: Store,
  path: string,
  value: Uint8Array,
): Promise<string> {
  const file = realTarget(resolve(session.cwd, path))
  if (store.repository !== undefined) {
    const inside = relative(store.repository.workTree, file).split(sep).join("/")
    const outside = inside === ".." || inside.startsWith("../")
    if (!outside && !(await (await store.git()).isIgnored(inside))) {
      throw new CofferError("USAGE", "that file is inside the repository, and git would take it in", {
        hint: "name a file outside, or add it to .gitignore first",
      })
    }
  }
  if (isStream(file)) writeInto(file, value)
  else writePrivateFile(file, value)
  return file
}

/** A device, a pipe, or a name for something open (`/dev/stdout`): all that is no file which could be replaced. */
function isStream(file: string): boolean {
  if (dirname(file) === "/dev" || file.startsWith("/proc/")) return true
  const stats = statSync(file, { throwIfNoEntry: false })
  return stats !== undefined && !stats.isFile() && !stats.isDirectory()
}

/** A link in the folder's path may lead back into the work tree. */
function realTarget(path: string): string {
  try {
    return join(realpathSync(dirname(path)), basename(path))
  } catch {
    throw new CofferError("NOT_FOUND", "the folder of that file is not there", {
      hint: "make it with mkdir -p, or name another file",
    })
  }
}
