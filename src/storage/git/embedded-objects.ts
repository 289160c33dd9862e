/** The object store: read through isomorphic-git, written as loose files or, in bulk, as one pack. */
import { join } from "node:path"
import { deflateSync } from "node:zlib"
import { CofferError } from "../../errors.js"
import { once } from "../once.js"
import { type GitFiles, OBJECT_MODE } from "./embedded-files.js"
import { findNames, findObjectFolders, objectFileSystem, readObjectFile } from "./embedded-fs.js"
import type { Oid } from "./git.js"
import { type GitObject, oidOf, wrapObject } from "./object.js"
import { type ObjectReader, objectReader } from "./object-reader.js"
import { idsInPackIndex, printPack } from "./pack.js"

/** Above this, an fsync per file costs more than a pack and its index. */
const MAX_LOOSE = 100

export interface ObjectStore extends ObjectReader {
  /** The ids that begin so: at least four hex digits. */
  findByPrefix(prefix: string): Oid[]
  /** Writes objects so that they survive a power cut. */
  write(objects: readonly GitObject[]): Promise<void>
}

/** Asked for at each object, `import()` alone would be a tenth of the reading. */
const isomorphicGit = once(() => import("isomorphic-git"))

/** @param commonDir - the git directory that holds the objects. */
export function openObjects(commonDir: string, files: GitFiles): ObjectStore {
  const folders = findObjectFolders(commonDir)
  let fs = objectFileSystem(folders)
  // isomorphic-git keeps each pack it has read, whole, in this object: without it every read starts again.
  let cache = {}
  const read = async (oid: Oid) => {
    const { readObject } = await isomorphicGit()
    const { type, object } = await readObject({ fs, gitdir: commonDir, oid, format: "content", cache })
    return { type, bytes: Buffer.from(object as Uint8Array) } as GitObject
  }
  const find = async (oid: Oid) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await read(oid)
      } catch (error) {
        if (error instanceof CofferError) throw error
        const isMissing = codeOf(error) === "NotFoundError"
        if (attempt > 1 && isMissing) return undefined
        if (attempt > 1) throw unreadable(oid, error)
        // As git does, look again: a `git gc` meanwhile puts objects into a new pack and removes the old ones.
        fs = objectFileSystem(folders)
        if (!isMissing) cache = {}
      }
    }
  }
  return {
    ...objectReader(40, async function* (oids) {
      for (const oid of oids) yield { oid, object: await find(oid) }
    }),
    findByPrefix: prefix => [...new Set(folders.flatMap(folder => oidsWithPrefix(folder, prefix)))],
    async write(objects) {
      // What was read for it has been, and a large write needs the memory.
      cache = {}
      // Equal ones once: a pack with an object twice has two places for it in its index.
      const unique = new Map(objects.map(object => [oidOf(object), object]))
      if (unique.size > MAX_LOOSE) return writePack(folders[0]!, files, unique)
      for (const [oid, object] of unique) {
        const path = join(folders[0]!, oid.slice(0, 2), oid.slice(2))
        files.replace(path, [deflateSync(wrapObject(object))], OBJECT_MODE)
      }
    },
  }
}

/** Git takes a pack as there once its index is, so the index comes last. */
function writePack(folder: string, files: GitFiles, objects: ReadonlyMap<Oid, GitObject>): void {
  const { name, pack, index } = printPack(objects)
  files.replace(join(folder, "pack", `pack-${name}.pack`), pack, OBJECT_MODE)
  files.replace(join(folder, "pack", `pack-${name}.idx`), index, OBJECT_MODE)
}

/** Looks through one object folder: names of loose files, sorted lists of ids in pack indexes. */
function oidsWithPrefix(folder: string, prefix: string): Oid[] {
  const loose = findNames(join(folder, prefix.slice(0, 2))).map(name => prefix.slice(0, 2) + name)
  const firstByte = Number.parseInt(prefix.slice(0, 2), 16)
  const packed = findNames(join(folder, "pack"))
    .filter(name => name.endsWith(".idx"))
    .flatMap(name => {
      const path = join(folder, "pack", name)
      return idsInPackIndex(readObjectFile(path), firstByte, path)
    })
  return [...loose, ...packed].filter(oid => oid.startsWith(prefix))
}

/** isomorphic-git's errors carry their kind in `code`. */
function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined
}

function unreadable(oid: Oid, cause: unknown): CofferError {
  return new CofferError("GIT_FAILED", `git object ${oid} cannot be read`, { hint: "git fsck", cause })
}
