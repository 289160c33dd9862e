/** One operation = one commit: verified base, drafted files, checked result, commit, and what is remembered. */
import { CofferError, hasCode } from "../errors.js"
import { LIMITS } from "../format/limits.js"
import { groupOf, NameIndex, nameClash, parseSecretName, pathOf, type SecretName } from "../format/names.js"
import { printSecretFile, type SecretFile } from "../format/secret-file.js"
import { canWrite } from "../keyring/roles.js"
import type { Keyring } from "../keyring/verify.js"
import { systemError } from "../storage/files.js"
import type { Change, Git, Oid } from "../storage/git/git.js"
import { type GroupAccess, groupOpener } from "./access.js"
import { inOverlap } from "./batches.js"
import { type Content, type DraftFiles, filesIn, proven } from "./draft-files.js"
import { BATCH, type PathFile, parseFile, parseVerified, verifyFiles } from "./reading.js"
import { judgeBranch } from "./rollback.js"
import {
  findStagedRecord,
  isRecord,
  keyringIsStaged,
  readStaged,
  readStagedSecret,
  refuseToReplaceStaged,
  type StagedSecret,
  type WritePlace,
} from "./staged.js"
import type { Store } from "./store.js"
import type { Predecessor } from "./succession.js"
import { emptyTree, gitTree, isBadFile, namesOf, overlayTree, type Tree } from "./tree.js"
import { remember, requireWritable, type View, verifyTree } from "./view.js"

/**
 * What every writing operation takes. Each may be refused with `NO_IDENTITY`, `NOT_A_MEMBER`, `REMOVED` or
 * `ROLE_MISSING`; with `UNPINNED`, `BEHIND`, `DIVERGED` and every refusal of verification; with `STORE_LOCKED`,
 * `GIT_DIRTY`, `GIT_IN_PROGRESS` and what else git refuses. Nothing has changed then.
 */
export interface WriteOptions {
  /** The present, for `created` and the commit. */
  readonly at: Date
  /** False leaves the change staged. Default: true. */
  readonly commit?: boolean | undefined
  /** False skips other people's commit-msg hooks. Default: true. */
  readonly verify?: boolean | undefined
  /** Commit message in place of the operation's own. */
  readonly message?: string | undefined
}

interface ChangeOptions extends WriteOptions {
  /** Goes on where keyrings are diverged: the plan joins them. */
  readonly merging?: boolean | undefined
  /** Refuses what the operation would be refused, and puts nothing in place: `changed` is false. */
  readonly dryRun?: boolean | undefined
}

/** What came of an operation: `commit` is null where nothing changed or the change is only staged. */
export interface Written<T> {
  readonly result: T
  readonly changed: boolean
  readonly commit: Oid | null
}

/** The files of one operation while it is being put together. */
export interface Draft {
  readonly store: Store
  readonly git: Git
  /** HEAD's store: versions and predecessors are taken from here, never from the work tree. */
  readonly base: Tree
  readonly keyring: Keyring
  /** The store's folder in the repository. */
  readonly folder: string
  readonly at: Date
  /** The secret's file in HEAD, verified; undefined where there is none. */
  find(name: SecretName): Promise<Predecessor | undefined>
  /**
   * What an operation without commit, or the user, has staged of a secret. An operation that commits has none: where
   * something is staged on its paths it is refused.
   */
  findStaged(name: SecretName): Promise<StagedSecret | undefined>
  /** The group that a name belongs to. */
  groupOf(name: SecretName): string
  /** @throws CofferError `NOT_A_MEMBER`, `REMOVED`, `NO_IDENTITY` */
  open(group: string): Promise<GroupAccess>
  /** The same where values are going to be signed. @throws CofferError `ROLE_MISSING` for readers and rotators */
  openForWriting(group: string): Promise<GroupAccess>
  /** Puts a secret's file in place after proof that it opens. */
  putSecret(file: SecretFile, access: Pick<GroupAccess, "sealKey">): void
  /**
   * The same for one that is still to be sealed.
   *
   * @param seal - called when all else about the operation is sure: what can be refused is refused before.
   */
  sealSecret(name: SecretName, seal: () => Promise<SecretFile>, access: Pick<GroupAccess, "sealKey">): void
  /** Leaves a secret's file as HEAD has it: without a commit, what is staged of it is taken back. */
  keepSecret(file: SecretFile): void
  /** Removes a secret's file. */
  putRemoval(name: SecretName): void
  /** Puts any store file in place, or removes it. */
  put(path: string, bytes: Uint8Array | null): void
  /** Every name with a file in HEAD or in this draft. */
  names(): Promise<ReadonlySet<SecretName>>
  /**
   * Takes in a name that HEAD has no file of, before one is put in place.
   *
   * @throws CofferError `NAME_INVALID` beside a name, in HEAD or taken in, that cannot stand beside it on every file
   *   system; `LIMIT_EXCEEDED`
   */
  addName(name: SecretName): Promise<void>
  /** Reads and verifies many files in one go: otherwise each {@link Draft.find} asks git, and checks one signature. */
  prefetch(names: readonly SecretName[]): Promise<void>
}

/** From here on one pass over the store costs less than asking for each file. */
const WORTH_FETCHING = 8

/** How often an operation starts anew because somebody moved HEAD while it was being prepared. */
const ATTEMPTS = 8

/**
 * Runs `plan` on HEAD's verified store and commits what it puts, all or nothing.
 *
 * @param describe - the commit's message for the plan's result.
 * @throws CofferError whatever verification, the plan or git refuses; nothing has changed then.
 */
export async function change<T>(
  store: Store,
  options: ChangeOptions,
  plan: (draft: Draft) => Promise<T>,
  describe: (result: T) => string,
): Promise<Written<T>> {
  const git = await store.git()
  for (let attempt = 1; ; attempt++) {
    try {
      return await git.exclusively(locked => attemptChange(store, locked, options, plan, describe))
    } catch (error) {
      if (!hasCode(error, "GIT_MOVED") || attempt === ATTEMPTS) throw error
    }
  }
}

async function attemptChange<T>(
  store: Store,
  git: Git,
  options: ChangeOptions,
  plan: (draft: Draft) => Promise<T>,
  describe: (result: T) => string,
): Promise<Written<T>> {
  const { commit: base } = await git.head()
  const tree = base === null ? emptyTree() : gitTree(git, base, store.folder)
  const { merging } = options
  const place = { store, git, base }
  const [verified, stagedRecord] = await Promise.all([
    verifyTree(store, tree, { use: "write", merging }),
    findStagedRecord(place),
  ])
  if (stagedRecord !== undefined) throw keyringIsStaged(stagedRecord)
  const view = { ...verified, branch: await judgeBranch(store, verified.keyring, { use: "write" }) }
  requireWritable(view.keyring, { merging })
  const files: DraftFiles = { put: new Map(), kept: new Map() }
  const result = await plan(makeDraft({ ...place, view, options }, files))
  const after = await verifyResult(store, view, files.put, merging)
  const touched = () => filesIn(store.folder, new Map([...files.kept, ...files.put]))
  if (options.dryRun) {
    const paths = touched().keys()
    if (options.commit !== false && paths.length > 0) {
      await git.requireCommit({ verify: options.verify ?? true })
      await git.requireClean(base, paths)
    }
    return { result, changed: false, commit: null }
  }
  // What a merge has staged is the other side's: taking that back would lose it.
  const takesBack = options.commit === false && (await git.state()) === "clean"
  if (files.kept.size > 0 && !takesBack)
    await git.requireClean(base, filesIn(store.folder, files.kept).keys())
  if (takesBack) await refuseToReplaceStaged(place, files)
  if (options.commit === false) {
    const wanted = new Map<string, Uint8Array | null>()
    for await (const file of touched().entries()) wanted.set(...file)
    return { result, changed: wanted.size > 0 && (await git.stage({ files: wanted })), commit: null }
  }
  if (files.put.size === 0) return { result, changed: false, commit: null }
  const commit = await git.commit({
    base,
    scope: store.folder,
    files: filesIn(store.folder, files.put),
    message: options.message ?? describe(result),
    at: options.at,
    verify: options.verify ?? true,
  })
  await rememberQuietly(store, after, commit)
  return { result, changed: true, commit }
}

/** The commit is there: where this machine cannot note it down, the next command verifies more, and that is all. */
async function rememberQuietly(store: Store, view: View, commit: Oid): Promise<void> {
  try {
    await remember(store, view, commit)
  } catch (error) {
    if (systemError(error) === undefined && !hasCode(error, "IO_FAILED", "STORE_LOCKED")) throw error
  }
}

/** A change of key records is verified as any reader will verify it, before it is committed. */
async function verifyResult(
  store: Store,
  view: View,
  files: ReadonlyMap<string, Content>,
  merging: boolean | undefined,
): Promise<View> {
  const records = new Map<string, Uint8Array | null>()
  for (const [path, content] of files)
    if (path.startsWith(".coffer/") && typeof content !== "function") records.set(path, content)
  if (records.size === 0) return view
  const result = overlayTree(view.tree, records)
  try {
    const after = await verifyTree(store, result, { use: "write", merging })
    requireWritable(after.keyring, { merging })
    return { ...after, branch: view.branch }
  } catch (error) {
    return asRevival(error)
  }
}

/** What was one line before is two afterwards: whoever signed a refused one may sign records again. */
function asRevival(error: unknown): never {
  if (!hasCode(error, "DIVERGED")) throw error
  throw new CofferError("DIVERGED", `${error.message} then: a line that is refused today would count again`, {
    hint: "rotate --finish takes in what it sealed; then remove its key records, or take its author back with a new key",
    cause: error,
  })
}

interface DraftContext extends WritePlace {
  readonly view: View
  readonly options: WriteOptions
}

function makeDraft(context: DraftContext, { put: files, kept }: DraftFiles): Draft {
  const { store, git, view, options } = context
  const fetched = new Map<string, Predecessor | undefined>()
  let index: Promise<NameIndex> | undefined
  let records = [...view.keyring.groups.values()].reduce((sum, { graph }) => sum + graph.nodes.size, 0)
  const names = async () => new Set(namesOf([...(await view.tree.paths("")), ...files.keys()]))
  const open = groupOpener(store, view)
  let staged: Promise<ReadonlyMap<string, Change>> | undefined
  return {
    store,
    git,
    base: view.tree,
    keyring: view.keyring,
    folder: store.folder,
    at: options.at,
    async find(name) {
      const path = pathOf(name)
      if (fetched.has(path)) return fetched.get(path)
      const found = await view.tree.find(path)
      return found === undefined ? undefined : { file: parseVerified(view, found), oid: found.oid! }
    },
    async findStaged(name) {
      if (options.commit !== false) return undefined
      staged ??= readStaged(context)
      const found = (await staged).get(pathOf(name))
      return found && readStagedSecret(git, view, { path: pathOf(name), change: found })
    },
    groupOf: name => groupOf(name, view.keyring.listed.keys()),
    open,
    async openForWriting(group) {
      const access = await open(group)
      requireWriter(access)
      return access
    },
    putSecret(file, { sealKey }) {
      files.set(pathOf(parseSecretName(file.name)), proven(file, sealKey))
    },
    sealSecret(name, seal, { sealKey }) {
      // From JavaScript anything can come as a name.
      files.set(pathOf(parseSecretName(name)), async () => proven(await seal(), sealKey))
    },
    keepSecret(file) {
      kept.set(pathOf(file.name), printSecretFile(file))
    },
    putRemoval(name) {
      files.set(pathOf(name), null)
    },
    put(path, bytes) {
      if (bytes !== null && isRecord(path) && !files.has(path)) records++
      if (records > LIMITS.keyRecords) throw tooMany("key records", LIMITS.keyRecords)
      files.set(path, bytes)
    },
    names,
    async addName(name) {
      index ??= names().then(known => new NameIndex(known))
      const known = await index
      const clash = known.findClash(name)
      if (clash !== undefined)
        throw nameClash(name, clash, "choose a name that differs in more than upper and lower case")
      known.add(name)
      if (known.size > LIMITS.secrets) throw tooMany("secrets", LIMITS.secrets)
    },
    async prefetch(names) {
      if (names.length < WORTH_FETCHING) return
      const wanted = new Set<string>(names.map(pathOf))
      for (const path of wanted) fetched.set(path, undefined)
      async function* parse(): AsyncGenerator<PathFile> {
        for await (const found of view.tree.files("")) {
          if (!wanted.has(found.path)) continue
          if (isBadFile(found)) throw found.error
          const parsed = parseFile(found)
          fetched.set(found.path, { file: parsed.file, oid: found.oid! })
          yield parsed
        }
      }
      for await (const _ of inOverlap(parse(), BATCH, batch => verifyFiles(view.keyring, batch)));
    },
  }
}

/** Refused before it is written: readers would refuse the whole store. */
function tooMany(what: string, limit: number): CofferError {
  return new CofferError("LIMIT_EXCEEDED", `a store has at most ${limit} ${what}`)
}

export function requireWriter({ member, group }: GroupAccess): void {
  if (canWrite(member.role)) return
  throw new CofferError(
    "ROLE_MISSING",
    `"${member.name}" is ${member.role} of "${group}" and cannot write there`,
    {
      hint: `an admin of ${group} can change that: coffer recipients remove, then add with --role writer`,
    },
  )
}
