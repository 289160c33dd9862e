/** Where a store lies: flag, environment, the repository's settings, then `secrets`. */
import { existsSync, lstatSync } from "node:fs"
import { dirname, join, relative, resolve, sep } from "node:path"
import { CofferError } from "../errors.js"
import { parseSettings, type Settings } from "../format/settings.js"
import { STORE_FILE_PATH } from "../format/store-file.js"
import { openFiles } from "../storage/files.js"

/** The file of a repository's own settings. It is untrusted: see docs/threat-model.md. */
export const SETTINGS_PATH = ".coffer.yaml"
export const DEFAULT_FOLDER = "secrets"
const SETTINGS_MAX_BYTES = 64 * 1024

export interface Place {
  /** The work tree, or without a repository the folder that the store lies in. */
  readonly top: string
  /** Absolute path of the store's folder, whether or not it is there yet. */
  readonly root: string
  /** Undefined where the repository has no settings file. */
  readonly settings: Settings | undefined
}

/**
 * Finds the folder of the store.
 *
 * @param request.wanted - `--store` or `COFFER_STORE`: relative to the current folder, else to the repository.
 * @throws CofferError `NOT_FOUND` where no store is named and none is there, `USAGE` for one outside the
 * repository, its top folder, or behind a symbolic link.
 */
export async function locateStore(request: {
  directory: string
  workTree: string | undefined
  wanted: string | undefined
}): Promise<Place> {
  const top = request.workTree ?? findTop(request.directory)
  const settings = await readSettings(top)
  const root = findRoot(request, top, settings)
  refuseOutside(top, root)
  return { top, root, settings }
}

function findRoot(
  { directory, wanted }: { directory: string; wanted: string | undefined },
  top: string,
  settings: Settings | undefined,
): string {
  if (wanted === undefined) return join(top, settings?.store ?? DEFAULT_FOLDER)
  const here = resolve(directory, wanted)
  return isStore(here) || !isStore(resolve(top, wanted)) ? here : resolve(top, wanted)
}

export function isStore(folder: string): boolean {
  return existsSync(join(folder, STORE_FILE_PATH))
}

/** Without a repository (tarball, docker build): the nearest folder above that holds a store or its settings. */
function findTop(directory: string): string {
  for (let folder = directory; ; folder = dirname(folder)) {
    if (isStore(join(folder, DEFAULT_FOLDER)) || existsSync(join(folder, SETTINGS_PATH))) return folder
    if (dirname(folder) === folder) return directory
  }
}

async function readSettings(top: string): Promise<Settings | undefined> {
  const bytes = openFiles(top).read(SETTINGS_PATH, SETTINGS_MAX_BYTES)
  return bytes === undefined ? undefined : parseSettings(bytes)
}

// A repository could otherwise name a store that lies anywhere on the machine that reads it.
function refuseOutside(top: string, root: string): void {
  const path = relative(top, root)
  if (path === "" || path === ".." || path.startsWith(`..${sep}`)) {
    throw new CofferError("USAGE", "the store has to be a folder inside the repository, not its top", {
      hint: "coffer --store secrets",
    })
  }
  let folder = top
  for (const segment of path.split(sep)) {
    folder = join(folder, segment)
    if (lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink()) {
      throw new CofferError("USAGE", "the store's folder is a symbolic link, or lies behind one", {
        hint: "move the store to a real folder of the repository and name it with --store",
      })
    }
  }
}
