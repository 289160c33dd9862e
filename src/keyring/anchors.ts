/** Whether what is trusted still keeps out everybody who lost the right to sign records (`PIN_OLD`, `ANCHOR_OLD`). */
import { ROOT_GROUP } from "../format/names.js"
import type { Finding } from "./findings.js"
import { rightsOf } from "./forks.js"
import { acceptedRecords, type GroupKeyring } from "./group.js"
import { matchesPin, type Pin } from "./pin.js"
import type { Keyring } from "./verify.js"

/**
 * Finds anchors that want renewal. An old anchor is no error: but where the real records are
 * withheld, a fork by somebody who could sign after the anchor would be believed.
 *
 * @param pin - the pin that others rely on, such as a build's.
 * @see DESIGN §2.1
 */
export function findOldAnchors(keyring: Keyring, pin: Pin | undefined): readonly Finding[] {
  return [...keyring.groups.values()].flatMap(group => {
    const anchors = group.group === ROOT_GROUP ? pinned(keyring, group, pin) : group.anchors.listed
    const lost = anchors.flatMap(sha256 => lostSince(group, sha256))
    if (lost.length === 0) return []
    return [group.group === ROOT_GROUP ? oldPin(lost) : oldAnchor(group.group, lost)]
  })
}

function pinned({ store }: Keyring, { graph }: GroupKeyring, pin: Pin | undefined): string[] {
  const nodes = [...graph.nodes.values()].filter(node => pin !== undefined && matchesPin(pin, store, node))
  return nodes.map(node => node.sha256)
}

/** What the default group should list: the present records of groups whose listed one is old, else what it lists. */
export function renewAnchors(keyring: Keyring): ReadonlyMap<string, string> {
  const renewed = new Map<string, string>()
  for (const [name, hashes] of keyring.listed) {
    const group = keyring.groups.get(name)
    const [listed] = hashes
    const [current, second] = group?.current ?? []
    const isOld = group !== undefined && second === undefined && lostSince(group, listed!).length > 0
    renewed.set(name, isOld ? current!.sha256 : listed!)
  }
  return renewed
}

/** Names of those who could sign records in the anchor or after it and cannot now. */
function lostSince(group: GroupKeyring, anchor: string): string[] {
  const has = new Set(group.current.flatMap(node => rightsOf(node.record.members)))
  const since = acceptedRecords(group).filter(node => group.graph.ancestors(node.sha256).has(anchor))
  const lost = since
    .flatMap(node => node.record.members)
    .filter(member => rightsOf([member]).some(right => !has.has(right)))
  return [...new Set(lost.map(member => member.name))].sort()
}

function oldPin(lost: readonly string[]): Finding {
  return {
    code: "PIN_OLD",
    level: "warning",
    message: `the pin is older than the removal of ${lost.join(", ")}`,
    hint: "coffer init takes the present one on this machine; elsewhere put what coffer trust pin prints where the old one stands",
  }
}

function oldAnchor(group: string, lost: readonly string[]): Finding {
  return {
    code: "ANCHOR_OLD",
    level: "warning",
    message: `what the default group lists for "${group}" is older than the removal of ${lost.join(", ")}`,
    hint: "an admin of default renews it: coffer rotate default",
  }
}
