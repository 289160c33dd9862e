/** Looks at what is about to be committed: the pre-commit and pre-merge-commit hooks, and `check --staged`. */

import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { objectOf } from "../format/given.js"
import type { Change, Git, Oid } from "../storage/git/git.js"
import { openGit } from "../storage/git/open.js"
import { gitPreference } from "../storage/git-preference.js"
import { isOid } from "../storage/repository.js"
import { checkContents, type OutgoingFile } from "./guard-content.js"
import {
  type Collector,
  DEMANDS,
  finishReport,
  type GuardDemands,
  type GuardFinding,
  type GuardReport,
  newCollector,
} from "./guard-report.js"
import { readAllowList } from "./guard-settings.js"
import {
  checkStoreAt,
  type GuardedState,
  type GuardedStore,
  isPublicIn,
  removedStores,
  requirePins,
  storeGone,
} from "./guard-store.js"
import { watchOwnValues } from "./guard-values.js"
import { listOnce } from "./listed-git.js"
import { findStores } from "./moved-store.js"
import { checkOptions, type OpenOptions } from "./store.js"

const COMMIT = objectOf<GuardDemands>(DEMANDS)

/**
 * Looks at what the index holds beyond HEAD. It is the index that git names: with `commit -a` and
 * `commit -- path` that is another one than the work tree's.
 *
 * @throws CofferError `GIT_…`, `SETTING_…`, `CHECK_INCOMPLETE` for `requirePin`; what is wrong with the content is in the report.
 */
export async function guardCommit(options: OpenOptions, demands: GuardDemands = {}): Promise<GuardReport> {
  checkOptions(options)
  COMMIT(demands, "demands")
  const git = listOnce(await openGit(options.directory, options.env, gitPreference(options)), "index")
  const collector = newCollector()
  if (git.hasJournal()) collector.findings.push(openJournal())
  const { commit: head } = await git.head()
  const merged = findMerged(git, options)
  const before = head === null ? [] : [head, ...merged]
  const isMerge = merged.length > 0 || isSquash(git)
  const state: GuardedState = { git, at: "index", before, isMerge, demands }
  await requirePins(options, state)
  const changes = await git.changes(head, "index", "")
  const others: (readonly Change[])[] = []
  for (const side of merged) others.push(await git.changes(side, "index", ""))
  const stores = await checkStores(options, state, [changes, ...others], collector)
  const folders = stores.map(({ store }) => store.folder)
  const files = outgoing(changes, others)
  const values = files.length === 0 ? undefined : await watchOwnValues(state, stores, collector)
  const allow = await readAllowList(git, "index")
  await checkContents(git, files, { allow, values, isPublic: path => isPublicIn(folders, path) }, collector)
  return finishReport(collector, demands)
}

/**
 * Each store that differs from a side is verified; the others are only opened, for their values. A merge
 * that equals one side (`-s ours`) may have dropped what the other had.
 *
 * @param sides - the changes against each parent.
 */
async function checkStores(
  options: OpenOptions,
  state: GuardedState,
  sides: readonly (readonly Change[])[],
  collector: Collector,
): Promise<GuardedStore[]> {
  const restore = "git restore --staged --worktree brings it back; git commit --no-verify if it is to go"
  for (const folder of removedStores(sides.flat())) collector.findings.push(storeGone(folder, restore))
  const paths = [...new Set(sides.flat().map(({ path }) => path))]
  const stores: GuardedStore[] = []
  for (const folder of await findStores(state.git, state.at)) {
    const below = paths.filter(path => path.startsWith(`${folder}/`))
    const changed = new Set(below.map(path => path.slice(folder.length + 1)))
    const store = await checkStoreAt(options, state, { folder, changed }, collector)
    if (store !== undefined) stores.push(store)
  }
  return stores
}

/** The commits being merged: in `MERGE_HEAD` after a conflict, but only in git's environment while it merges. */
function findMerged(git: Git, { env }: OpenOptions): Oid[] {
  const file = join(git.gitDir, "MERGE_HEAD")
  if (existsSync(file)) return readFileSync(file, "utf8").split("\n").filter(isOid)
  return Object.keys(env).flatMap(name => (name.startsWith("GITHEAD_") ? [name.slice(8)].filter(isOid) : []))
}

/** After `git merge --squash` the commit has one parent, and joins two branches all the same. */
function isSquash(git: Git): boolean {
  return existsSync(join(git.gitDir, "SQUASH_MSG"))
}

/** Files that the commit would add or change; of a merge those that no side has: the others were looked at there. */
function outgoing(changes: readonly Change[], others: readonly (readonly Change[])[]): OutgoingFile[] {
  const paths = others.map(side => new Set(side.map(({ path }) => path)))
  return changes.flatMap(({ path, to }) =>
    to !== undefined && paths.every(side => side.has(path)) ? [{ path, ...to }] : [],
  )
}

function openJournal(): GuardFinding {
  return {
    code: "STORE_LOCKED",
    level: "error",
    path: ".git",
    message: "a write of coffer's is not finished, and what is staged may be half of it",
    hint: "wait for it, or if it was killed: coffer status finishes it",
  }
}
