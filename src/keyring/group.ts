/** Verification of one group's key records, given what is trusted of them (DESIGN §2.4, 2–13). */
import { ROOT_GROUP } from "../format/names.js"
import type { Finding, Refuse } from "./findings.js"
import { type Anchors, type Fork, judgeTips, type RefusedTip } from "./forks.js"
import { buildGraph, type Graph, type RecordNode } from "./graph.js"
import { matchesPin } from "./pin.js"
import {
  findMemberFault,
  findOldestFault,
  findParentFault,
  findPreviousFault,
  findSignatureFault,
  readRecord,
} from "./record-rules.js"
import { findTrust, type GroupTask, KEYS_FOLDER, refuseFirst, type Trust } from "./trust.js"

/** The records of one group that count. */
export interface GroupKeyring {
  readonly group: string
  /** The records of this tree. */
  readonly graph: Graph
  /** Newest first. One record, or several while the keyring is diverged: then it is for reading only. */
  readonly current: readonly RecordNode[]
  /** Tips that a trusted line displaces. */
  readonly refused: readonly RefusedTip[]
  /** What was trusted: the pinned record, the records listed for the group, the newest one known. */
  readonly anchors: Anchors
  /** The newest record known on this machine is not in this tree. */
  readonly behind: boolean
  /** Its lines exclude each other: an admin of default has to choose one of `current`. */
  readonly undecided?: true
}

/** The lines of a group that count. */
export type Lines = Pick<GroupKeyring, "graph" | "current">

/** The records that count: current ones and all they descend from, parents before their children. */
export function acceptedRecords({ graph, current }: Lines): RecordNode[] {
  const accepted = new Set(current.flatMap(tip => [...graph.ancestors(tip.sha256)]))
  return [...graph.nodes.values()].filter(node => accepted.has(node.sha256))
}

/** The current records that a record is, or that descend from it: none for one of a refused fork. */
export function holdersOf({ graph, current }: Lines, sha256: string): RecordNode[] {
  return current.filter(tip => graph.ancestors(tip.sha256).has(sha256))
}

/** Whether one of those refuses files at HEAD that are sealed under the record's data key. */
export function isRetired({ record }: RecordNode, holders: readonly RecordNode[]): boolean {
  return holders.some(tip => record.number < tip.record.oldest)
}

/** Names of a group's admins, each once: who can help where somebody else cannot. */
export function adminNames({ current }: Pick<GroupKeyring, "current">): string[] {
  const members = current.flatMap(node => node.record.members)
  return [...new Set(members.filter(member => member.role === "admin").map(member => member.name))]
}

/** @returns undefined after a refusal that did not throw and leaves nothing to trust. */
export function verifyGroup(task: GroupTask, refuse: Refuse): GroupKeyring | undefined {
  const { files, store, group, known } = task
  // State names only records that were parsed on this machine.
  const parsedBefore = (sha256: string) =>
    known?.verified.has(sha256) === true || known?.newest.get(group)?.includes(sha256) === true
  const nodes = files
    .map(file => readRecord(file, { store, group, parsedBefore }, refuse))
    .filter(node => node !== undefined)
  const before = verifiedBefore(task, nodes)
  const linked = linkRecords(group, checkMembers(nodes, before, refuse), refuse)
  const trust = findTrust(task, linked, refuse)
  if (trust === undefined) return undefined
  const graph = checkRecords(task, linked, { ...trust, before }, refuse)
  return chooseCurrent(task, graph, trust, refuse)
}

/**
 * Hashes of records that somebody has verified before: by their hashes all ancestors of the newest
 * record that this machine knows, of the pinned and of the listed one, and what else state names. They
 * are parsed and linked, and not checked again.
 */
function verifiedBefore(task: GroupTask, nodes: readonly RecordNode[]): ReadonlySet<string> {
  const { known, group, pin, store, listed } = task
  const byHash = new Map(nodes.map(node => [node.sha256, node]))
  const isNamed = (node: RecordNode) =>
    listed.includes(node.sha256) ||
    (pin !== undefined && group === ROOT_GROUP && matchesPin(pin, store, node))
  const found = new Set(known?.newest.get(group))
  for (const node of nodes) {
    if (isNamed(node)) for (const parent of node.record.parents) found.add(parent.sha256)
  }
  for (const sha256 of found) {
    for (const parent of byHash.get(sha256)?.record.parents ?? []) found.add(parent.sha256)
  }
  // Not their ancestors: those may have been trusted by the hash in another pin, unchecked.
  for (const sha256 of byHash.keys()) if (known?.verified.has(sha256)) found.add(sha256)
  return found
}

/** Step 3. */
function checkMembers(
  nodes: readonly RecordNode[],
  before: ReadonlySet<string>,
  refuse: Refuse,
): RecordNode[] {
  return nodes.filter(node => {
    const fault = before.has(node.sha256) ? undefined : findMemberFault(node)
    if (fault !== undefined) refuse(fault)
    return fault === undefined
  })
}

/** Steps 4 and 5. */
function linkRecords(group: string, nodes: readonly RecordNode[], refuse: Refuse): Graph {
  const all = new Map(nodes.map(node => [node.sha256, node]))
  const sound = nodes.filter(node => {
    const fault = findParentFault(node, all)
    if (fault !== undefined) refuse(fault)
    return fault === undefined
  })
  const graph = buildGraph(group, withoutOrphans(sound))
  const linked = [...graph.nodes.values()].filter(node => {
    const fault = findPreviousFault(node, graph)
    if (fault !== undefined) refuse(fault)
    return fault === undefined
  })
  return linked.length === graph.nodes.size ? graph : buildGraph(group, withoutOrphans(linked))
}

/** Drops records with a parent that was dropped. Numbers rise from parent to child. */
function withoutOrphans(nodes: readonly RecordNode[]): RecordNode[] {
  const kept = new Map<string, RecordNode>()
  for (const node of [...nodes].sort((a, b) => a.record.number - b.record.number)) {
    if (node.record.parents.every(parent => kept.has(parent.sha256))) kept.set(node.sha256, node)
  }
  return [...kept.values()]
}

/** Steps 7–9. @returns the tree without what was refused and what descends from that. */
function checkRecords(
  task: GroupTask,
  tree: Graph,
  trust: Trust & { readonly before: ReadonlySet<string> },
  refuse: Refuse,
): Graph {
  const nodes = [...tree.nodes.values()]
  const refused = new Set<string>()
  const run = (check: (node: RecordNode) => boolean) => {
    for (const node of nodes) if (!refused.has(node.sha256) && !check(node)) refused.add(node.sha256)
  }
  run(node => {
    if (node.record.parents.length > 0 || trust.byHash.has(node.sha256) || node.sha256 === trust.root)
      return true
    refuseFirst(node, "nothing that is trusted here descends from it", refuse)
    return false
  })
  const unchecked = (node: RecordNode) => !trust.byHash.has(node.sha256) && !trust.before.has(node.sha256)
  for (const findFault of [findSignatureFault, findOldestFault]) {
    run(node => {
      const fault = unchecked(node) ? findFault(node, tree.parents(node)) : undefined
      if (fault !== undefined) refuse(fault)
      return fault === undefined
    })
  }
  const sound = nodes.filter(node => !refused.has(node.sha256))
  for (const node of sound) if (!trust.byHash.has(node.sha256)) task.verified.add(node.sha256)
  return refused.size === 0 ? tree : buildGraph(tree.group, withoutOrphans(sound))
}

/** Steps 10–13. An older tree is judged together with what state knows; its own tips are then current. */
function chooseCurrent(
  task: GroupTask,
  graph: Graph,
  trust: Trust,
  refuse: Refuse,
): GroupKeyring | undefined {
  const { anchors, elsewhere } = trust
  const behind = elsewhere.length > 0
  const all = behind ? buildGraph(graph.group, [...graph.nodes.values(), ...elsewhere]) : graph
  const judgement = judgeTips(all, anchors)
  const refused = judgement.refused.filter(({ tip }) => graph.nodes.has(tip.sha256))
  const current = graph.tips.filter(tip => !refused.some(entry => entry.tip === tip)).reverse()
  const forked = judgement.forked ?? findUnrelated(graph, current)
  if (task.undecided && forked?.anchored === true && task.group !== ROOT_GROUP) {
    return { group: task.group, graph, current: forked.tips, refused: [], anchors, behind, undecided: true }
  }
  if (forked !== undefined || current.length === 0) {
    const lost = { why: "its records are a line that was refused", tips: graph.tips, anchored: true }
    refuseFork(task.group, forked ?? lost, refuse)
    return undefined
  }
  const keyring = { group: task.group, graph, current, refused, anchors, behind }
  task.findings.push(...describe(keyring))
  return keyring
}

/** Step 14: two branches made the same group; nobody can say whose keyring it is but an admin. */
function findUnrelated(graph: Graph, current: readonly RecordNode[]): Fork | undefined {
  const [first, ...others] = current
  if (first === undefined) return undefined
  const ancestors = graph.ancestors(first.sha256)
  const stranger = others.find(tip => ![...graph.ancestors(tip.sha256)].some(sha256 => ancestors.has(sha256)))
  if (stranger === undefined) return undefined
  return { why: "two unrelated first records are listed for it", tips: [first, stranger], anchored: true }
}

function refuseFork(group: string, fork: Fork, refuse: Refuse): void {
  const { why, tips } = fork
  const names = tips.map(tip => `"${tip.path}" by "${tip.record.author}"`)
  refuse({
    code: "FORKED",
    path: tips[0]?.path ?? `${KEYS_FOLDER}/${group}`,
    message: `the key records of "${group}" are forked: ${why}: ${names.join(", ")}`,
    hint: wayOutOf(group, fork),
  })
}

function wayOutOf(group: string, { anchored }: Fork): string {
  if (group === ROOT_GROUP) {
    return "ask the admins whose line counts; with COFFER_PIN set to what coffer trust pin prints there, coffer trust accept --all takes it"
  }
  return anchored
    ? `an admin of default decides: coffer rotate ${group} --merge --reason TEXT`
    : "ask the admins of default whose line counts; coffer trust accept --all takes the one that default lists"
}

/** Warnings on a keyring that can be used. */
function describe({ group, current, refused, behind }: GroupKeyring): Finding[] {
  const findings: Finding[] = refused.map(({ tip, by }) => ({
    code: "FORK_REFUSED",
    level: "warning",
    path: tip.path,
    message: `"${tip.path}" by "${tip.record.author}" is refused: "${by.path}" by "${by.record.author}" displaces it`,
    hint: `coffer rotate ${group} --finish takes in what was sealed under its keys; once nothing is left, its key records may be removed and that committed`,
  }))
  if (current.length > 1) {
    findings.push({
      code: "DIVERGED",
      level: "warning",
      path: current[0]!.path,
      message: `the keyring of "${group}" was changed on two branches: ${current.map(node => `"${node.path}"`).join(", ")}`,
      hint: `coffer rotate ${group} --merge`,
    })
  }
  if (behind) {
    findings.push({
      code: "BEHIND",
      level: "warning",
      path: current[0]!.path,
      message: `this branch lacks the newest key record of "${group}" known on this machine: it can be read, not written`,
      hint: "merge or rebase onto the branch that has it",
    })
  }
  return findings
}
