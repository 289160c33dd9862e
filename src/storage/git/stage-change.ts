/** A change of index and work tree without a commit: for `--no-commit`, and for settling conflicts. */
import type { FileChanges } from "./git.js"
import { isStaged } from "./recover.js"
import { differing, inspectForStage, isUnchanged } from "./snapshot.js"
import { carryOut, journalFiles, type Writer } from "./write.js"

/**
 * Stages the files. The store lock is held by the caller.
 *
 * @returns false where there was nothing to do.
 */
export async function stageChange(writer: Writer, token: string, wanted: FileChanges): Promise<boolean> {
  const { backend, reached } = writer
  const paths = [...wanted.keys()]
  const snapshot = await inspectForStage(backend, paths)
  reached("checked")
  const files = differing(backend, snapshot, wanted)
  if (files.size === 0) return false
  await backend.writeBlobs([...files.values()].filter(bytes => bytes !== null))
  reached("objects")
  const journal = { token, commit: null, files: journalFiles(backend, snapshot, files) }
  await carryOut(writer, {
    journal,
    files,
    snapshot,
    async lockHead() {
      if (!isUnchanged(backend, snapshot)) await inspectForStage(backend, paths)
      return undefined
    },
    isDone: () => isStaged(backend, journal),
  })
  return true
}
