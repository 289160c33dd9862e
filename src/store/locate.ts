/** Where a store lies: flag, environment, the repository's settings, then `secrets`. */
import { existsSync, lstatSync, realpathSync, type Stats } from "node:fs"
import { dirname, join, relative, resolve, sep } from "node:path"
import { withoutEnd } from "../encoding.js"
import { CofferError } from "../errors.js"
import { parseSettings, type Settings } from "../format/settings.js"
import { STORE_FILE_PATH } from "../format/store-file.js"
import type { Environment } from "../storage/environment.js"
import { ioError, openFiles } from "../storage/files.js"
import { findRepository, type Repository } from "../storage/repository.js"

/** The file of a repository's own settings. It is untrusted: see docs/threat-model.md. */
export const SETTINGS_PATH = ".coffer.yaml"
export const DEFAULT_FOLDER = "secrets"
const SETTINGS_MAX_BYTES = 64 * 1024

export interface Place {
  /** The work tree, or without a repository the folder that the store lies in. */
  readonly top: string
  /** Absolute path of the store's folder, whether or not it is there yet. */
  readonly root: string
  /** The same relative to `top`, with `/`. */
  readonly folder: string
  /** Undefined where the repository has no settings file. */
  readonly settings: Settings | undefined
}

/** What says where a store is looked for. */
export interface Whereabouts {
  readonly directory: string
  readonly env: Environment
  readonly store?: string | undefined
}

/**
 * The repository of the store, and the folder that git is asked from: where the call is made, or where there is none there,
 * where the store that is named lies.
 */
export function findSurroundings(options: Whereabouts): {
  readonly folder: string
  readonly repository: Repository | undefined
} {
  const here = { folder: options.directory, repository: findRepository(options.directory) }
  const wanted = wantedStore(options)
  if (here.repository !== undefined || wanted === undefined) return here
  const folder = existingPart(resolve(options.directory, wanted))
  return { folder, repository: findRepository(folder) }
}

function wantedStore({ store, env }: Whereabouts): string | undefined {
  return store ?? (env.COFFER_STORE || undefined)
}

/** A folder, or the nearest one above it that is there. */
export function existingPart(folder: string): string {
  return existsSync(folder) ? folder : existingPart(dirname(folder))
}

/**
 * Finds the folder of the store: the one that `store` or COFFER_STORE names (relative to the current folder, else to
 * the repository), or that the settings do.
 *
 * @throws CofferError `NOT_FOUND` where no store is named and none is there, `USAGE` for one outside the
 * repository, its top folder, behind a symbolic link or a file, or of a name that git could not check out.
 */
export async function locateStore(options: Whereabouts, workTree: string | undefined): Promise<Place> {
  const directory = realPathOf(options.directory)
  const top = workTree ?? findTop(directory)
  const settings = await readSettings(top)
  const root = findRoot({ directory, wanted: wantedStore(options) }, top, settings)
  refuseUnfit(top, root)
  return { top, root, folder: relative(top, root).split(sep).join("/"), settings }
}

function findRoot(
  { directory, wanted }: { directory: string; wanted: string | undefined },
  top: string,
  settings: Settings | undefined,
): string {
  if (wanted === undefined) return join(top, settings?.store ?? DEFAULT_FOLDER)
  const here = throughLinks(top, resolve(directory, wanted))
  return isStore(here) || !isStore(resolve(top, wanted)) ? here : resolve(top, wanted)
}

/** A path that is not below `top` as it is written may be so by links outside of it, which are the user's own. */
function throughLinks(top: string, path: string): string {
  return isWithin(top, path) ? path : realPathOf(path)
}

/** Of what is not there, the real path of the folder it would be in, and the rest as it is. */
function realPathOf(path: string): string {
  const there = existingPart(resolve(path))
  return join(realpathSync.native(there), relative(there, resolve(path)))
}

function isWithin(top: string, path: string): boolean {
  const below = relative(top, path)
  return below !== ".." && !below.startsWith(`..${sep}`)
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
function refuseUnfit(top: string, root: string): void {
  const path = relative(top, root)
  if (path === "" || !isWithin(top, root)) {
    throw unfit("the store has to be a folder inside the repository, not its top")
  }
  const segments = path.split(sep)
  const fault = findPathFault(segments)
  if (fault !== undefined) throw unfit(`the store's folder has ${fault}`)
  // Below what is no folder there is nothing to be unfit.
  if (!existsSync(top + sep)) return
  let folder = top
  for (const segment of segments) {
    folder = join(folder, segment)
    const stats = lookAt(folder)
    if (stats?.isSymbolicLink()) {
      throw new CofferError("USAGE", "the store's folder is a symbolic link, or lies behind one", {
        hint: "move the store to a real folder of the repository and name it with --store",
      })
    }
    if (stats !== undefined && !stats.isDirectory()) {
      throw unfit("the store's folder is a file, or lies behind one")
    }
  }
}

function lookAt(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false })
  } catch (error) {
    throw ioError("read", path, error)
  }
}

function unfit(message: string): CofferError {
  return new CofferError("USAGE", message, { hint: "coffer --store secrets" })
}

const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/
/** Files at the top of a repository: a folder of that name would be in their way. */
const OWN_FILES: readonly string[] = [SETTINGS_PATH, ".gitattributes", ".gitignore", ".gitmodules"]

/** Git commits such paths when it is handed a tree, and no clone can check them out. */
function findPathFault(segments: readonly string[]): string | undefined {
  if (segments.some(segment => CONTROL.test(segment))) return "a control character in its name"
  if (segments.some(isDotGit)) return "a part that git takes for its own .git"
  if (OWN_FILES.includes(segments[0]!.toLowerCase())) return "the name of a file of git's or coffer's own"
  return undefined
}

/** Characters that HFS+ does not see. */
const IGNORED_BY_HFS = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g

/**
 * Whether some file system takes a name for `.git`: in capitals, by its short name, with what NTFS cuts off.
 *
 * @see https://git-scm.com/docs/git-config#Documentation/git-config.txt-coreprotectNTFS
 */
function isDotGit(segment: string): boolean {
  const [seen = ""] = segment.replace(IGNORED_BY_HFS, "").split(/[\\:]/)
  return /^(?:\.git|git~1)$/.test(withoutEnd(seen, ". ").toLowerCase())
}
