/** What the index holds of a store beyond HEAD, which every write goes on from. */
import { CofferError } from "../errors.js"
import { nameOfPath, pathOf, type SecretName } from "../format/names.js"
import type { SecretFile } from "../format/secret-file.js"
import { KEYS_FOLDER } from "../keyring/trust.js"
import type { Change, Git, Oid } from "../storage/git/git.js"
import { type DraftFiles, filesIn } from "./draft-files.js"
import { parseFile, parseVerified } from "./reading.js"
import type { Store } from "./store.js"
import { gitTree } from "./tree.js"
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

/** What differs between HEAD and the index, by path in the store. */
export async function readStaged({ store, git, base }: WritePlace): Promise<ReadonlyMap<string, Change>> {
  const changes = await git.changes(base, "index", store.folder)
  return new Map(changes.map(found => [inStore(store, found), found]))
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
 * The versions that HEAD has of what is staged, 0 for none. In a merge it is the other side's that is staged, and
 * nothing goes on from there.
 */
export async function readVersionsBelow({
  store,
  git,
  base,
}: WritePlace): Promise<ReadonlyMap<SecretName, number>> {
  const versions = new Map<SecretName, number>()
  if (base === null || (await git.state()) !== "clean") return versions
  const tree = gitTree(git, base, store.folder)
  for (const path of (await readStaged({ store, git, base })).keys()) {
    const name = nameOfPath(path)
    if (name === undefined) continue
    const found = await tree.find(pathOf(name))
    versions.set(name, found === undefined ? 0 : parseFile(found).file.version)
  }
  return versions
}

/**
 * A key record that is staged. No write goes beside it: what HEAD's data key seals can be what nobody opens once that is
 * committed, a second record from the same HEAD would diverge from it, and taking it back could leave secrets under a key
 * that is nowhere. What a merge has staged is the other side's.
 */
export async function findStagedRecord({ store, git, base }: WritePlace): Promise<string | undefined> {
  if ((await git.state()) !== "clean") return undefined
  const [found] = await git.changes(base, "index", `${store.folder}/${KEYS_FOLDER}`)
  return found && inStore(store, found)
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

function inStore(store: Store, { path }: Change): string {
  return path.slice(store.folder.length + 1)
}
