/** One state of a store's files (work tree, index or commit), read the same way whichever it is. */
import { existsSync } from "node:fs"
import { CofferError } from "../errors.js"
import { LIMITS } from "../format/limits.js"
import { isAtOrBelow, isBelow, nameOfPath, type SecretName } from "../format/names.js"
import { shellWord } from "../format/shell.js"
import { KEYS_FOLDER } from "../keyring/trust.js"
import type { Files } from "../storage/files.js"
import type { Entry, Git, Oid } from "../storage/git/git.js"
import { FETCH_HINT, isPartialClone } from "../storage/git/partial-clone.js"
import { mayBeSparse } from "../storage/repository.js"

/** A regular file; `path` is relative to the store, with `/`. */
export interface TreeFile {
  readonly path: string
  readonly bytes: Uint8Array
  /** Git's id of the content; absent in the work tree. */
  readonly oid?: Oid
}

/** A path that cannot be read as a store file: a link, a device, oversized, conflicted, another mode. */
export interface BadFile {
  readonly path: string
  readonly error: CofferError
}

/** All that the rest of the store layer needs to know of where its files come from. */
export interface Tree {
  readonly at: "worktree" | "index" | Oid
  /** @throws CofferError `NOT_CANONICAL` for what is no regular file in size, `CONFLICTED` where git has stages. */
  find(path: string): Promise<TreeFile | undefined>
  /** Every file below `prefix` ("" for all), sorted by path. */
  files(prefix: string): AsyncIterable<TreeFile | BadFile>
  /** Paths only, sorted. */
  paths(prefix: string): Promise<readonly string[]>
}

export function isBadFile(file: TreeFile | BadFile): file is BadFile {
  return "error" in file
}

/**
 * The files as they lie in the work tree: no git binary, no history, no `.git` is needed.
 */
export function workTree(
  files: Files,
  git: {
    /** Asked for a path that is not there: a sparse checkout leaves out files that exist. */
    absent(path: string): Promise<TreeFile | undefined>
    /** All that a sparse checkout leaves out; undefined where there is none. */
    leftOut(): Promise<Tree | undefined>
    /** Paths that a merge has left in conflict; the file there is one side, whole. */
    conflicts(): Promise<ReadonlySet<string>>
  },
): Tree {
  // A sparse checkout may leave out the store's folder itself.
  const walk = (prefix: string, leftOut: Tree | undefined) =>
    leftOut === undefined || existsSync(files.root) ? files.walk(prefix) : []
  async function* readHere(prefix: string, leftOut: Tree | undefined): AsyncGenerator<TreeFile | BadFile> {
    for (const entry of walk(prefix, leftOut)) {
      try {
        if ((await git.conflicts()).has(entry.path)) throw inConflict(entry.path)
        const bytes = files.read(entry.path, limitOf(entry.path))
        if (bytes !== undefined) yield { path: entry.path, bytes }
      } catch (error) {
        if (!(error instanceof CofferError)) throw error
        yield { path: entry.path, error }
      }
    }
  }
  return {
    at: "worktree",
    async find(path) {
      if ((await git.conflicts()).has(path)) throw inConflict(path)
      const bytes = files.read(path, limitOf(path))
      return bytes === undefined ? git.absent(path) : { path, bytes }
    },
    async *files(prefix) {
      const leftOut = await git.leftOut()
      const here = readHere(prefix, leftOut)
      yield* leftOut === undefined ? here : mergeByPath(here, leftOut.files(prefix))
    },
    async paths(prefix) {
      const leftOut = await git.leftOut()
      const here = [...walk(prefix, leftOut)].map(entry => entry.path)
      return leftOut === undefined ? here : [...new Set([...here, ...(await leftOut.paths(prefix))])].sort()
    },
  }
}

/** Two sorted runs of files as one; of a path that both have, the first one's. */
async function* mergeByPath(
  first: AsyncIterable<TreeFile | BadFile>,
  second: AsyncIterable<TreeFile | BadFile>,
): AsyncGenerator<TreeFile | BadFile> {
  const others = second[Symbol.asyncIterator]()
  let other = await others.next()
  for await (const file of first) {
    for (; !other.done && other.value.path < file.path; other = await others.next()) yield other.value
    if (!other.done && other.value.path === file.path) other = await others.next()
    yield file
  }
  for (; !other.done; other = await others.next()) yield other.value
}

/**
 * The files of a commit, or of the index that git names (in a hook: `GIT_INDEX_FILE`).
 *
 * @param only - paths to which the tree is limited.
 */
export function gitTree(git: Git, at: Oid | "index", folder: string, only?: ReadonlySet<string>): Tree {
  const inRepository = (path: string) => (path === "" ? folder : `${folder}/${path}`)
  async function entriesBelow(prefix: string): Promise<Entry[]> {
    const entries = await git.entries(at, inRepository(prefix))
    return entries
      .map(entry => ({ ...entry, path: entry.path.slice(folder.length + 1) }))
      .filter(({ path }) => only?.has(path) !== false && isAtOrBelow(path, prefix))
  }
  async function* read(prefix: string): AsyncGenerator<TreeFile | BadFile> {
    const batch: { path: string; oid: Oid }[] = []
    for (const entry of await entriesBelow(prefix)) {
      const error = refusal(entry)
      if (error !== undefined) {
        yield* readBatch(git, folder, batch.splice(0))
        if (entry.stage === 0 || entry.stage === 2) yield { path: entry.path, error }
        continue
      }
      batch.push(entry)
      if (batch.length === BATCH) yield* readBatch(git, folder, batch.splice(0))
    }
    yield* readBatch(git, folder, batch)
  }
  return {
    at,
    async find(path) {
      for await (const file of read(path)) {
        if (file.path !== path) continue
        if (isBadFile(file)) throw file.error
        return file
      }
      return undefined
    },
    files: read,
    async paths(prefix) {
      return [...new Set((await entriesBelow(prefix)).map(({ path }) => path))]
    },
  }
}

/** The names among paths: everything else in a store has a folder of its own or is not coffer's. */
export function namesOf(paths: Iterable<string>): SecretName[] {
  return [...paths].map(nameOfPath).filter(name => name !== undefined)
}

const BATCH = 512

async function* readBatch(
  git: Git,
  folder: string,
  batch: readonly { path: string; oid: Oid }[],
): AsyncGenerator<TreeFile | BadFile> {
  let index = 0
  for await (const { oid, bytes } of git.blobs(batch.map(entry => entry.oid))) {
    const { path } = batch[index++]!
    if (bytes === undefined) yield { path, error: missingObject(git, folder, { path, oid }) }
    else if (bytes.length > limitOf(path)) yield { path, error: notRegular(path, "larger than the limit") }
    else yield { path, bytes, oid }
  }
}

function refusal(entry: { path: string; mode: string; stage: number }): CofferError | undefined {
  if (entry.stage !== 0) return inConflict(entry.path)
  if (entry.mode === "100644") return undefined
  return notRegular(entry.path, `its mode in git is ${entry.mode}, not 100644`)
}

export function inConflict(path: string): CofferError {
  return new CofferError("CONFLICTED", `"${path}" is in conflict in this merge`, {
    hint: "coffer resolve settles what has one right answer, and names the rest",
  })
}

function notRegular(path: string, why: string): CofferError {
  return new CofferError("NOT_CANONICAL", `"${path}" is not a plain store file: ${why}`)
}

function missingObject(git: Git, folder: string, { path, oid }: { path: string; oid: Oid }): CofferError {
  // Clones of big repositories lack what their sparse checkout leaves out; to fetch all of it is not what anybody wants.
  const mayBeLeftOut = isPartialClone(git) && mayBeSparse(git)
  const remedy = `git sparse-checkout add ${shellWord(folder)}, in the top folder`
  return new CofferError("GIT_MISSING_OBJECT", `the content of "${path}" (${oid}) is not in this clone`, {
    hint: mayBeLeftOut ? `what the sparse checkout leaves out: ${remedy}; ${FETCH_HINT}` : FETCH_HINT,
  })
}

function limitOf(path: string): number {
  return isBelow(path, KEYS_FOLDER) ? LIMITS.keyRecordBytes : LIMITS.secretFileBytes
}

/** The store before its first commit. */
export function emptyTree(): Tree {
  return {
    at: "index",
    find: async () => undefined,
    async *files() {},
    paths: async () => [],
  }
}

/** `base` as it will be once `changes` are written: null removes a file. */
export function overlayTree(base: Tree, changes: ReadonlyMap<string, Uint8Array | null>): Tree {
  return {
    at: base.at,
    async find(path) {
      const bytes = changes.get(path)
      if (bytes === undefined) return base.find(path)
      return bytes === null ? undefined : { path, bytes }
    },
    async *files(prefix) {
      const added = new Map([...changes].filter(([path]) => isAtOrBelow(path, prefix)))
      for await (const file of base.files(prefix)) {
        if (!added.has(file.path)) yield file
      }
      for (const [path, bytes] of added) if (bytes !== null) yield { path, bytes }
    },
    async paths(prefix) {
      const paths = new Set(await base.paths(prefix))
      for (const [path, bytes] of changes) {
        if (!isAtOrBelow(path, prefix)) continue
        if (bytes === null) paths.delete(path)
        else paths.add(path)
      }
      return [...paths].sort()
    },
  }
}
