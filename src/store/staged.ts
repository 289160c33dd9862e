/** What the index holds of a store beyond HEAD, which every write goes on from. */
import { CofferError } from "../errors.js"
import { nameOfPath, type SecretName } from "../format/names.js"
import type { SecretFile } from "../format/secret-file.js"
import { KEYS_FOLDER } from "../keyring/trust.js"
import type { Change, Git, Oid } from "../storage/git/git.js"
import { type DraftFiles, filesIn } from "./draft-files.js"
import { parseFile, parseVerified } from "./reading.js"
import type { Store } from "./store.js"
import { gitTree, isBadFile, namesOf } from "./tree.js"
import type { View } from "./view.js"

/** Where a write goes: `base` is HEAD's commit, null before the first. */
export interface WritePlace {
  readonly store: Store
  readonly git: Git
  readonly base: Oid | null
}

/** What is staged of a secret where that is not what HEAD has. */
export type StagedSecret =
  | { readonly is: "conflicted" | "removed" | "refused" }
  | { readonly is: "verified"; readonly file: SecretFile }

/** What differs between HEAD and the index at or below a path in the store, by path in the store. */
export async function readStaged(
  { store, git, base }: WritePlace,
  path = "",
): Promise<ReadonlyMap<string, Change>> {
  const changes = await git.changes(base, "index", path === "" ? store.folder : `${store.folder}/${path}`)
  return new Map(changes.map(found => [found.path.slice(store.folder.length + 1), found]))
}

/** @param staged - what {@link readStaged} has of the secret. */
export async function readStagedSecret(
  git: Git,
  view: View,
  { path, change: { to, conflicted } }: { readonly path: string; readonly change: Change },
): Promise<StagedSecret> {
  if (conflicted) return { is: "conflicted" }
  if (to === undefined) return { is: "removed" }
  try {
    for await (const { bytes } of git.blobs([to.oid]))
      if (bytes !== undefined) return { is: "verified", file: parseVerified(view, { path, bytes }) }
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
  }
  return { is: "refused" }
}

/**
 * The versions that HEAD has of what is staged at or below a path in the store, 0 for none. In a merge it is the other
 * side's that is staged, and nothing goes on from there.
 */
export async function readVersionsBelow(
  place: WritePlace,
  path: string,
): Promise<ReadonlyMap<SecretName, number>> {
  const { store, git, base } = place
  if (base === null || (await git.state()) !== "clean") return new Map()
  const staged = await readStaged(place, path)
  const versions = new Map(namesOf(staged.keys()).map(name => [name, 0]))
  if (versions.size === 0) return versions
  for await (const found of gitTree(git, base, store.folder, new Set(staged.keys())).files(path)) {
    const name = nameOfPath(found.path)
    if (name === undefined) continue
    if (isBadFile(found)) throw found.error
    versions.set(name, parseFile(found).file.version)
  }
  return versions
}

/**
 * A key record that is staged. No write goes beside it: what HEAD's data key seals can be what nobody opens once that is
 * committed, a second record from the same HEAD would diverge from it, and taking it back could leave secrets under a key
 * that is nowhere. What a merge has staged is the other side's.
 */
export async function findStagedRecord(place: WritePlace): Promise<string | undefined> {
  if ((await place.git.state()) !== "clean") return undefined
  const [path] = (await readStaged(place, KEYS_FOLDER)).keys()
  return path
}

export function keyringIsStaged(record: string): CofferError {
  return new CofferError("GIT_DIRTY", `a change of the keyring is staged: "${record}"`, {
    hint: "git commit takes it in; git restore --staged --worktree and git clean drop it, with what is sealed under it",
  })
}

/**
 * What is sealed again with a change of the keyring is HEAD's: a staged change of the same secret would be lost.
 *
 * @throws CofferError `GIT_DIRTY`
 */
export async function refuseToReplaceStaged(place: WritePlace, { put }: DraftFiles): Promise<void> {
  if (![...put.keys()].some(isRecord)) return
  const staged = await readStaged(place)
  const replaced = new Map([...put].filter(([path]) => staged.has(path)))
  if (replaced.size > 0)
    await place.git.requireClean(place.base, filesIn(place.store.folder, replaced).keys())
}

/** Whether a path in the store is a key record's. */
export function isRecord(path: string): boolean {
  return path.startsWith(`${KEYS_FOLDER}/`)
}
