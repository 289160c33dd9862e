/** What a back end supplies to the write protocol, which both share. */
import type { CommitChange, Entry, GitReader, Oid } from "./git.js"
import type { WrittenFiles } from "./work-files.js"

/** A back end: reads as {@link GitReader}, and the steps of a write that touch git's own data. */
export interface Backend extends GitReader {
  /**
   * Entries of exactly these paths, paths without any left out; "index" is always the work tree's own
   * (`<gitDir>/index`), whatever `GIT_INDEX_FILE` says.
   */
  lookup(at: Oid | "index", paths: readonly string[]): Promise<ReadonlyMap<string, readonly Entry[]>>
  /** What is in the way of new files in a commit's tree, if anything: git would drop it for them. */
  findObstacle(at: Oid, paths: readonly string[]): Promise<string | undefined>
  /** Writes blobs so that they survive a power cut. */
  writeBlobs(blobs: Iterable<Uint8Array>): Promise<void>
  /**
   * Writes blobs, trees and the commit (message through the hooks, signed where the user wants it) so that
   * they survive a power cut. Moves no ref and leaves none.
   */
  writeCommit(change: CommitChange): Promise<Oid>
  /** Refuses what `writeCommit` would before it has written anything. @throws CofferError `GIT_NO_AUTHOR`, `GIT_UNSUPPORTED` */
  requireCommit(options: { readonly verify: boolean }): Promise<void>
  /** Whether `writeCommit` signs, which may wait for a person. */
  signs(): Promise<boolean>
  /**
   * Changes a private copy of the index at `file` (absent: an empty one) and leaves all else in it as it is.
   * A path that it sets has stage 0 only.
   */
  editIndex(file: string, edits: readonly IndexEdit[]): Promise<void>
  /**
   * Ends what {@link IndexEdit.held} began, in a private copy of the index, and gives the entries the stat data of
   * their work files, where a file holds what its entry says: some of git's commands take any other file for one
   * that the user has changed. Each path has an entry.
   *
   * @param written - the files that have just been written.
   */
  refreshIndex(file: string, paths: readonly string[], written?: WrittenFiles): Promise<void>
  /**
   * Locks HEAD and the branch it names, compares both, and gets everything ready for {@link RefLock.commit}.
   * The lock file of the ref that moves holds the new commit id: that is how recovery knows it.
   *
   * @throws CofferError `GIT_MOVED` (HEAD names another branch or commit), `GIT_LOCKED`, `GIT_REFUSED` (a hook)
   */
  lockRef(update: RefUpdate): Promise<RefLock>
}

/** The index entry that a path is to have; none: null. */
export interface IndexEdit {
  readonly path: string
  readonly to: {
    readonly mode: string
    readonly oid: Oid
    readonly skipWorktree: boolean
    /**
     * The work file is still to be put in place. Until {@link Backend.refreshIndex} git takes it for unchanged
     * (`--assume-unchanged`): a `git commit -a` would otherwise commit a part of the write's files as they were.
     */
    readonly held?: boolean
  } | null
}

/** HEAD's move from one commit to the next. */
export interface RefUpdate {
  /** The branch that HEAD names; null: detached. */
  readonly ref: string | null
  readonly from: Oid | null
  readonly to: Oid
  /** For the reflog, with the time there. */
  readonly reason: string
  readonly at: Date
}

/** A ref that is locked and compared. */
export interface RefLock {
  /** Moves HEAD and its branch, and no more: what else can fail belongs to {@link release}. */
  commit(): Promise<void>
  /** Lets go of what is still locked. Always called, moved or not. */
  release(): Promise<void>
}
