/** Finding and opening a store: where it lies, which one it is, and what of its surroundings is used. */

import { existsSync } from "node:fs"
import { join } from "node:path"
import { CofferError, EXIT_CODES } from "../errors.js"
import { ENVIRONMENT, FUNCTION, listOf, objectOf, optional, PATH, TEXT } from "../format/given.js"
import { nameOfPath } from "../format/names.js"
import { findSecretFile } from "../format/secret-file.js"
import { gitPath } from "../format/shell.js"
import { parseStoreFile, STORE_FILE_PATH } from "../format/store-file.js"
import { KEYS_FOLDER } from "../keyring/trust.js"
import type { Environment } from "../storage/environment.js"
import { type Files, openFiles } from "../storage/files.js"
import type { Git, GitPreference } from "../storage/git/git.js"
import { openGit } from "../storage/git/open.js"
import { gitPreference } from "../storage/git-preference.js"
import { type LoadedIdentities, loadIdentities } from "../storage/identities.js"
import type { LocalState, StateChange, StateLocation } from "../storage/local-state.js"
import { once } from "../storage/once.js"
import {
  inProgress,
  JOURNAL_PATH,
  mayBeInConflict,
  mayBeSparse,
  type Repository,
} from "../storage/repository.js"
import { findSurroundings, locateStore } from "./locate.js"
import { openRemembered } from "./remembered.js"
import { gitTree, type Tree, type TreeFile, workTree } from "./tree.js"

/** Everything from outside that operations on a store may use. */
export interface OpenOptions {
  /** Absolute path of the folder to start looking from. */
  readonly directory: string
  /** Usually `process.env`; only variables that docs/cli.md lists are read. */
  readonly env: Environment
  /** The store's folder, relative to `directory` or to the repository. Default: settings, then `secrets`. */
  readonly store?: string | undefined
  /** Identity files to use in place of the default ones. */
  readonly identityFiles?: readonly string[] | undefined
  /** Default `auto`: the git binary where there is one. */
  readonly git?: GitPreference | undefined
  /** Asks a person yes or no, and only `true` is a yes; absent where there is nobody to ask. */
  readonly confirm?: ((question: string) => Promise<boolean>) | undefined
  /** Takes warnings and notes, one line each. Default: dropped. */
  readonly note?: ((line: string) => void) | undefined
  /** Told how far work on many files is; `done` reaches `total` unless it fails. */
  readonly progress?: ((done: number, total: number) => void) | undefined
}

const OPEN = objectOf<OpenOptions>({
  directory: PATH,
  env: ENVIRONMENT,
  store: optional(TEXT),
  identityFiles: optional(listOf(PATH)),
  git: optional(TEXT),
  confirm: optional(FUNCTION),
  note: optional(FUNCTION),
  progress: optional(FUNCTION),
})

/** @throws CofferError `USAGE`: from JavaScript anything can come */
export function checkOptions(options: OpenOptions): void {
  OPEN(options, "options")
}

/** An open store. Nothing in it has been verified yet: operations verify what they use. */
export interface Store {
  /** Absolute path of the store's folder. */
  readonly root: string
  /** The same relative to the work tree, with `/`; without a repository, the folder's own name. */
  readonly folder: string
  /** Store id: 16 random bytes in hex. */
  readonly id: string
  /** Absent in a tarball or a docker build context without `.git`. */
  readonly repository: Repository | undefined
  readonly env: Environment
  readonly files: Files
  readonly tree: Tree
  /**
   * Paths of the store that git's index or HEAD has, whether the work tree has them or not: a sparse checkout leaves
   * some out, somebody may have removed others. Empty without git.
   */
  tracked(): Promise<readonly string[]>
  readonly confirm: ((question: string) => Promise<boolean>) | undefined
  note(line: string): void
  progress(done: number, total: number): void
  /** @throws CofferError `GIT_NO_REPOSITORY` */
  git(): Promise<Git>
  identities(): Promise<LoadedIdentities>
  /** What this machine remembers of the store. @throws CofferError `STORE_CHANGED`, `DAMAGED` */
  state(): LocalState
  /** Adds to it; what cannot be written is verified again next time. */
  updateState(change: StateChange): void
  /** Where that is written; undefined for a user without a home folder. */
  readonly stateLocation: StateLocation | undefined
}

/**
 * Opens the store that a folder belongs to.
 *
 * @throws CofferError `USAGE`, `NOT_FOUND` if there is none, `NOT_CANONICAL` or `NEWER_FORMAT` for its `store.yaml`.
 */
export async function openStore(options: OpenOptions): Promise<Store> {
  checkOptions(options)
  const preference = gitPreference(options)
  const { folder: from, repository } = findSurroundings(options)
  const { root, folder } = await locateStore(options, repository?.workTree)
  const git = once(() => openGit(from, options.env, preference))
  const bytes =
    openFiles(root).read(STORE_FILE_PATH, STORE_FILE_MAX_BYTES) ??
    (await readLeftOutStore(repository, git, folder))
  if (bytes === undefined) throw existsSync(join(root, KEYS_FOLDER)) ? noStoreFile() : noStore()
  const { store: id } = parseStoreFile(bytes)
  // A killed write may have left the files half way: opening git puts them right before they are read.
  const isHalfWay = repository !== undefined && existsSync(join(repository.gitDir, JOURNAL_PATH))
  if (isHalfWay) await askGit(repository, git, undefined, async () => undefined)
  return assembleStore(options, { root, folder, id, repository, git })
}

/** A store whose place and id are known: `store.yaml` may have been read from the index or from a commit. */
export function assembleStore(
  options: OpenOptions,
  place: Pick<Store, "root" | "folder" | "id" | "repository" | "git">,
): Store {
  const { env, confirm, note = () => {}, progress = () => {} } = options
  const { root, folder, id, repository, git } = place
  const files = openFiles(root)
  const identities = once(() =>
    loadIdentities({ env, files: options.identityFiles ?? [], workTree: repository?.workTree }),
  )
  const remembered = openRemembered({ env, repository, root, key: { id, folder }, note })
  const conflicts = once(() => findConflicts(repository, git, folder))
  const absent = (path: string) => readAbsent(repository, git, folder, path)
  const leftOut = once(() => findLeftOut(repository, git, folder))
  return {
    ...place,
    env,
    files,
    tree: workTree(files, { absent, leftOut, conflicts }),
    tracked: once(() => findTracked(repository, git, folder)),
    // Whom to trust is asked: from JavaScript "no" would be as good as true.
    confirm: confirm && (async question => (await confirm(question)) === true),
    note,
    progress,
    identities,
    state: remembered.state,
    updateState: remembered.update,
    stateLocation: remembered.location,
  }
}

const STORE_FILE_MAX_BYTES = 4096

function noStoreFile(): CofferError {
  return new CofferError("NOT_CANONICAL", `"${STORE_FILE_PATH}" is missing, but the store has key records`, {
    hint: "git log shows who removed it, git checkout brings it back",
  })
}

function noStore(): CofferError {
  return new CofferError("NOT_FOUND", "there is no store here", {
    hint: "coffer init makes one; --store names one that is not in secrets/",
  })
}

/**
 * A path that is not in the work tree may be one that a sparse checkout leaves out: then HEAD has it.
 * Anything else that git has and the work tree lacks was removed by hand, from the index too where `git rm` did it.
 */
async function readAbsent(
  repository: Repository | undefined,
  git: () => Promise<Git>,
  folder: string,
  path: string,
): Promise<TreeFile | undefined> {
  return askGit(repository, git, undefined, async opened => {
    const { commit } = await opened.head()
    if (commit === null) return undefined
    const committed = gitTree(opened, commit, folder)
    for (const entry of await opened.entries("index", `${folder}/${path}`)) {
      if (entry.path !== `${folder}/${path}` || entry.stage !== 0) continue
      if (entry.skipWorktree) return committed.find(path)
      throw removedByHand(entry.path)
    }
    // What a merge under way takes out is judged with both its sides, when it is committed.
    if (nameOfPath(path) === undefined || inProgress(opened) !== "clean") return undefined
    const file = await committed.find(path)
    if (file !== undefined && !isTombstone(file)) throw removedByHand(`${folder}/${path}`)
    return undefined
  })
}

/** What a sparse checkout leaves out of the store, as HEAD has it: all of it, or the folders outside the cone. */
async function findLeftOut(
  repository: Repository | undefined,
  git: () => Promise<Git>,
  folder: string,
): Promise<Tree | undefined> {
  if (repository === undefined || !mayBeSparse(repository)) return undefined
  return askGit(repository, git, undefined, opened => leftOutOf(opened, folder))
}

/** The `store.yaml` of a store that is left out whole. Where git does not tell, nobody knows whether there is one. */
async function readLeftOutStore(
  repository: Repository | undefined,
  git: () => Promise<Git>,
  folder: string,
): Promise<Uint8Array | undefined> {
  if (repository === undefined || !mayBeSparse(repository)) return undefined
  const tree = await leftOutOf(await git(), folder)
  return (await tree?.find(STORE_FILE_PATH))?.bytes
}

async function leftOutOf(git: Git, folder: string): Promise<Tree | undefined> {
  const { commit } = await git.head()
  if (commit === null) return undefined
  const leftOut = (await git.entries("index", folder)).filter(({ skipWorktree }) => skipWorktree)
  if (leftOut.length === 0) return undefined
  return gitTree(git, commit, folder, new Set(leftOut.map(({ path }) => path.slice(folder.length + 1))))
}

/** Only a tombstone may be taken out: that is a purge, staged. */
function isTombstone({ bytes }: TreeFile): boolean {
  return findSecretFile(bytes)?.state === "deleted"
}

async function findTracked(
  repository: Repository | undefined,
  git: () => Promise<Git>,
  folder: string,
): Promise<readonly string[]> {
  return askGit(repository, git, [], async opened => {
    const { commit } = await opened.head()
    const [indexed, changes] = await Promise.all([
      opened.entries("index", folder),
      commit === null ? [] : opened.changes(commit, "index", folder),
    ])
    const removed = changes.filter(({ to }) => to === undefined)
    return [...new Set([...indexed, ...removed].map(({ path }) => path.slice(folder.length + 1)))]
  })
}

/** A reader may lack git, or the right to use it here: then what is not there is not there. */
async function askGit<T>(
  repository: Repository | undefined,
  git: () => Promise<Git>,
  otherwise: T,
  ask: (git: Git) => Promise<T>,
): Promise<T> {
  if (repository === undefined) return otherwise
  try {
    return await ask(await git())
  } catch (error) {
    if (!(error instanceof CofferError) || error.exit !== EXIT_CODES.GIT_FAILED) throw error
    return otherwise
  }
}

function removedByHand(path: string): CofferError {
  return new CofferError("SECRET_MISSING", `"${path}" is gone from the work tree, and git still has it`, {
    hint: `git checkout HEAD -- ${gitPath(path)} brings it back; coffer delete is the way to delete a secret`,
  })
}

/** Store paths in conflict. Git is asked only where it has left a trace of merging. */
async function findConflicts(
  repository: Repository | undefined,
  git: () => Promise<Git>,
  folder: string,
): Promise<ReadonlySet<string>> {
  const paths = new Set<string>()
  if (repository === undefined || !mayBeInConflict(repository)) return paths
  for (const { path, stage } of await (await git()).entries("index", folder)) {
    if (stage !== 0) paths.add(path.slice(folder.length + 1))
  }
  return paths
}
