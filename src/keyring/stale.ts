/** Whether a file is sealed under an older data key than it should be. */
import type { Reason } from "../format/key-record.js"
import type { GroupKeyring } from "./group.js"

/** Records of these kinds come with every file of the group sealed again; the others only add to it. */
const SEALS_AGAIN: ReadonlySet<Reason> = new Set(["remove", "replace", "rotate", "merge"])

/**
 * Whether the group has been sealed again since the data key `id` was its newest: a branch that was in
 * flight then brought the file. Adding a member publishes a data key too, and leaves the files alone.
 */
export function isStale({ graph, current }: GroupKeyring, id: string): boolean {
  const key = graph.byId.get(id)
  if (key === undefined) return false
  return current.some(tip =>
    [...graph.ancestors(tip.sha256)].some(sha256 => {
      const { record } = graph.nodes.get(sha256)!
      return record.number > key.record.number && SEALS_AGAIN.has(record.reason)
    }),
  )
}
