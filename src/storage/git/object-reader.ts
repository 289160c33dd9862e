/** Reading git's objects, whichever back end they come through. */
import { CofferError } from "../../errors.js"
import type { Oid, OidHex } from "./git.js"
import { type GitObject, parseCommit } from "./object.js"
import { FETCH_HINT } from "./partial-clone.js"

export interface ObjectReader {
  readonly oidHex: OidHex
  /** An object, or undefined where the repository does not have it. */
  find(oid: Oid): Promise<GitObject | undefined>
  /** The same for many, in the order asked for. */
  findAll(oids: Iterable<Oid>): AsyncIterable<{ oid: Oid; object: GitObject | undefined }>
  /** @throws CofferError `GIT_MISSING_OBJECT`, `GIT_FAILED` where it is of another type */
  get(oid: Oid, type: GitObject["type"]): Promise<Buffer>
}

export function objectReader(oidHex: OidHex, findAll: ObjectReader["findAll"]): ObjectReader {
  const find = async (oid: Oid) => {
    for await (const { object } of findAll([oid])) return object
    return undefined
  }
  return {
    oidHex,
    find,
    findAll,
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

/** In the order asked for; without `bytes`: not here, or not a blob. */
export async function* blobs(
  objects: ObjectReader,
  oids: Iterable<Oid>,
): AsyncGenerator<{ oid: Oid; bytes?: Uint8Array }> {
  for await (const { oid, object } of objects.findAll(oids)) {
    yield object?.type === "blob" ? { oid, bytes: object.bytes } : { oid }
  }
}

function missing(oid: Oid): CofferError {
  return new CofferError("GIT_MISSING_OBJECT", `git object ${oid} is not in this clone`, {
    hint: FETCH_HINT,
  })
}
