/** Which remote-tracking branch a branch follows, from the settings `git push -u` leaves. */
import type { GitConfig } from "./embedded-config.js"

/** @returns the full name of the ref, which need not exist; undefined where the branch follows none. */
export function findUpstream(config: GitConfig, branch: string): string | undefined {
  const name = branch.replace(/^refs\/heads\//, "")
  const remote = config.get(`branch.${name}.remote`)
  const merge = config.get(`branch.${name}.merge`)
  if (remote === undefined || merge === undefined) return undefined
  if (remote === ".") return merge
  for (const refspec of config.getAll(`remote.${remote}.fetch`)) {
    const [from, to] = refspec.replace(/^\+/, "").split(":")
    const [before, after] = from!.split("*")
    if (to === undefined || (after === undefined && from !== merge)) continue
    if (after === undefined) return to
    if (merge.length >= before!.length + after.length && merge.startsWith(before!) && merge.endsWith(after)) {
      return to.replace("*", merge.slice(before!.length, merge.length - after.length))
    }
  }
  return undefined
}
