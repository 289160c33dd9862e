/** Compares a branch that has moved with what was last seen of it; loaded only then. */
import type { Git, Oid } from "../storage/git/git.js"
import type { SeenBranch } from "../storage/seen.js"
import { type Compared, type Comparison, compareCommits, type Loss } from "./compare-commits.js"

export { findFoldersAt } from "./moved-store.js"

/** The commit to compare with: the seen one, or where the branch left it (amend, rebase, reset). */
export async function findCompareBase(git: Git, seen: Oid, head: Oid): Promise<Oid | undefined> {
  if (seen === head) return seen
  if ((await git.find(seen)) === undefined) return undefined
  const base = await git.mergeBase(seen, head)
  // A shallow clone cannot tell how two commits are related: their content is compared all the same.
  return base === undefined && git.shallow ? seen : base
}

/** What the branch lost between what was seen of it and its present commit. */
export async function compareWithSeen(compared: Compared, seen: SeenBranch, head: Oid): Promise<Comparison> {
  const base = await findCompareBase(compared.git, seen.commit, head)
  const found = base === undefined ? NOTHING : await compareCommits(compared, base, head)
  const rewritten = await findRewritten(compared, seen, head)
  return { losses: [...rewritten, ...found.losses], unjudged: found.unjudged }
}

const NOTHING: Comparison = { losses: [], unjudged: [] }

/**
 * A published commit that neither HEAD nor the upstream holds any longer. If all that the store had there is
 * still here (a squash, a rebase somebody pushed), nothing was taken away and nothing is said.
 */
async function findRewritten(compared: Compared, seen: SeenBranch, head: Oid): Promise<Loss[]> {
  const { git, folder } = compared
  const { upstream: published } = seen
  if (published === undefined || (await isAncestor(git, published, head))) return []
  const upstream = await git.branchUpstream()
  if (upstream?.commit !== undefined && (await isAncestor(git, published, upstream.commit))) return []
  const lost = await describeLost(compared, published, head)
  if (lost === undefined) return []
  return [
    {
      code: "HISTORY_REWRITTEN",
      path: folder,
      message: `commit ${published.slice(0, 7)}, published on this branch, is no longer in its history${lost}`,
      hint: "ask who force-pushed, and git merge that commit to keep it; if it was on purpose: coffer trust accept --all",
    },
  ]
}

/** What went with a published commit; undefined where the store lost nothing. */
async function describeLost(compared: Compared, published: Oid, head: Oid): Promise<string | undefined> {
  if ((await compared.git.find(published)) === undefined) return compared.git.shallow ? undefined : ""
  const { losses } = await compareCommits(compared, published, head)
  const [first] = losses
  if (first === undefined) return undefined
  const others = losses.length === 1 ? "" : ` (and ${losses.length - 1} more)`
  return `, and ${first.message}${others}`
}

async function isAncestor(git: Git, ancestor: Oid, commit: Oid): Promise<boolean> {
  if (ancestor === commit) return true
  if ((await git.find(ancestor)) === undefined) return false
  return (await git.mergeBase(ancestor, commit)) === ancestor
}
