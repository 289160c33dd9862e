/** The key record files of a tree, as verification takes them. */
import { ROOT_GROUP } from "../format/names.js"
import { KEYS_FOLDER } from "../keyring/trust.js"
import { isBadFile, type Tree } from "./tree.js"

export interface RecordsWanted {
  /** Groups besides the root group. Default: all. */
  readonly groups?: readonly string[] | undefined
  /** Leaves out what cannot be read, in place of refusing. */
  readonly skipBad?: boolean
}

/** Reads key records. @throws CofferError `NOT_CANONICAL`, `CONFLICTED` */
export async function readRecords(
  tree: Tree,
  { groups, skipBad = false }: RecordsWanted = {},
): Promise<{ path: string; bytes: Uint8Array }[]> {
  const folders =
    groups === undefined ? [KEYS_FOLDER] : [ROOT_GROUP, ...groups].map(group => `${KEYS_FOLDER}/${group}`)
  const records = new Map<string, { path: string; bytes: Uint8Array }>()
  for (const folder of folders) {
    for await (const file of tree.files(folder)) {
      if (!isBadFile(file)) records.set(file.path, file)
      else if (!skipBad) throw file.error
    }
  }
  return [...records.values()]
}
