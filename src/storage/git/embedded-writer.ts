/** What the embedded back end supplies to the write protocol: objects, the edited index, the moved ref. */
import { devNull } from "node:os"
import { isAbsolute, join } from "node:path"
import { asBuffer } from "../../encoding.js"
import type { Repository } from "../repository.js"
import { findPerson } from "./author.js"
import type { Backend } from "./backend.js"
import type { GitConfig } from "./embedded-config.js"
import { checkCommit } from "./embedded-gate.js"
import { editIndexFile } from "./embedded-index.js"
import { lockRefs } from "./embedded-ref-lock.js"
import type { EmbeddedRepository } from "./embedded-repository.js"
import type { CommitChange, Oid } from "./git.js"
import { refreshIndexFile } from "./index-refresh.js"
import { type GitObject, oidOf, printCommit } from "./object.js"
import { editTree, type FileEdit } from "./tree-edit.js"

type EmbeddedWriter = Pick<
  Backend,
  "writeBlobs" | "writeCommit" | "requireCommit" | "signs" | "editIndex" | "refreshIndex" | "lockRef"
>

export function embeddedWriter(repository: EmbeddedRepository): EmbeddedWriter {
  const { at, env, config, files, objects, refs } = repository
  return {
    async writeBlobs(blobs) {
      await objects.write([...blobs].map(toBlob))
    },
    // It refuses where commits are to be signed.
    signs: async () => false,
    async writeCommit(change) {
      checkCommit(config, hooksFolder(at, config), change)
      return writeCommit(repository, change)
    },
    async requireCommit(options) {
      checkCommit(config, hooksFolder(at, config), options)
      for (const role of ["author", "committer"] as const) findPerson(role, config, env)
    },
    async editIndex(file, edits) {
      editIndexFile(files, file, edits)
    },
    async refreshIndex(file, paths, written) {
      refreshIndexFile(file, { ...at, oidHex: 40 }, paths, written)
    },
    async lockRef(update) {
      const committer = findPerson("committer", config, env)
      return lockRefs({ repository: at, refs, files, config, committer }, update)
    },
  }
}

/** Where hooks are: `core.hooksPath` counts from the top of the work tree, where git runs them; empty, it turns them off. */
export function hooksFolder({ workTree, commonDir }: Repository, config: GitConfig): string {
  const path = config.getPath("core.hookspath")
  if (path === undefined) return join(commonDir, "hooks")
  if (path === "") return devNull
  return isAbsolute(path) ? path : join(workTree, path)
}

async function writeCommit(repository: EmbeddedRepository, change: CommitChange): Promise<Oid> {
  const { env, config, graph, objects } = repository
  const { base, message, at } = change
  const author = findPerson("author", config, env)
  const committer = findPerson("committer", config, env)
  const blobs: GitObject[] = []
  const edits = new Map<string, FileEdit>()
  for await (const [path, bytes] of change.files.entries()) {
    const blob = bytes === null ? null : toBlob(bytes)
    if (blob !== null) blobs.push(blob)
    edits.set(path, blob === null ? null : { mode: "100644", oid: oidOf(blob) })
  }
  const baseTree = base === null ? null : (await graph.get(base)).tree
  const edited = await editTree(baseTree, edits, oid => objects.get(oid, "tree"))
  const parents = base === null ? [] : [base]
  const bytes = printCommit({ tree: edited.tree, parents, author, committer, message, at })
  const commit: GitObject = { type: "commit", bytes }
  await objects.write([...blobs, ...edited.objects, commit])
  return oidOf(commit)
}

function toBlob(bytes: Uint8Array): GitObject {
  return { type: "blob", bytes: asBuffer(bytes) }
}
