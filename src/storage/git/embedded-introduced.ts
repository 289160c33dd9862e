/** What commits brought: of each, the files that none of its parents has. */
import type { CommitGraph } from "./embedded-history.js"
import type { Introduced, Oid } from "./git.js"
import type { ObjectReader } from "./object-reader.js"
import { diffTrees } from "./trees.js"

export async function introduced(
  graph: CommitGraph,
  objects: ObjectReader,
  commits: Iterable<Oid>,
): Promise<Introduced[]> {
  const found: Introduced[] = []
  for (const commit of commits) {
    const { parents } = await graph.get(commit)
    const sides = parents.length === 0 ? [null] : parents
    const [first, ...others] = await Promise.all(sides.map(side => newFiles(objects, side, commit)))
    const files = [...first!.values()].filter(({ path }) => others.every(side => side.has(path)))
    found.push({ commit, parents, files })
  }
  return found
}

async function newFiles(
  objects: ObjectReader,
  from: Oid | null,
  to: Oid,
): Promise<Map<string, Introduced["files"][number]>> {
  const files = new Map<string, Introduced["files"][number]>()
  for (const { path, to: file } of await diffTrees(objects, from, to, "")) {
    if (file !== undefined) files.set(path, { path, ...file })
  }
  return files
}
