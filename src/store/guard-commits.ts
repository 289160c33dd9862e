/** Looks at commits that are about to be published: the store where they end, and plaintext in every one of them. */

import { CofferError } from "../errors.js"
import { counted } from "../format/counted.js"
import { demand, listOf, objectOf, TEXT } from "../format/given.js"
import type { Git, Introduced, Oid } from "../storage/git/git.js"
import { openGit } from "../storage/git/open.js"
import { gitPreference } from "../storage/git-preference.js"
import { isOid } from "../storage/repository.js"
import { checkContents } from "./guard-content.js"
import {
  type Collector,
  DEMANDS,
  finishReport,
  type GuardDemands,
  type GuardReport,
  newCollector,
} from "./guard-report.js"
import { readAllowList } from "./guard-settings.js"
import { checkStoreAt, removedStores, requirePins, storeGone } from "./guard-store.js"
import { listOnce } from "./listed-git.js"
import { findLostUpdates } from "./merge-audit.js"
import { findStores } from "./moved-store.js"
import { requireCommit } from "./revision.js"
import { checkOptions, type OpenOptions } from "./store.js"

/** A line that git gives the pre-push hook. */
export interface PushedRef {
  readonly localRef: string
  readonly localOid: Oid
  readonly remoteRef: string
  readonly remoteOid: Oid
}

const OID = demand({
  is: value => typeof value === "string" && isOid(value),
  form: "an id of git's",
  hint: "a line of the pre-push hook has two, in full",
})
const PUSH = objectOf<{ remote: string; refs: readonly PushedRef[] }>({
  remote: TEXT,
  refs: listOf(objectOf<PushedRef>({ localRef: TEXT, localOid: OID, remoteRef: TEXT, remoteOid: OID })),
})
const RANGE = objectOf<GuardDemands & { range: string }>({ ...DEMANDS, range: TEXT })

/** Commits up to `tip` that are not published; `known` are published ones, as far as they are here. */
interface Outgoing {
  readonly tip: Oid
  readonly remote: string
  readonly known: readonly Oid[]
  readonly demands: GuardDemands
}

/**
 * Looks at what a push would publish (pre-push): the store at each tip, and every commit that the remote
 * does not have.
 *
 * @param remote - its name, or its URL where it has none.
 */
export async function guardPush(
  options: OpenOptions,
  request: { remote: string; refs: readonly PushedRef[] },
): Promise<GuardReport> {
  checkOptions(options)
  PUSH(request, "request")
  const { remote, refs } = request
  const git = await openGit(options.directory, options.env, gitPreference(options))
  const collector = newCollector()
  const known = refs.map(({ remoteOid }) => remoteOid).filter(oid => !isNone(oid))
  const pushed = new Map(refs.map(ref => [ref.localOid, ref.localRef]))
  for (const [localOid, localRef] of pushed) {
    // A deletion publishes nothing.
    if (isNone(localOid)) continue
    const tip = await git.find(localOid)
    if (tip !== undefined) await guardCommits(options, git, { tip, remote, known, demands: {} }, collector)
    else collector.notes.add(`note: "${localRef}" is no commit: what it holds was not looked at`)
  }
  return finishReport(collector)
}

/**
 * Looks at the commits of `A..B` as a push of them would be looked at (CI). `A` may be git's id of nothing,
 * as CI systems give it for a new branch: then the whole history of B counts.
 *
 * @throws CofferError `USAGE`, `HISTORY_MISSING` where this clone lacks one of them, `CHECK_INCOMPLETE` for `requirePin`
 */
export async function guardRange(
  options: OpenOptions,
  request: GuardDemands & { range: string },
): Promise<GuardReport> {
  checkOptions(options)
  RANGE(request, "request")
  const { range, ...demands } = request
  const git = await openGit(options.directory, options.env, gitPreference(options))
  const collector = newCollector()
  const { from, tip } = await parseRange(git, range)
  const known = from === undefined ? [] : [from]
  await requirePins(options, { git, at: tip, before: [], isMerge: false, demands })
  await guardCommits(options, git, { tip, remote: "", known, demands }, collector)
  return finishReport(collector, demands)
}

/** Reads what git writes to the pre-push hook's standard input. */
export function parsePushedRefs(text: string): PushedRef[] {
  return text.split("\n").flatMap(line => {
    const [localRef, localOid, remoteRef, remoteOid] = line.split(" ")
    if (localRef === undefined || localOid === undefined || remoteRef === undefined) return []
    return remoteOid === undefined ? [] : [{ localRef, localOid, remoteRef, remoteOid }]
  })
}

async function guardCommits(
  options: OpenOptions,
  opened: Git,
  { tip, remote, known, demands }: Outgoing,
  collector: Collector,
): Promise<void> {
  const git = listOnce(opened, tip)
  const commits = await git.missing([tip], remote, known)
  if (commits.length === 0) return
  collector.commits += commits.length
  const brought = await git.introduced(commits)
  const own = new Set(commits)
  const published = [...new Set(brought.flatMap(({ parents }) => parents))].filter(oid => !own.has(oid))
  noteExtent(git, { commits, brought, published }, collector)
  const isMerge = brought.some(({ parents }) => parents.length > 1)
  await findRemovedStores(git, { published, tip }, collector)
  for (const folder of await findStores(git, tip)) {
    const state = { git, at: tip, before: published, isMerge, demands }
    // What is published as it is was checked then, or cannot be kept back now.
    const changed = (await isUnchanged(git, folder, published, tip)) ? new Set<string>() : undefined
    await checkStoreAt(options, state, { folder, changed }, collector)
    await auditMerges(git, folder, brought, collector)
  }
  const files = brought.flatMap(({ commit, files }) => files.map(file => ({ ...file, commit })))
  const allow = await readAllowList(git, tip)
  await checkContents(git, files, { allow, isPublic: () => false }, collector)
}

/** Stores that are published and not at the tip: nothing is left there to be verified. */
async function findRemovedStores(
  git: Git,
  { published, tip }: { published: readonly Oid[]; tip: Oid },
  collector: Collector,
): Promise<void> {
  const removed = new Set<string>()
  for (const commit of published) {
    for (const folder of removedStores(await git.changes(commit, tip, ""))) removed.add(folder)
  }
  const restore = "git revert of the commit that did it brings it back; git push --no-verify if it is to go"
  for (const folder of removed) collector.findings.push(storeGone(folder, restore))
}

/** Says so where less, or more, was looked at than a reader of "nothing found" would think. */
function noteExtent(
  git: Git,
  range: { commits: readonly Oid[]; brought: readonly Introduced[]; published: readonly Oid[] },
  collector: Collector,
): void {
  const { commits, brought, published } = range
  if (git.shallow && brought.some(({ parents }) => parents.length === 0)) {
    collector.notes.add("note: this clone is shallow: checked to the boundary of what it has")
  } else if (published.length === 0) {
    collector.notes.add(
      `note: nothing of this history is known to be published: all of it was looked at (${counted(commits.length, "commit")})`,
    )
  }
}

async function isUnchanged(git: Git, folder: string, published: readonly Oid[], tip: Oid): Promise<boolean> {
  if (published.length === 0) return false
  for (const commit of published) {
    if ((await git.changes(commit, tip, folder)).length > 0) return false
  }
  return true
}

async function auditMerges(
  git: Git,
  folder: string,
  brought: readonly Introduced[],
  collector: Collector,
): Promise<void> {
  for (const { commit, parents } of brought) {
    const [first, ...others] = parents
    if (first === undefined || (await isUnchanged(git, folder, others, first)) || others.length === 0)
      continue
    for (const finding of await findLostUpdates(git, folder, { parents, result: commit })) {
      collector.findings.push({ ...finding, path: `${folder}/${finding.path}`, commit })
    }
  }
}

async function parseRange(git: Git, range: string): Promise<{ from: Oid | undefined; tip: Oid }> {
  const [, a, b] = /^(.+?)\.\.(.*)$/.exec(range) ?? []
  if (a === undefined || range.includes("...")) {
    throw new CofferError("USAGE", "a range is written A..B, both commits of this repository", {
      hint: "coffer check --range origin/main..HEAD",
    })
  }
  const from = isNone(a) ? undefined : await requireCommit(git, a, "the range")
  return { from, tip: await requireCommit(git, b || "HEAD", "the range") }
}

/** git's id of nothing: a new branch, or a deleted one. */
function isNone(oid: string): boolean {
  return /^0+$/.test(oid)
}
