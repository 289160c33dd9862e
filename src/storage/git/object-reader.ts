/** Reading git's objects, whichever back end they come through. */
import { CofferError } from "../../errors.js"
import type { Oid, OidHex } from "./git.js"
import { type GitObject, parseCommit } from "./object.js"

export interface ObjectReader {
  readonly oidHex: OidHex
  /** An object, or undefined where the repository does not have it. */
  find(oid: Oid): Promise<GitObject | undefined>
  /** @throws CofferError `GIT_MISSING_OBJECT`, `GIT_FAILED` where it is of another type */
  get(oid: Oid, type: GitObject["type"]): Promise<Buffer>
}

export function objectReader(oidHex: OidHex, find: ObjectReader["find"]): ObjectReader {
  return {
    oidHex,
    find,
    async get(oid, type) {
      const object = await find(oid)
      if (object === undefined) throw missing(oid)
      if (object.type !== type) {
        throw new CofferError("GIT_FAILED", `git object ${oid} is a ${object.type}, not a ${type}`)
      }
      return object.bytes
    },
  }
}

/** The tree of a commit; a tree is its own. @throws CofferError `GIT_MISSING_OBJECT`, `GIT_FAILED` */
export async function treeOf(objects: ObjectReader, oid: Oid): Promise<Oid> {
  const object = await objects.find(oid)
  if (object?.type === "tree") return oid
  return parseCommit(object?.type === "commit" ? object.bytes : await objects.get(oid, "commit")).tree
}

/**
 * In the order asked for; without `bytes`: not here, or not a blob.
 *
 * @param ahead - how many objects are asked for at a time.
 */
export async function* blobs(
  objects: ObjectReader,
  oids: Iterable<Oid>,
  ahead = 1,
): AsyncGenerator<{ oid: Oid; bytes?: Uint8Array }> {
  const open: { oid: Oid; object: Promise<GitObject | undefined> }[] = []
  const next = async () => {
    const { oid, object } = open.shift()!
    const found = await object
    return found?.type === "blob" ? { oid, bytes: found.bytes } : { oid }
  }
  for (const oid of oids) {
    const object = objects.find(oid)
    // Its turn to fail comes when it is awaited, and that may be never.
    object.catch(() => {})
    open.push({ oid, object })
    if (open.length >= ahead) yield next()
  }
  while (open.length > 0) yield next()
}

function missing(oid: Oid): CofferError {
  return new CofferError("GIT_MISSING_OBJECT", `git object ${oid} is not in this clone`, {
    hint: "a shallow or partial clone lacks objects: git fetch --unshallow, or install git, which fetches them",
  })
}
