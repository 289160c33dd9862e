/** What is trusted of a group's key records: pin, listed records, local state (DESIGN §2.4, 6 and 14). */
import { recordPath } from "../format/key-record.js"
import { ROOT_GROUP } from "../format/names.js"
import type { Finding, Refuse } from "./findings.js"
import type { Anchors } from "./forks.js"
import { buildGraph, type Graph, makeNode, type RecordNode } from "./graph.js"
import { matchesPin, type Pin } from "./pin.js"
import type { RecordFile } from "./record-rules.js"

export const KEYS_FOLDER = ".coffer/keys"
const FOLDER = `${KEYS_FOLDER}/${ROOT_GROUP}`

/** The group whose folder below {@link KEYS_FOLDER} a path lies in; "" where it lies in none. */
export function groupOfRecord(path: string): string {
  return path.slice(KEYS_FOLDER.length + 1, path.lastIndexOf("/"))
}

/** What local state remembers of a store. */
export interface KnownRecords {
  /** Per group the newest record verified on this machine. Diverged records do not move it. */
  readonly newest: ReadonlyMap<string, readonly string[]>
  /** Those records and all their ancestors, by SHA-256. Asked only where a tree lacks the newest one. */
  readonly records: Pick<ReadonlyMap<string, Uint8Array>, "get">
  /** Hashes of records whose members and signature were checked on this machine. */
  readonly verified: Pick<ReadonlySet<string>, "has">
}

/** One group to verify. */
export interface GroupTask {
  /** Store id. */
  readonly store: string
  readonly group: string
  /** Its own files only. */
  readonly files: readonly RecordFile[]
  /** For the default group. */
  readonly pin: Pin | undefined
  /** Hashes that the default group's current records list for it; none for the default group. */
  readonly listed: readonly string[]
  readonly known: KnownRecords | undefined
  /** The newest known record may be absent: this is an older branch. */
  readonly mayLack: boolean
  /** A fork that an admin of default can decide is taken as diverged. */
  readonly undecided: boolean
  /** Takes the hashes of records that were checked. */
  readonly verified: Set<string>
  readonly findings: Finding[]
}

/** What step 6 found. */
export interface Trust {
  readonly anchors: Anchors
  /** Hashes of the anchors and their ancestors. */
  readonly byHash: ReadonlySet<string>
  /** Without a pin: the store's own first record, taken as it is but checked against itself. */
  readonly root: string | undefined
  /** Where the tree lacks the newest known record: that and those of its ancestors that it lacks. */
  readonly elsewhere: readonly RecordNode[]
}

/** Step 6, and for listed groups its counterpart in 14. @returns undefined after a refusal that did not throw */
export function findTrust(task: GroupTask, tree: Graph, refuse: Refuse): Trust | undefined {
  const newest = task.known?.newest.get(task.group) ?? []
  const absent = newest.filter(sha256 => !tree.nodes.has(sha256))
  const elsewhere = recallRecords(task, tree, absent)
  const all = elsewhere.length === 0 ? tree : buildGraph(task.group, [...tree.nodes.values(), ...elsewhere])
  const chosen =
    task.group === ROOT_GROUP ? anchorRoot(task, tree, all, refuse) : anchorListed(task, tree, refuse)
  if (chosen === undefined) return undefined
  const recalled = absent.every(sha256 => all.nodes.has(sha256))
  if (absent.length > 0 && !(task.mayLack && recalled)) {
    refuseRollback(task, elsewhere, refuse)
    return undefined
  }
  const { required, listed, root } = chosen
  const trusted = [...required, ...listed, ...newest]
  const byHash = new Set(trusted.flatMap(sha256 => [...all.ancestors(sha256)]))
  const anchors = { required: [...required, ...newest, ...(root === undefined ? [] : [root])], listed }
  return { anchors, byHash, root, elsewhere }
}

/** The absent records that state remembers, with those of their ancestors that the tree lacks. */
function recallRecords({ group, known }: GroupTask, tree: Graph, absent: readonly string[]): RecordNode[] {
  const recalled: RecordNode[] = []
  const wanted = new Set(absent)
  for (const sha256 of wanted) {
    const bytes = tree.nodes.has(sha256) ? undefined : known?.records.get(sha256)
    if (bytes === undefined) continue
    const node = makeNode("", bytes)
    recalled.push({ ...node, path: recordPath(group, node.id) })
    for (const parent of node.record.parents) wanted.add(parent.sha256)
  }
  return recalled
}

/** The anchors but for what state knows. */
type Chosen = Anchors & { readonly root?: string }

function anchorRoot(task: GroupTask, tree: Graph, all: Graph, refuse: Refuse): Chosen | undefined {
  const { pin, store } = task
  if (pin === undefined) return anchorFirst(task, tree, refuse)
  const pinned = [...all.nodes.values()].find(node => matchesPin(pin, store, node))
  if (pinned !== undefined) return { required: [pinned.sha256], listed: [] }
  refuse({
    code: "PIN_MISMATCH",
    path: FOLDER,
    message: `no key record in "${FOLDER}" is the pinned one (number ${pin.number}): this is another store, a fork of it, or older than the pin`,
    hint: "git pull if this clone is old; else ask an admin what coffer trust pin prints there",
  })
  return undefined
}

/** Unpinned: the only first record is the anchor. */
function anchorFirst(task: GroupTask, tree: Graph, refuse: Refuse): Chosen | undefined {
  const [first, second] = [...tree.nodes.values()].filter(node => node.record.parents.length === 0)
  if (first === undefined) {
    refuse({
      code: "GROUP_MISSING",
      path: FOLDER,
      message: `"${FOLDER}" holds no key record that can be used`,
      hint: `git log -- ${FOLDER} shows who removed it; git checkout brings it back`,
    })
    return undefined
  }
  if (second !== undefined) {
    refuseFirst(
      second,
      `"${first.path}" is a first record too, and without a pin neither is known to be the store's`,
      refuse,
    )
    return undefined
  }
  task.findings.push({
    code: "UNPINNED",
    level: "warning",
    path: first.path,
    message: "this store is not pinned here: its own first key record was believed",
    hint: "coffer trust pin on a machine that trusts the store, then COFFER_PIN, or coffer init here",
  })
  return { required: [], listed: [], root: first.sha256 }
}

function anchorListed({ group, listed }: GroupTask, tree: Graph, refuse: Refuse): Chosen | undefined {
  if (listed.every(sha256 => tree.nodes.has(sha256))) return { required: [], listed }
  // Never fall back to another group: names below this one would be sealed to its members.
  refuse({
    code: "GROUP_MISSING",
    path: `${KEYS_FOLDER}/${group}`,
    message: `"${KEYS_FOLDER}/${group}" lacks the key record that the default group lists for "${group}"`,
    hint: `git log -- ${KEYS_FOLDER}/${group} shows who removed it; git checkout brings it back`,
  })
  return undefined
}

function refuseRollback({ group }: GroupTask, absent: readonly RecordNode[], refuse: Refuse): void {
  const path = absent[0]?.path ?? `${KEYS_FOLDER}/${group}`
  refuse({
    code: "ROLLED_BACK",
    path,
    message: `"${path}" is gone: it was the newest key record of "${group}" on this branch`,
    hint: "git log shows who removed it, git checkout brings it back; if it was on purpose: coffer trust accept --all",
  })
}

export function refuseFirst(node: RecordNode, why: string, refuse: Refuse): void {
  refuse({
    code: "RECORD_UNTRUSTED",
    path: node.path,
    message: `"${node.path}" starts a keyring of its own: ${why}`,
    hint: "do not merge it; git log shows who put it there",
  })
}
