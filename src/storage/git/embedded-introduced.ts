/** What commits brought: of each, the files that none of its parents has. */
import type { CommitGraph } from "./embedded-history.js"
import type { ObjectStore } from "./embedded-objects.js"
import { diffTrees } from "./embedded-trees.js"
import type { Introduced, Oid } from "./git.js"

export async function* introduced(
  graph: CommitGraph,
  objects: ObjectStore,
  commits: Iterable<Oid>,
): AsyncGenerator<Introduced> {
  for (const commit of commits) {
    const { tree, parents } = await graph.get(commit)
    const before: (Oid | null)[] = []
    for (const parent of parents) before.push((await graph.get(parent)).tree)
    const sides = before.length === 0 ? [null] : before
    const [first, ...others] = await Promise.all(sides.map(side => newFiles(objects, side, tree)))
    const files = [...first!.values()].filter(({ path }) => others.every(side => side.has(path)))
    yield { commit, parents, files }
  }
}

async function newFiles(
  objects: ObjectStore,
  from: Oid | null,
  to: Oid,
): Promise<Map<string, Introduced["files"][number]>> {
  const files = new Map<string, Introduced["files"][number]>()
  for await (const { path, to: file } of diffTrees(objects, from, to, "")) {
    if (file !== undefined) files.set(path, { path, ...file })
  }
  return files
}
