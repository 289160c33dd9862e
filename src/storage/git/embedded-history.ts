/** Walks over commits in the order and with the selection of `git log`, `git rev-list` and `git merge-base`. */
import { join } from "node:path"
import { findText } from "../disk.js"
import { CommitQueue } from "./commit-queue.js"
import type { LogEntry, Oid } from "./git.js"
import { type Commit, parseCommit } from "./object.js"
import type { ObjectReader } from "./object-reader.js"
import { findInTree } from "./trees.js"

/** Commits, each read once; those at the edge of a shallow clone have no parents, as git shows them. */
export interface CommitGraph {
  readonly shallow: boolean
  /** @throws CofferError `GIT_MISSING_OBJECT` */
  get(oid: Oid): Promise<Commit>
}

export function openGraph(commonDir: string, objects: ObjectReader): CommitGraph {
  const edge = new Set((findText(join(commonDir, "shallow")) ?? "").split("\n").filter(line => line !== ""))
  const commits = new Map<Oid, Commit>()
  return {
    shallow: edge.size > 0,
    async get(oid) {
      const known = commits.get(oid)
      if (known !== undefined) return known
      const parsed = parseCommit(await objects.get(oid, "commit"))
      const commit = edge.has(oid) ? { ...parsed, parents: [] } : parsed
      commits.set(oid, commit)
      return commit
    },
  }
}

/**
 * The commits that touched a path, as `git log --full-history --no-renames -- path`: those where it differs from
 * one parent at least, and a first commit that has it.
 */
export async function* logPath(
  graph: CommitGraph,
  objects: ObjectReader,
  path: string,
  from: Oid,
): AsyncGenerator<LogEntry> {
  const known = new Map<string, string | undefined>()
  const placeIn = async (commit: Oid) => findInTree(objects, (await graph.get(commit)).tree, path, known)
  for await (const oid of walk(graph, [from])) {
    const { parents, author, committerSeconds } = await graph.get(oid)
    const place = await placeIn(oid)
    const before: (string | undefined)[] = []
    for (const parent of parents) before.push(await placeIn(parent))
    if (parents.length === 0 ? place === undefined : before.every(other => other === place)) continue
    const at = new Date(committerSeconds * 1000)
    yield { commit: oid, parents, at, author, ...(isBlob(place) ? { oid: place.slice(7) } : {}) }
  }
}

function isBlob(place: string | undefined): place is string {
  return place !== undefined && !/^(04|16)/.test(place)
}

/** All commits that the tips reach, each once. */
async function* walk(graph: CommitGraph, tips: readonly Oid[]): AsyncGenerator<Oid> {
  const { queue, push } = startQueue(graph)
  for (const tip of tips) await push(tip)
  for (let oid = queue.pop(); oid !== undefined; oid = queue.pop()) {
    for (const parent of (await graph.get(oid)).parents) await push(parent)
    yield oid
  }
}

/** A queue that `push` puts each commit into once. */
function startQueue(graph: CommitGraph): { queue: CommitQueue; push(oid: Oid): Promise<void> } {
  const queue = new CommitQueue()
  const pushed = new Set<Oid>()
  return {
    queue,
    async push(oid) {
      if (pushed.has(oid)) return
      pushed.add(oid)
      queue.push(oid, (await graph.get(oid)).committerSeconds)
    },
  }
}

/** How many hidden commits in a row are looked at, as in git, for one whose clock ran behind. */
const SLOP = 5

/** The commits that the tips reach and the hidden ones do not, newest first. */
export async function findReachable(
  graph: CommitGraph,
  tips: readonly Oid[],
  hidden: readonly Oid[],
): Promise<Oid[]> {
  const { queue, push } = startQueue(graph)
  const passed = new Set<Oid>()
  const isHidden = new Set(hidden)
  const hide = async (from: readonly Oid[]) => {
    const open = [...from]
    for (let oid = open.pop(); oid !== undefined; oid = open.pop()) {
      if (isHidden.has(oid)) continue
      isHidden.add(oid)
      // The walk has been here and taken it for wanted: what lies above it, too.
      if (passed.has(oid)) open.push(...(await graph.get(oid)).parents)
    }
  }
  for (const oid of [...hidden, ...tips]) await push(oid)
  const found: Oid[] = []
  let oldestFound = Number.POSITIVE_INFINITY
  let left = SLOP
  for (let oid = queue.pop(); oid !== undefined && left > 0; oid = queue.pop()) {
    const { parents, committerSeconds } = await graph.get(oid)
    passed.add(oid)
    if (isHidden.has(oid)) await hide(parents)
    for (const parent of parents) await push(parent)
    if (!isHidden.has(oid)) {
      found.push(oid)
      oldestFound = committerSeconds
    }
    const isSettled = queue.every(other => isHidden.has(other)) && (queue.newestSeconds ?? 0) < oldestFound
    left = isSettled ? left - 1 : SLOP
  }
  return found.filter(oid => !isHidden.has(oid))
}

/** The best common ancestor; where several are, none of them an ancestor of another, the newest. */
export async function findMergeBase(graph: CommitGraph, a: Oid, b: Oid): Promise<Oid | undefined> {
  const candidates = await findCommonAncestors(graph, a, b)
  for (const candidate of candidates) {
    const others = candidates.filter(other => other !== candidate)
    if (others.length === 0 || !(await isReached(graph, candidate, others))) return candidate
  }
  return undefined
}

const OF_A = 1
const OF_B = 2
const STALE = 4

/** Paints downwards from both sides: where the colours meet is a common ancestor, and all below it is stale. */
async function findCommonAncestors(graph: CommitGraph, a: Oid, b: Oid): Promise<Oid[]> {
  const colours = new Map<Oid, number>()
  const queue = new CommitQueue()
  const paint = async (oid: Oid, colour: number) => {
    const before = colours.get(oid) ?? 0
    if ((before & colour) === colour) return
    colours.set(oid, before | colour)
    queue.push(oid, (await graph.get(oid)).committerSeconds)
  }
  const isStale = (oid: Oid) => (colours.get(oid)! & STALE) !== 0
  await paint(a, OF_A)
  await paint(b, OF_B)
  const found = new Set<Oid>()
  while (!queue.every(isStale)) {
    const oid = queue.pop()!
    let colour = colours.get(oid)!
    if (colour === (OF_A | OF_B)) {
      found.add(oid)
      colour |= STALE
    }
    for (const parent of (await graph.get(oid)).parents) await paint(parent, colour)
  }
  return [...found].filter(oid => !isStale(oid))
}

async function isReached(graph: CommitGraph, oid: Oid, tips: readonly Oid[]): Promise<boolean> {
  for await (const reached of walk(graph, tips)) if (reached === oid) return true
  return false
}
