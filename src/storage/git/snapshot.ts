/** What index and work tree hold on the paths of a write, and whether that may be written over. */
import { CofferError } from "../../errors.js"
import { gitPath } from "../../format/shell.js"
import type { Backend } from "./backend.js"
import type { Entry, FileChanges, Oid } from "./git.js"
import { indexFingerprint } from "./index-lock.js"
import { clash, foldersOf } from "./index-patch.js"
import { blobId } from "./object.js"
import { inTheWay } from "./tree-edit.js"
import { lookAtFiles, stampOf } from "./work-files.js"

/** The state before a write. */
export interface Snapshot {
  readonly index: string
  readonly stamps: ReadonlyMap<string, string>
  /** Paths that a sparse checkout leaves out of the work tree: they stay out. */
  readonly leftOut: ReadonlySet<string>
  /** The blobs that the work files hold. */
  readonly work: ReadonlyMap<string, Oid | null>
  /** What the index has; paths that it lacks are left out. */
  readonly entries: ReadonlyMap<string, readonly Entry[]>
}

/**
 * Looks at the paths before a commit: index and work tree have to be as HEAD has them.
 *
 * @throws CofferError `GIT_DIRTY`, `GIT_CONFLICTED`
 */
export async function inspectForCommit(
  backend: Backend,
  base: Oid | null,
  paths: readonly string[],
): Promise<Snapshot> {
  return inspect(backend, base, paths, (path, head, index, work) => {
    if (index.some(entry => entry.stage !== 0)) throw conflicted(path)
    const entry = index[0]
    if (entry?.oid !== head?.oid || entry?.mode !== head?.mode)
      throw dirty(path, "has a staged change", { head, entry })
    const isLeftOut = entry?.skipWorktree === true && work === null
    if (work === (head?.oid ?? null) || isLeftOut) return
    throw dirty(
      path,
      head === undefined ? "is there and is not committed" : "has a change that is not committed",
      { head, entry },
    )
  })
}

/**
 * Looks at the paths before a change without commit: only bytes that git also holds are written over, and what a
 * merge left of a conflict.
 *
 * @throws CofferError `GIT_DIRTY`
 */
export async function inspectForStage(backend: Backend, paths: readonly string[]): Promise<Snapshot> {
  const { commit } = await backend.head()
  return inspect(backend, commit, paths, (path, head, index, work) => {
    const isConflicted = index.some(entry => entry.stage !== 0)
    if (isConflicted || work === null || work === head?.oid || work === index[0]?.oid) return
    throw dirty(path, "has a change that is neither committed nor staged", { head, entry: index[0] })
  })
}

/** Those of the files that index and work tree do not both hold already. */
export function differing({ oidHex }: Backend, snapshot: Snapshot, files: FileChanges): FileChanges {
  return new Map(
    [...files].filter(([path, bytes]) => {
      const to = bytes === null ? null : blobId(bytes, oidHex)
      const [entry, ...others] = snapshot.entries.get(path) ?? []
      const isStaged = others.length === 0 && (entry?.oid ?? null) === to && (entry?.stage ?? 0) === 0
      const isPlain = entry === undefined || entry.mode === "100644"
      return !isStaged || !isPlain || (snapshot.work.get(path) !== to && !snapshot.leftOut.has(path))
    }),
  )
}

/** Whether index and work files are still what the snapshot saw: otherwise look again. */
export function isUnchanged(backend: Backend, snapshot: Snapshot): boolean {
  if (indexFingerprint(backend.gitDir) !== snapshot.index) return false
  for (const [path, stamp] of snapshot.stamps) if (stampOf(backend.workTree, path) !== stamp) return false
  return true
}

async function inspect(
  backend: Backend,
  base: Oid | null,
  paths: readonly string[],
  check: (path: string, head: Entry | undefined, index: readonly Entry[], work: Oid | null) => void,
): Promise<Snapshot> {
  const fingerprint = indexFingerprint(backend.gitDir)
  const [head, index] = await Promise.all([
    base === null ? new Map<string, readonly Entry[]>() : backend.lookup(base, paths),
    backend.lookup("index", paths),
  ])
  const files = lookAtFiles(backend)
  const stamps = new Map<string, string>()
  const leftOut = new Set<string>()
  const blobs = new Map<string, Oid | null>()
  for (const path of paths) {
    const work = files.read(path)
    const entries = index.get(path) ?? []
    check(path, head.get(path)?.[0], entries, work.oid)
    stamps.set(path, work.stamp)
    if (entries[0]?.skipWorktree === true && work.oid === null) leftOut.add(path)
    blobs.set(path, work.oid)
  }
  await refuseObstacles(
    backend,
    base,
    paths.filter(path => !index.has(path)),
  )
  return { index: fingerprint, stamps, leftOut, work: blobs, entries: index }
}

/**
 * Git holds no file beside a folder of its name: told to take one in, it drops the other, and with it what somebody
 * has committed or staged there. What is in the way in the index and not in HEAD has been added since.
 */
async function refuseObstacles(backend: Backend, base: Oid | null, added: readonly string[]): Promise<void> {
  if (added.length === 0) return
  const committed = base === null ? undefined : await backend.findObstacle(base, added)
  if (committed !== undefined) throw inTheWay(committed)
  const wanted = new Set(added)
  const folders = new Map(added.flatMap(path => foldersOf(path).map(folder => [folder, path])))
  for (const top of new Set(added.map(path => path.split("/", 1)[0]!))) {
    for (const { path, to } of await backend.changes(base, "index", top)) {
      if (to === undefined) continue
      const kept = folders.get(path) ?? foldersOf(path).find(folder => wanted.has(folder))
      if (kept !== undefined) throw clash(kept, path)
    }
  }
}

function conflicted(path: string): CofferError {
  return new CofferError("GIT_CONFLICTED", `"${path}" is in conflict`, { hint: "coffer resolve" })
}

function dirty(
  path: string,
  what: string,
  { head, entry }: { head: unknown; entry: Entry | undefined },
): CofferError {
  const known = entry === undefined ? "git clean -fx --" : "git rm -f --"
  // Git does not see what is in the place of a file that it has been told to leave out.
  const checkout = entry?.skipWorktree ? "git checkout --ignore-skip-worktree-bits" : "git checkout"
  const drop = head === undefined ? known : `${checkout} HEAD --`
  return new CofferError("GIT_DIRTY", `"${path}" ${what}`, {
    hint: `commit it, or drop it: ${drop} ${gitPath(path)}`,
  })
}
