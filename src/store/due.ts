/** What is overdue: values by their own meta, data keys by the signed policy of their group. Pure. */
import type { SecretHeader } from "../format/secret-file.js"
import { parseTime, printTime } from "../format/times.js"
import type { GroupKeyring } from "../keyring/group.js"

const DAY_MS = 86_400_000

/** Why a value should be changed by `at`; undefined if it need not. */
export function findSecretDue({ state, meta, created }: SecretHeader, at: Date): string | undefined {
  if (state === "deleted") return undefined
  const expires = meta.get("expires")
  if (expires !== undefined && expires <= printTime(at)) return `expired ${expires}`
  const rotateAfter = meta.get("rotateAfter")
  if (rotateAfter === undefined || ageDays(created, at) < Number.parseInt(rotateAfter, 10)) return undefined
  return `was to be changed ${rotateAfter} after ${created}`
}

/** Why a group's data key should be rotated by `at`. */
export function findKeyDue({ current }: GroupKeyring, at: Date): string | undefined {
  const [newest] = current
  if (newest === undefined) return undefined
  const { created, policy } = newest.record
  // A date in the future would otherwise put off a rotation for as long as its author likes.
  if (created > printTime(at)) return `is dated in the future (${created})`
  const interval = policy.rotation?.interval
  if (interval === undefined || ageDays(created, at) < interval) return undefined
  return `was to be rotated every ${interval} days; it is of ${created}`
}

/** Whole days since a time of coffer's files; negative for the future. */
export function ageDays(created: string, at: Date): number {
  return Math.floor((at.getTime() - (parseTime(created)?.getTime() ?? 0)) / DAY_MS)
}
