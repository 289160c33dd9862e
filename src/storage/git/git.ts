/** The one interface to git. */
import type { GitState, Head } from "../repository.js"

/** A git object id: 40 lower-case hex digits, 64 in a SHA-256 repository. */
export type Oid = string

/** How many digits the ids of a repository have. */
export type OidHex = 40 | 64

/** Which back end to use; `auto` takes the git binary where there is one. */
export type GitPreference = "auto" | "system" | "embedded"

/** A file in a tree (stage 0) or in the index. Paths are relative to the work tree, with "/". */
export interface Entry {
  readonly path: string
  readonly mode: string
  readonly oid: Oid
  readonly stage: 0 | 1 | 2 | 3
  readonly skipWorktree: boolean
}

/** A path that differs between two sides; the side that lacks it is absent. */
export interface Change {
  readonly path: string
  readonly from?: { readonly mode: string; readonly oid: Oid }
  readonly to?: { readonly mode: string; readonly oid: Oid }
  /** In the index only as stages of a conflict; `to` is absent then. */
  readonly conflicted?: true
}

/** A commit that touched a path; `oid` is the blob it holds there, absent where it holds none. */
export interface LogEntry {
  readonly commit: Oid
  readonly parents: readonly Oid[]
  readonly at: Date
  readonly author: string
  readonly oid?: Oid
}

/** A commit, and the files in it that none of its parents has at that path. */
export interface Introduced {
  readonly commit: Oid
  readonly parents: readonly Oid[]
  readonly files: readonly { readonly path: string; readonly mode: string; readonly oid: Oid }[]
}

/** Files to write, by path; null removes one. */
export type FileChanges = ReadonlyMap<string, Uint8Array | null>

/**
 * {@link FileChanges} of which the paths are known at once, and the bytes may be made only while they are written: by
 * then all else about the commit is sure.
 */
export interface CommitFiles {
  keys(): Iterable<string>
  entries():
    | Iterable<readonly [string, Uint8Array | null]>
    | AsyncIterable<readonly [string, Uint8Array | null]>
}

/** One commit on the current branch: HEAD's tree with `files` changed and nothing else. */
export interface CommitChange {
  /** The HEAD that the files were made from; null: none yet. Another one by now is `GIT_MOVED`, but see `scope`. */
  readonly base: Oid | null
  /**
   * The folder that all the files lie in and were made from. A commit of somebody else's in between that leaves it
   * as it was does no harm: ours goes on top of it.
   */
  readonly scope?: string
  readonly files: CommitFiles
  readonly message: string
  readonly at: Date
  /** Runs prepare-commit-msg and commit-msg. */
  readonly verify: boolean
}

/** What both back ends read. A prefix is a folder or a file; "" is everything. */
export interface GitReader {
  readonly kind: "system" | "embedded"
  readonly workTree: string
  readonly gitDir: string
  readonly commonDir: string
  readonly oidHex: OidHex
  readonly shallow: boolean
  /** The index that reads use where it is not the work tree's own: `GIT_INDEX_FILE`, as hooks get it. */
  readonly foreignIndex: string | undefined
  head(): Promise<Head>
  /** The commit that a revision names. */
  find(revision: string): Promise<Oid | undefined>
  mergeBase(a: Oid, b: Oid): Promise<Oid | undefined>
  /** Sorted by path, then stage. */
  entries(at: Oid | "index", prefix: string): Promise<readonly Entry[]>
  changes(from: Oid | null, to: Oid | "index", prefix: string): Promise<readonly Change[]>
  /** In the order asked for; `bytes` absent: not here (shallow, partial, pruned) or not a blob. */
  blobs(oids: Iterable<Oid>): AsyncIterable<{ oid: Oid; bytes?: Uint8Array }>
  /** Newest first, every side of a merge. */
  log(path: string, from: Oid): AsyncIterable<LogEntry>
  /** Commits of `tips` that neither the remote's branches nor `known` reach; unknown ids in `known` are left out. */
  missing(tips: readonly Oid[], remote: string, known: readonly Oid[]): Promise<readonly Oid[]>
  /** What each of the commits brought, in their order; all files of one without parents (the edge of a shallow clone too). */
  introduced(commits: Iterable<Oid>): Promise<readonly Introduced[]>
  config(key: string): Promise<string | undefined>
  state(): Promise<GitState>
  /** @throws CofferError `GIT_NO_AUTHOR` */
  author(): Promise<{ name: string; email: string }>
  isIgnored(path: string): Promise<boolean>
  isTracked(path: string): Promise<boolean>
  hooksPath(): Promise<string>
  /** The branch that the current one follows, and its commit if it is here. */
  branchUpstream(): Promise<{ ref: string; commit: Oid | undefined } | undefined>
}

/** A repository, opened. What it does not know by name is a fault of git's or the disk's: `GIT_FAILED`, `IO_FAILED`. */
export interface Git extends GitReader {
  /**
   * Runs `run` alone among the coffer processes of the repository, what a killed write left behind having been
   * finished. It gets a repository whose writes count on that lock; any other one's would wait for it.
   *
   * @throws CofferError `STORE_LOCKED`, `GIT_LOCKED`
   */
  exclusively<T>(run: (git: Git) => Promise<T>): Promise<T>
  /**
   * Makes one commit of HEAD's tree and the files, and updates index and work tree on these paths only.
   *
   * @throws CofferError `GIT_DIRTY`, `GIT_CONFLICTED`, `GIT_MOVED`, `GIT_LOCKED`, `GIT_IN_PROGRESS`, `GIT_NO_AUTHOR`,
   *   `GIT_SIGN_FAILED`, `GIT_REFUSED`, `GIT_UNSUPPORTED`, `STORE_LOCKED`; nothing has changed then
   */
  commit(change: CommitChange): Promise<Oid>
  /**
   * Changes index and work tree on these paths without a commit, also in the middle of a merge.
   *
   * @returns false where both hold all of the files already; nothing is written then.
   * @throws CofferError `GIT_DIRTY` where the work tree holds what git has no copy of
   */
  stage(change: { readonly files: FileChanges }): Promise<boolean>
  /**
   * Makes sure that index and work tree are as HEAD has them on these paths: what {@link Git.commit} asks of the paths
   * that it changes.
   *
   * @param base - the HEAD that the paths were read from; another one by now is `GIT_MOVED`.
   * @throws CofferError `GIT_DIRTY`, `GIT_CONFLICTED`, `GIT_MOVED`
   */
  requireClean(base: Oid | null, paths: readonly string[]): Promise<void>
  /**
   * Makes sure of what every commit wants, as far as it can be known before: no merge, rebase or the like, an author, and
   * without the git program no hooks and no signing.
   *
   * @param options.verify - as of {@link CommitChange}.
   * @throws CofferError `GIT_IN_PROGRESS`, `GIT_NO_AUTHOR`, `GIT_UNSUPPORTED`
   */
  requireCommit(options: { readonly verify: boolean }): Promise<void>
  /** Whether a killed write waits to be finished: the pre-commit hook refuses then. */
  hasJournal(): boolean
}
