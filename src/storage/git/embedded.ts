/** The embedded back end: git's files read and written by ourselves, for machines without a git binary. */
import { join } from "node:path"
import type { Environment } from "../environment.js"
import { findRepository, type Head, inProgress, type Repository, readHead } from "../repository.js"
import { findPerson } from "./author.js"
import type { Backend } from "./backend.js"
import { canonicalKey, isRemoteName } from "./config-file.js"
import { type GitConfig, readConfig } from "./embedded-config.js"
import { gitFiles } from "./embedded-files.js"
import { checkOwner, checkReadable } from "./embedded-gate.js"
import { findMergeBase, findReachable, logPath, openGraph } from "./embedded-history.js"
import { isIgnoredPath } from "./embedded-ignore.js"
import { diffTreeAndIndex, findInIndex, listIndex, readIndex } from "./embedded-index.js"
import { introduced } from "./embedded-introduced.js"
import { openObjects } from "./embedded-objects.js"
import { openRefs } from "./embedded-refs.js"
import type { EmbeddedRepository } from "./embedded-repository.js"
import { findRevision } from "./embedded-revision.js"
import { findUpstream } from "./embedded-upstream.js"
import { embeddedWriter, hooksFolder } from "./embedded-writer.js"
import { findForeignIndex } from "./foreign-index.js"
import type { Oid } from "./git.js"
import { noRepository } from "./not-opened.js"
import { blobs } from "./object-reader.js"
import { diffTrees, findObstacle, listTree, lookupInTree } from "./trees.js"
import { unsupported } from "./unsupported.js"

/**
 * Opens the repository around `dir` without a git binary.
 *
 * @throws CofferError `GIT_NO_REPOSITORY`; `GIT_REFUSED` (another user's); `GIT_UNSUPPORTED`, naming what only git
 * itself handles right
 */
export async function openEmbedded(dir: string, env: Environment): Promise<Backend> {
  const at = findRepository(dir)
  if (at === undefined) throw noRepository(dir)
  checkReadable(at, env)
  const config = readConfig(at, headOf(at).ref, env)
  checkOwner(at, config, env)
  const files = gitFiles(config.get("core.sharedrepository"))
  const objects = openObjects(at.commonDir, files)
  const graph = openGraph(at.commonDir, objects)
  const repository = { at, env, config, files, objects, graph, refs: openRefs(at) }
  return { ...embeddedReader(repository), ...embeddedWriter(repository) }
}

type EmbeddedReader = Omit<Backend, keyof ReturnType<typeof embeddedWriter>>

function embeddedReader(repository: EmbeddedRepository): EmbeddedReader {
  const { at, env, config, objects, graph, refs } = repository
  const foreignIndex = findForeignIndex(env, at)
  const ownIndex = join(at.gitDir, "index")
  const index = () => readIndex(foreignIndex ?? ownIndex)
  const upstreamOf = (branch: string) => findUpstream(config, branch)
  return {
    kind: "embedded",
    ...at,
    oidHex: 40,
    shallow: graph.shallow,
    foreignIndex,
    head: async () => headOf(at),
    find: revision => findRevision({ objects, graph, refs, upstreamOf }, revision),
    mergeBase: (a, b) => findMergeBase(graph, a, b),
    entries: async (from, prefix) =>
      from === "index" ? listIndex(index(), prefix) : listTree(objects, from, prefix),
    changes: async (from, to, prefix) =>
      to === "index"
        ? diffTreeAndIndex(objects, from, index(), prefix)
        : diffTrees(objects, from, to, prefix),
    blobs: oids => blobs(objects, oids),
    log: (path, from) => logPath(graph, objects, path, from),
    missing: (tips, remote, known) => missing(repository, tips, remote, known),
    introduced: commits => introduced(graph, objects, commits),
    config: async key => readSetting(config, key),
    state: async () => inProgress(at),
    author: async () => findPerson("author", config, env),
    async isIgnored(path) {
      return listIndex(index(), path).length === 0 && isIgnoredPath(at, config, env, path)
    },
    isTracked: async path => listIndex(index(), path).length > 0,
    hooksPath: async () => hooksFolder(at, config),
    async branchUpstream() {
      const { ref } = headOf(at)
      const upstream = ref === null ? undefined : upstreamOf(ref)
      return upstream === undefined ? undefined : { ref: upstream, commit: refs.find(upstream) }
    },
    findObstacle: (commit, paths) => findObstacle(objects, commit, paths),
    async lookup(from, paths) {
      if (from !== "index") return lookupInTree(objects, from, paths)
      const own = readIndex(ownIndex)
      const found = paths.map(path => [path, findInIndex(own, path)] as const)
      return new Map(found.filter(([, entries]) => entries.length > 0))
    },
  }
}

function headOf(at: Repository): Head {
  const head = readHead(at)
  if (head === undefined) throw unsupported("HEAD that names no ordinary branch")
  return head
}

async function missing(
  { graph, objects, refs }: EmbeddedRepository,
  tips: readonly Oid[],
  remote: string,
  known: readonly Oid[],
): Promise<readonly Oid[]> {
  const branches = isRemoteName(remote) ? [...refs.list(`refs/remotes/${remote}`).values()] : []
  const present: Oid[] = []
  for (const oid of [...branches, ...known]) {
    if ((await objects.find(oid))?.type === "commit") present.push(oid)
  }
  return findReachable(graph, tips, present)
}

/** Keys are looked up as git does: section and name in any case. A name without "=" means true. */
function readSetting(config: GitConfig, key: string): string | undefined {
  const canonical = canonicalKey(key)
  return config.has(canonical) ? (config.get(canonical) ?? "true") : undefined
}
