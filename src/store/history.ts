/** The versions of one secret: by the signed chain of predecessors, then by git's log; and which are lost. */

import { CofferError, hasCode } from "../errors.js"
import { objectOf, SECRET } from "../format/given.js"
import { pathOf, type SecretName } from "../format/names.js"
import { parsePrevious, parseSecretFile, type SecretFile, writerOf } from "../format/secret-file.js"
import { gitPath } from "../format/shell.js"
import { verifySecret } from "../keyring/secret.js"
import type { Keyring } from "../keyring/verify.js"
import type { Git, LogEntry, Oid } from "../storage/git/git.js"
import { isPartialClone } from "../storage/git/partial-clone.js"
import { type GroupAccess, groupOpener } from "./access.js"
import { checkCall } from "./call.js"
import { notFound } from "./draft-secrets.js"
import { openWith, readSecret, type Secret } from "./reading.js"
import { NO_LOG, readLog, type SecretLog } from "./secret-log.js"
import type { Store } from "./store.js"
import type { Predecessor } from "./succession.js"
import { type View, viewStore } from "./view.js"

/** What reading old versions needs: a draft has it, and so has a view with its store. */
export interface HistoryContext {
  readonly git: Git
  readonly keyring: Keyring
  /** The store's folder in the repository. */
  readonly folder: string
  find(name: SecretName): Promise<{ readonly file: SecretFile; readonly oid: Oid | undefined } | undefined>
  open(group: string): Promise<GroupAccess>
}

/** One version of a secret as git has it. */
export interface Version {
  readonly file: SecretFile
  /** The first commit that has this value under this number, at its name of then; where git's log was asked. */
  readonly commit: Oid | undefined
  /** It is what the store has now: after a `git revert` not the one with the highest number. */
  readonly current: boolean
  /** Reached through `previous` of signed files from the present one. */
  readonly linked: boolean
  /** `3`, or `3~a1b2` where two values bear one number. */
  readonly label: string
}

/** The versions of a secret, newest first, as far as git has them. */
export interface History {
  readonly name: SecretName
  readonly group: string
  readonly versions: readonly Version[]
  /** Version numbers that this clone has no file for. */
  readonly lost: readonly number[]
  /** Why they are lost; null where none is. */
  readonly why: string | null
}

/** Which version is wanted. `hint` is what follows `~` in a label. */
export type VersionChoice =
  | { readonly version: number; readonly hint?: string | undefined }
  | { readonly at: Date }

/** All versions, newest first, with the commits that brought them. @throws CofferError `NOT_FOUND` */
async function readHistory(context: HistoryContext, name: SecretName): Promise<History> {
  const current = await requireFile(context, name)
  const collected = await followChain(context, name, current)
  const log = await followLog(context, name, collected)
  const moved = await followOldNames(context, name, collected)
  return describe(context, name, current.file, { collected, log, moved })
}

/**
 * Reads and opens one version.
 *
 * @throws CofferError `NOT_FOUND` for a number that never was, `HISTORY_MISSING` for one that this clone lacks,
 * `VERSION_TWICE` for one that two values bear.
 */
export async function readVersion(
  context: HistoryContext,
  name: SecretName,
  choice: VersionChoice,
): Promise<Secret> {
  const current = await requireFile(context, name)
  const collected = await followChain(context, name, current)
  const isNear = choose(collected, choice).length > 0 && !("at" in choice)
  const log = isNear ? NO_LOG : await followLog(context, name, collected)
  const found = choose(collected, choice)
  const [first, second] = found
  if (first === undefined) throw missing(context, current.file, { collected, log }, choice)
  if (second !== undefined) throw ambiguous(name, found)
  if (first.file.state === "deleted") throw wasDeleted(name, first.file)
  return openWith(context, first.file)
}

/** The value that a tombstone took away. */
export async function readLastLive(context: HistoryContext, tombstone: Predecessor): Promise<Secret> {
  const { name } = tombstone.file
  const collected = await followChain(context, name, tombstone)
  const isLive = ({ file }: Collected) => file.state === "current"
  const isNear = [...collected.values()].some(isLive)
  const log = isNear ? NO_LOG : await followLog(context, name, collected)
  const live = [...collected.values()].filter(isLive).sort((a, b) => b.file.version - a.file.version)[0]
  if (live === undefined) {
    throw missing(context, tombstone.file, { collected, log }, { version: tombstone.file.version - 1 })
  }
  return openWith(context, live.file)
}

interface Collected {
  readonly file: SecretFile
  readonly linked: boolean
}

/** By blob id; the present file, whose id may not be known, under "". */
type Collection = Map<Oid, Collected>

async function requireFile(context: HistoryContext, name: SecretName) {
  const current = await context.find(name)
  if (current === undefined) throw notFound(name)
  return current
}

/** Breadth first along `previous`: a missing file is hopped over, since each names up to four. */
async function followChain(
  context: HistoryContext,
  name: SecretName,
  current: { readonly file: SecretFile; readonly oid: Oid | undefined },
): Promise<Collection> {
  const collected: Collection = new Map([[current.oid ?? "", { file: current.file, linked: true }]])
  const asked = new Set<Oid>()
  for (let wanted = namedBy(current.file); wanted.length > 0; ) {
    const next: Oid[] = []
    for (const oid of wanted) asked.add(oid)
    for await (const { oid, file } of readOld(context, name, wanted)) {
      collected.set(oid, { file, linked: true })
      next.push(...namedBy(file))
    }
    wanted = [...new Set(next)].filter(oid => !asked.has(oid))
  }
  return collected
}

function namedBy(file: SecretFile): Oid[] {
  return file.previous.map(entry => parsePrevious(entry).oid)
}

/** The sound ones among old files. */
async function* readOld(
  context: HistoryContext,
  name: SecretName,
  oids: readonly Oid[],
): AsyncGenerator<{ oid: Oid; file: SecretFile }> {
  for await (const { oid, bytes } of context.git.blobs(oids)) {
    const file = bytes === undefined ? undefined : parseOld(context, name, bytes)
    if (file !== undefined) yield { oid, file }
  }
}

/** An old file counts only if it passes the checks of an old file; what does not is as good as missing. */
function parseOld(context: HistoryContext, name: SecretName, bytes: Uint8Array): SecretFile | undefined {
  try {
    const file = parseSecretFile(bytes)
    verifySecret(context.keyring, file, { path: pathOf(name), old: true })
    return file
  } catch (error) {
    if (error instanceof CofferError) return undefined
    throw error
  }
}

/** Adds what git's log has at this path and the chain does not reach: squashed gaps, reverted values. */
async function followLog(
  context: HistoryContext,
  name: SecretName,
  collected: Collection,
): Promise<SecretLog> {
  const log = await readLog(context, pathOf(name))
  for await (const { oid, file } of readOld(context, name, unknownIn(log.entries, collected))) {
    collected.set(oid, { file, linked: isLinked(collected, file) })
  }
  return log
}

/**
 * The commits of versions from before a move. Whatever else git has under an old name is another secret's: only the
 * chain tells what went along.
 */
async function followOldNames(
  context: HistoryContext,
  name: SecretName,
  collected: Collection,
): Promise<LogEntry[]> {
  const names = new Set([...collected.values()].filter(({ linked }) => linked).map(({ file }) => file.name))
  names.delete(name)
  const moved: LogEntry[] = []
  for (const old of names) {
    const { entries } = await readLog(context, pathOf(old))
    for await (const { oid, file } of readOld(context, old, unknownIn(entries, collected))) {
      if (isLinked(collected, file)) collected.set(oid, { file, linked: true })
    }
    moved.push(...entries.filter(({ oid }) => oid !== undefined && collected.has(oid)))
  }
  return moved
}

/** The files of a log that are not collected yet. */
function unknownIn(log: readonly LogEntry[], collected: Collection): Oid[] {
  const oids = new Set(log.map(entry => entry.oid).filter(oid => oid !== undefined))
  return [...oids].filter(oid => !collected.has(oid))
}

function isLinked(collected: Collection, file: SecretFile): boolean {
  return [...collected.values()].some(known => known.linked && isSameVersion(known.file, file))
}

/** A file sealed again is the same version. */
function isSameVersion(a: SecretFile, b: SecretFile): boolean {
  return a.version === b.version && a.digest === b.digest
}

function choose(collected: Collection, choice: VersionChoice): Collected[] {
  const distinct = distinctVersions(collected)
  if ("version" in choice) {
    return distinct.filter(
      ({ file }) => file.version === choice.version && file.digest.startsWith(choice.hint ?? ""),
    )
  }
  const at = choice.at.getTime()
  const before = distinct.filter(({ file, linked }) => linked && Date.parse(file.created) <= at)
  const newest = Math.max(0, ...before.map(({ file }) => file.version))
  return before.filter(({ file }) => file.version === newest)
}

/** Newest first; the chain's own before those that only the log knows. */
function distinctVersions(collected: Collection): Collected[] {
  const distinct: Collected[] = []
  for (const one of collected.values()) {
    const index = distinct.findIndex(({ file }) => isSameVersion(file, one.file))
    if (index < 0) distinct.push(one)
    else if (one.linked && !distinct[index]!.linked) distinct[index] = one
  }
  return distinct.sort((a, b) => b.file.version - a.file.version || Number(b.linked) - Number(a.linked))
}

function describe(
  context: HistoryContext,
  name: SecretName,
  current: SecretFile,
  { collected, log, moved }: Found & { readonly moved: readonly LogEntry[] },
): History {
  const distinct = distinctVersions(collected)
  const commits = firstCommits(collected, [...log.entries, ...moved])
  const versions = distinct.map(({ file, linked }) => ({
    file,
    current: isSameVersion(file, current),
    linked,
    commit: commits.get(`${file.version} ${file.digest}`),
    label: labelOf(file, distinct),
  }))
  const lost = lostVersions(current, distinct)
  return {
    name,
    group: current.group,
    versions,
    lost,
    why: lost.length === 0 ? null : whyLost(context, { collected, log }),
  }
}

/** The log runs from new to old: the last entry that holds a version is the commit that brought it. */
function firstCommits(collected: Collection, log: readonly LogEntry[]): ReadonlyMap<string, Oid> {
  const commits = new Map<string, Oid>()
  for (const { oid, commit } of log) {
    const file = oid === undefined ? undefined : collected.get(oid)?.file
    if (file !== undefined) commits.set(`${file.version} ${file.digest}`, commit)
  }
  return commits
}

function labelOf(file: SecretFile, all: readonly Collected[]): string {
  const twice = all.filter(other => other.file.version === file.version).length > 1
  return twice ? `${file.version}~${file.digest.slice(0, 4)}` : String(file.version)
}

/** Numbers have no gaps: a move goes on from the higher of both, and both histories go along. */
function lostVersions(current: SecretFile, versions: readonly Collected[]): number[] {
  const present = new Set(versions.map(({ file }) => file.version))
  const numbers = Array.from({ length: current.version - 1 }, (_, index) => index + 1)
  return numbers.filter(version => !present.has(version))
}

interface Found {
  readonly collected: Collection
  readonly log: SecretLog
}

/** The likeliest reason why git has no file of a version, which decides what can be done about it. */
function whyLost({ git }: HistoryContext, { collected, log }: Found): string {
  const linked = [...collected.values()].flatMap(({ file }) => namedBy(file))
  if (linked.some(oid => oid.length !== git.oidHex)) return "converted: the ids of git's objects have changed"
  if (git.shallow) return "shallow: this clone stops before them"
  const isGone = ({ oid }: LogEntry) => oid !== undefined && !collected.has(oid)
  if (isPartialClone(git) && (!log.isWhole || log.entries.some(isGone))) return PARTIAL
  if (log.entries.some(isGone)) return "pruned: git's log names files that cannot be read here"
  return "squashed: of a squash or a rewrite git keeps only what the branch ended with"
}

const PARTIAL = "partial: it has only what git needed so far"

function missing(
  context: HistoryContext,
  current: SecretFile,
  found: Found,
  choice: VersionChoice,
): CofferError {
  const { name } = current
  const lost = lostVersions(current, distinctVersions(found.collected))
  const isLost = "at" in choice ? lost.length > 0 : lost.includes(choice.version)
  const wanted = "at" in choice ? "of that time" : String(choice.version)
  if (!isLost) return neverWas(name, found, choice)
  const why = whyLost(context, found)
  return new CofferError("HISTORY_MISSING", `version ${wanted} of "${name}" is not in this clone (${why})`, {
    hint: hintFor(context, name, why),
  })
}

function hintFor({ git, folder }: HistoryContext, name: SecretName, why: string): string {
  if (git.shallow) return "git fetch --unshallow"
  if (why !== PARTIAL) return `coffer versions ${name} lists what there is`
  return `git log -p -m --full-history -- ${gitPath(folder)} > /dev/null, which fetches it; then again`
}

function neverWas(name: SecretName, { collected }: Found, choice: VersionChoice): CofferError {
  const hint = `coffer versions ${name}`
  if ("version" in choice) {
    const label = choice.hint === undefined ? choice.version : `${choice.version}~${choice.hint}`
    return new CofferError("NOT_FOUND", `"${name}" has no version ${label}`, { hint })
  }
  const first = distinctVersions(collected).findLast(({ linked }) => linked)!.file.created
  const what = `"${name}" was not there yet at that time: its first version is of ${first}`
  return new CofferError("NOT_FOUND", what, { hint })
}

function ambiguous(name: SecretName, found: readonly Collected[]): CofferError {
  const labels = found.map(
    ({ file }) => `${name}@${labelOf(file, found)} by ${writerOf(file)}, ${file.created}`,
  )
  return new CofferError("VERSION_TWICE", `two values bear that number: ${labels.join("; ")}`, {
    hint: `name one: ${name}@${labelOf(found[0]!.file, found)}`,
  })
}

function wasDeleted(name: SecretName, { version, author, created }: SecretFile): CofferError {
  return new CofferError(
    "NOT_FOUND",
    `"${name}" was deleted there: version ${version} by ${author}, ${created}`,
    {
      hint: `coffer versions ${name}`,
    },
  )
}

const VERSIONS = objectOf<{ name: SecretName }>({ name: SECRET })

/** {@link readHistory} of a store's secret: needs no identity. @throws CofferError `NOT_FOUND`, `HISTORY_MISSING` */
export async function listVersions(store: Store, request: { name: SecretName }): Promise<History> {
  checkCall(store, request, VERSIONS)
  const view = await viewStore(store, { use: "look" })
  return readHistory(await historyOf(store, view), request.name)
}

/** What reading history from a verified view needs. @throws CofferError `HISTORY_MISSING` without git */
export async function historyOf(store: Store, view: View): Promise<HistoryContext> {
  return {
    git: await gitForHistory(store.git),
    keyring: view.keyring,
    folder: store.folder,
    find: name => readSecret(view, name),
    open: groupOpener(store, view),
  }
}

/** History needs git; without any, what is asked for is not here. */
async function gitForHistory(open: () => Promise<Git>): Promise<Git> {
  try {
    return await open()
  } catch (error) {
    if (!hasCode(error, "GIT_NO_REPOSITORY")) throw error
    throw new CofferError("HISTORY_MISSING", "there is no git repository here, so no history", {
      hint: "run it in a clone",
      cause: error,
    })
  }
}
