/** Turns a revision as people type it into a commit: the spellings that need no reflog and no search. */

import type { CommitGraph } from "./embedded-history.js"
import type { ObjectStore } from "./embedded-objects.js"
import { isRefName, type Refs } from "./embedded-refs.js"
import type { Oid } from "./git.js"
import { unsupported } from "./unsupported.js"

interface Parts {
  readonly objects: ObjectStore
  readonly graph: CommitGraph
  readonly refs: Refs
  /** The ref that a branch follows; branches by their full names. */
  readonly upstreamOf: (branch: string) => string | undefined
}

/** Where git looks for a short name, in this order. */
const REF_PLACES = ["", "refs/", "refs/tags/", "refs/heads/", "refs/remotes/"]

/**
 * Resolves `HEAD`, `main`, `origin/main`, `v1.0`, an id or its beginning, `@{upstream}`, each with `~2`, `^2`,
 * `^{commit}` behind it.
 *
 * @throws CofferError `GIT_UNSUPPORTED` for other forms that git knows (`@{1}`, `:/text`)
 * @see https://git-scm.com/docs/gitrevisions
 */
export async function findRevision(parts: Parts, revision: string): Promise<Oid | undefined> {
  const [, base, steps] = /^(.*?)((?:~\d*|\^\d*|\^\{(?:commit)?\})*)$/s.exec(revision)!
  const start = await findBase(parts, base!)
  let commit = start === undefined ? undefined : await peel(parts, start)
  for (const [, kind, count] of steps!.matchAll(/([~^])(?!\{)(\d*)/g)) {
    if (commit === undefined) return undefined
    const number = count === "" ? 1 : Number(count)
    commit =
      kind === "~" ? await ancestor(parts.graph, commit, number) : await parent(parts.graph, commit, number)
  }
  return commit
}

async function findBase(parts: Parts, base: string): Promise<Oid | undefined> {
  const { refs, objects } = parts
  const upstream = /^(.*)@\{(u|upstream)\}$/i.exec(base)?.[1]
  if (upstream !== undefined) {
    const branch = upstream === "" || upstream === "@" ? refs.findTarget("HEAD") : `refs/heads/${upstream}`
    const name = branch === undefined ? undefined : parts.upstreamOf(branch)
    return name === undefined ? undefined : refs.find(name)
  }
  if (/@\{|^:|:/.test(base)) throw unsupported(`the revision "${base}"`)
  if (/^[0-9a-f]{40}$/i.test(base)) return base.toLowerCase()
  const names = [...REF_PLACES.map(place => place + base), `refs/remotes/${base}/HEAD`]
  for (const name of base === "@" ? ["HEAD"] : names) {
    const oid = isRefName(name) ? refs.find(name) : undefined
    if (oid !== undefined) return oid
  }
  if (!/^[0-9a-f]{4,39}$/i.test(base)) return undefined
  const candidates = await objects.findByPrefix(base.toLowerCase())
  const commits = await Promise.all(candidates.map(oid => peel(parts, oid)))
  const found = new Set(commits.filter(oid => oid !== undefined))
  return found.size === 1 ? [...found][0] : undefined
}

/** The commit itself, or the one that a tag names. */
async function peel({ objects }: Parts, oid: Oid): Promise<Oid | undefined> {
  let current = oid
  for (;;) {
    const object = await objects.find(current)
    if (object?.type === "commit") return current
    const target =
      object?.type === "tag" ? /^object ([0-9a-f]{40})$/m.exec(object.bytes.toString())?.[1] : undefined
    if (target === undefined) return undefined
    current = target
  }
}

async function ancestor(graph: CommitGraph, from: Oid, steps: number): Promise<Oid | undefined> {
  let commit: Oid | undefined = from
  for (let left = steps; left > 0 && commit !== undefined; left--) commit = await parent(graph, commit, 1)
  return commit
}

async function parent(graph: CommitGraph, commit: Oid, number: number): Promise<Oid | undefined> {
  return number === 0 ? commit : (await graph.get(commit)).parents[number - 1]
}
