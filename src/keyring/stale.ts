/** Whether a file is sealed under an older data key than it should be. */
import type { Reason } from "../format/key-record.js"
import { acceptedRecords, type GroupKeyring } from "./group.js"

/** Records of these kinds come with every file of the group sealed again; the others only add to it. */
const SEALS_AGAIN: ReadonlySet<Reason> = new Set(["remove", "replace", "rotate", "merge"])

/**
 * Whether the group has been sealed again since the data key `id` was its newest: a branch that was in
 * flight then brought the file. Adding a member publishes a data key too, and leaves the files alone.
 */
export function isStale(group: GroupKeyring, id: string): boolean {
  const key = group.graph.byId.get(id)
  if (key === undefined) return false
  return acceptedRecords(group).some(
    ({ record }) => record.number > key.record.number && SEALS_AGAIN.has(record.reason),
  )
}
