/** The conflicted secrets of a merge, read from the stages in git's index. */
import { CofferError } from "../errors.js"
import { pathOf, type SecretName } from "../format/names.js"
import type { SecretFile } from "../format/secret-file.js"
import type { MergeSide } from "../keyring/resolve-rule.js"
import { type PlacedSecret, verifySecret } from "../keyring/secret.js"
import type { Git, Oid } from "../storage/git/git.js"
import { FETCH_HINT } from "../storage/git/partial-clone.js"
import { parseFile } from "./reading.js"
import type { Store } from "./store.js"
import type { View } from "./view.js"

/** One side's file of a secret. */
export interface StagedSide extends MergeSide {
  readonly file: SecretFile
  readonly placed: PlacedSecret
}

/** One secret's three sides. */
export interface Sides {
  base?: StagedSide
  ours?: StagedSide
  theirs?: StagedSide
}

export interface Stages {
  readonly secrets: ReadonlyMap<SecretName, Sides>
  /** Conflicted path to the names that its stages are about. */
  readonly paths: ReadonlyMap<string, ReadonlySet<SecretName>>
}

interface StageEntry {
  readonly path: string
  readonly oid: Oid
  readonly side: keyof Sides
}

const SIDES = { 1: "base", 2: "ours", 3: "theirs" } as const

/**
 * Reads all stages and files each under the name in its own, signed header. Git may pair the stages of
 * two secrets by similarity (its rename detection), and one secret's value would land in another.
 *
 * @throws CofferError refusals of DESIGN §2.4, 15–17; `GIT_MISSING_OBJECT`
 */
export async function readStages(store: Store, git: Git, view: View): Promise<Stages> {
  const { conflicted, settled } = await readIndex(store, git)
  const secrets = new Map<SecretName, Sides>()
  const paths = new Map<string, Set<SecretName>>()
  for await (const { path, side, file, oid, placed } of readFiles(git, view, conflicted)) {
    const sides = secrets.get(file.name) ?? {}
    sides[side] ??= { file, oid, placed }
    secrets.set(file.name, sides)
    paths.set(path, (paths.get(path) ?? new Set()).add(file.name))
  }
  // A name whose own path merged cleanly has its present side there, not among the stages.
  const present = [...secrets.keys()].flatMap((name): StageEntry[] => {
    const oid = settled.get(pathOf(name))
    return oid === undefined ? [] : [{ path: pathOf(name), oid, side: "ours" }]
  })
  for await (const { file, oid, placed } of readFiles(git, view, present)) {
    const sides = secrets.get(file.name)
    if (sides !== undefined) sides.ours ??= { file, oid, placed }
  }
  return { secrets, paths }
}

async function readIndex(store: Store, git: Git) {
  const conflicted: StageEntry[] = []
  const settled = new Map<string, Oid>()
  for (const { path, oid, stage } of await git.entries("index", store.folder)) {
    const inStore = path.slice(store.folder.length + 1)
    if (stage === 0) settled.set(inStore, oid)
    else conflicted.push({ path: inStore, oid, side: SIDES[stage] })
  }
  return { conflicted, settled }
}

async function* readFiles(
  git: Git,
  view: View,
  entries: readonly StageEntry[],
): AsyncGenerator<StageEntry & StagedSide> {
  let index = 0
  for await (const { bytes } of git.blobs(entries.map(entry => entry.oid))) {
    const entry = entries[index++]!
    if (bytes === undefined) {
      throw new CofferError("GIT_MISSING_OBJECT", `a side of "${entry.path}" is not in this clone`, {
        hint: FETCH_HINT,
      })
    }
    const { file } = parseFile({ path: entry.path, bytes })
    const placed = verifySecret(view.keyring, file, { path: pathOf(file.name), old: true, fork: true })
    yield { ...entry, file, placed }
  }
}
