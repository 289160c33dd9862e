/** The file system that isomorphic-git sees: one object folder, with git's alternates behind it. */
import { readdirSync, readFileSync, statSync } from "node:fs"
import { join, relative, resolve, sep } from "node:path"
import type { PromiseFsClient } from "isomorphic-git"
import { CofferError } from "../../errors.js"
import { errnoOf, ioError } from "../files.js"
import { unsupported } from "./unsupported.js"

/**
 * Maps the paths below the first object folder onto all of them: isomorphic-git knows no alternates; the common
 * folder of a linked work tree it is simply given. It only reads.
 *
 * The calls below are synchronous: a promise for each of the many failing look-ups costs ten times the look-up.
 */
export function objectFileSystem(objectFolders: readonly string[]): PromiseFsClient {
  const places = (path: string | undefined) => {
    // For each object isomorphic-git tries first whether this file system gives promises.
    if (path === undefined) return []
    const inside = relative(objectFolders[0]!, path)
    if (inside === ".." || inside.startsWith(`..${sep}`)) return [path]
    return objectFolders.map(folder => join(folder, inside))
  }
  const listNames = cachedListing()
  const refuse = () => Promise.reject(new Error("isomorphic-git may not do this"))
  return {
    promises: {
      readFile: async (path: string) => firstThere(places(path), findObjectFile),
      readdir: async (path: string) => [...new Set(places(path).flatMap(listNames))],
      stat: async (path: string) => firstThere(places(path), findStats),
      writeFile: refuse,
      lstat: refuse,
      mkdir: refuse,
      readlink: refuse,
      rmdir: refuse,
      symlink: refuse,
      unlink: refuse,
    },
  }
}

/** The repository's object folders: its own first, then those its alternates name, five levels deep as in git. */
export function findObjectFolders(commonDir: string): string[] {
  const found: string[] = []
  const visit = (folder: string, depth: number) => {
    if (found.includes(folder)) return
    found.push(folder)
    if (depth === 5) return
    for (const line of readAlternates(folder)) visit(resolve(folder, line), depth + 1)
  }
  visit(join(commonDir, "objects"), 0)
  return found
}

function readAlternates(objectFolder: string): string[] {
  const path = join(objectFolder, "info", "alternates")
  let text: string
  try {
    text = readFileSync(path, "utf8")
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return []
    throw ioError("read", path, error)
  }
  const lines = text.split("\n").filter(line => line !== "" && !line.startsWith("#"))
  if (lines.some(line => line.startsWith('"'))) throw unsupported("a quoted path in objects/info/alternates")
  return lines
}

/** One for all: making an error costs more than the look-up, and nobody sees this one. */
const NOT_THERE = Object.assign(new Error("not there"), { code: "ENOENT" })

function firstThere<T>(places: readonly string[], find: (place: string) => T | undefined): T {
  for (const place of places) {
    const found = find(place)
    if (found !== undefined) return found
  }
  throw NOT_THERE
}

function findStats(place: string) {
  return statSync(place, { throwIfNoEntry: false })
}

function findObjectFile(place: string): Buffer | undefined {
  return findStats(place) === undefined ? undefined : readObjectFile(place)
}

/** isomorphic-git lists the packs for each object that it reads: a folder's time tells whether they changed. */
function cachedListing(): (folder: string) => string[] {
  const known = new Map<string, { time: bigint; names: string[] }>()
  return folder => {
    const time = statSync(folder, { bigint: true, throwIfNoEntry: false })?.mtimeNs ?? 0n
    const last = known.get(folder)
    if (last?.time === time) return last.names
    const names = findNames(folder)
    known.set(folder, { time, names })
    return names
  }
}

/** What isomorphic-git would answer with a TypeError, or with the advice that an object is missing. */
export function readObjectFile(place: string): Buffer {
  try {
    const bytes = readFileSync(place)
    if (place.endsWith(".idx") && bytes.toString("latin1", 0, 4) !== "\xfftOc") {
      throw unsupported("pack index version 1")
    }
    return bytes
  } catch (error) {
    if (errnoOf(error) === "ERR_FS_FILE_TOO_LARGE") throw unsupported("pack larger than 2 GiB")
    if (error instanceof CofferError || errnoOf(error) === "ENOENT") throw error
    throw ioError("read", place, error)
  }
}

export function findNames(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return []
    throw ioError("list", folder, error)
  }
}
