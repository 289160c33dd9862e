/** Random histories of a keyring: what honest people did, and the forks of those they removed. */
import { createHash } from "node:crypto"
import type { Member, Role } from "../../src/format/key-record.js"
import { rightsOf, yieldsTo } from "../../src/keyring/forks.js"
import { buildGraph, type RecordNode } from "../../src/keyring/graph.js"
import { mergeMembers } from "../../src/keyring/merge.js"
import { findMember } from "../../src/keyring/roles.js"
import { forge, member, type Person } from "./graphs.js"

/** Numbers in [0, 1): the same ones for the same seed. */
export type Random = () => number

export function randomFrom(seed: number | string): Random {
  let counter = 0
  return () => createHash("sha256").update(`${seed}/${counter++}`).digest().readUInt32BE(0) / 2 ** 32
}

export function pick<T>(random: Random, from: readonly T[]): T {
  return from[Math.floor(random() * from.length)]!
}

export interface History {
  /** The record that all honest work ended in, and all its ancestors. */
  readonly honest: readonly RecordNode[]
  /** Honest lines that were given up because they yield to the one that went on, and still do. */
  readonly givenUp: readonly RecordNode[]
  /** Forks by people who had lost the right to sign. */
  readonly evil: readonly RecordNode[]
  readonly root: RecordNode
  readonly tip: RecordNode
  /** Honest records at or after the last one that took a right to sign away. */
  readonly safePins: readonly RecordNode[]
}

/** Plays a random history. The same seed and people give the same moves. */
export function playHistory(random: Random, people: readonly Person[]): History {
  const root = forge({ by: people[0]!, members: firstMembers(random, people) })
  const nodes = [root]
  let lines = [root]
  const steps = 5 + Math.floor(random() * 10)
  for (let step = 0; step < steps; step++) {
    const line = Math.floor(random() * lines.length)
    const move = random()
    if (move < 0.15 && lines.length < 3) lines.push(lines[line]!)
    else if (move < 0.3 && lines.length > 1) lines = joinLines(random, people, nodes, lines)
    else lines[line] = advance(random, people, nodes, lines[line]!)
  }
  while (lines.length > 1) lines = joinLines(random, people, nodes, lines)
  return withForks(random, people, nodes, root, lines[0]!)
}

function firstMembers(random: Random, people: readonly Person[]): Member[] {
  const roles: Role[] = ["admin", "admin", pick(random, ["admin", "writer"]), "rotator", "writer", "reader"]
  return roles.map((role, index) => member(people[index]!, role))
}

/** One honest record on top of `tip`. */
function advance(
  random: Random,
  people: readonly Person[],
  nodes: RecordNode[],
  tip: RecordNode,
): RecordNode {
  const signers = tip.record.members.filter(entry => entry.role === "admin" || entry.role === "rotator")
  const author = pick(random, signers)
  const members =
    author.role === "admin" ? changeMembers(random, people, tip.record.members) : tip.record.members
  const node = forge({ by: personOf(people, author), parents: [tip], members })
  nodes.push(node)
  return node
}

function changeMembers(
  random: Random,
  people: readonly Person[],
  members: readonly Member[],
): readonly Member[] {
  const move = random()
  const outside = people.filter(person => !members.some(entry => entry.name === person.name))
  const roles: Role[] = ["admin", "rotator", "writer", "reader"]
  let changed = [...members]
  if (move < 0.35 && outside.length > 0) changed.push(member(pick(random, outside), pick(random, roles)))
  else if (move < 0.7) changed.splice(Math.floor(random() * changed.length), 1)
  else if (move < 0.85) {
    const at = Math.floor(random() * changed.length)
    changed[at] = member(personOf(people, changed[at]!), pick(random, roles))
  }
  if (!changed.some(entry => entry.role === "admin")) changed = [...members]
  return changed
}

function personOf(people: readonly Person[], entry: Member): Person {
  return people.find(person => person.name === entry.name)!
}

/** Merges two lines, or gives one up where it yields; where nobody is admin of both, one is never pushed. */
function joinLines(
  random: Random,
  people: readonly Person[],
  nodes: RecordNode[],
  lines: readonly RecordNode[],
): RecordNode[] {
  const [a, b, ...others] = lines as [RecordNode, RecordNode, ...RecordNode[]]
  if (a === b) return [a, ...others]
  const graph = buildGraph("default", nodes)
  if (graph.ancestors(a.sha256).has(b.sha256)) return [a, ...others]
  if (graph.ancestors(b.sha256).has(a.sha256)) return [b, ...others]
  if (yieldsTo(graph, b, a)) return [a, ...others]
  if (yieldsTo(graph, a, b)) return [b, ...others]
  const { members, additions } = mergeMembers(graph, [a, b])
  const merged = [...members, ...additions.filter(() => random() < 0.7)]
  const author = people.find(person => [a, b].every(tip => isAdmin(tip, person)))
  if (author === undefined || !merged.some(entry => entry.role === "admin")) {
    const pushed = new Set([a, ...others].flatMap(tip => [...graph.ancestors(tip.sha256)]))
    const ofB = graph.ancestors(b.sha256)
    nodes.splice(0, nodes.length, ...nodes.filter(({ sha256 }) => pushed.has(sha256) || !ofB.has(sha256)))
    return [a, ...others]
  }
  const node = forge({ by: author, parents: [a, b], members: merged, reason: "merge" })
  nodes.push(node)
  return [node, ...others]
}

function isAdmin(node: RecordNode, person: Person): boolean {
  return findMember(node.record, person.name)?.role === "admin"
}

function withForks(
  random: Random,
  people: readonly Person[],
  nodes: readonly RecordNode[],
  root: RecordNode,
  tip: RecordNode,
): History {
  const graph = buildGraph("default", nodes)
  const ancestors = graph.ancestors(tip.sha256)
  const honest = nodes.filter(node => ancestors.has(node.sha256))
  const losers = people.filter(person => lostRight(honest, tip, person))
  const evil = losers.flatMap(person => [0, 1].flatMap(() => fork(random, people, honest, person)))
  const removals = honest.filter(node => graph.parents(node).some(parent => losesRight(parent, node)))
  const safePins = honest.filter(pin => removals.every(node => graph.ancestors(pin.sha256).has(node.sha256)))
  // A line by somebody who was taken back with the same key since yields no longer: it would be merged, not given up.
  const refused = graph.tips.filter(other => other !== tip && yieldsTo(graph, other, tip))
  const left = new Set(refused.flatMap(other => [...graph.ancestors(other.sha256)]))
  const givenUp = nodes.filter(node => left.has(node.sha256) && !ancestors.has(node.sha256))
  return { honest, givenUp, evil, root, tip, safePins }
}

function losesRight(before: RecordNode, after: RecordNode): boolean {
  const has = new Set(rightsOf(after.record.members))
  return rightsOf(before.record.members).some(right => !has.has(right))
}

function lostRight(honest: readonly RecordNode[], tip: RecordNode, person: Person): boolean {
  const own = (node: RecordNode) =>
    rightsOf(node.record.members).filter(right => right.endsWith(person.signing.publicKey))
  const has = new Set(own(tip))
  return honest.some(node => own(node).some(right => !has.has(right)))
}

/** Up to four records on top of one in which `person` could sign more than now. */
function fork(
  random: Random,
  people: readonly Person[],
  honest: readonly RecordNode[],
  person: Person,
): RecordNode[] {
  const tip = honest.at(-1)!
  const rights = (node: RecordNode) =>
    rightsOf(node.record.members).filter(right => right.endsWith(person.signing.publicKey))
  const bases = honest.filter(node => rights(node).some(right => !rights(tip).includes(right)))
  let at = pick(random, bases)
  const made: RecordNode[] = []
  const length = 1 + Math.floor(random() * 4)
  for (let step = 0; step < length; step++) {
    const entry = findMember(at.record, person.name)
    const accomplices = at.record.members.filter(
      other => other.role === "admin" && findMember(tip.record, other.name) === undefined,
    )
    const author = step > 0 && accomplices.length > 0 && random() < 0.4 ? pick(random, accomplices) : entry
    if (author === undefined) break
    const parents = [at, ...evilMerge(random, honest, at, author)]
    const free = author.role === "admin" && parents.length === 1
    const members = free ? usurp(random, people, at.record.members, author) : at.record.members
    at = forge({ by: personOf(people, author), parents, members })
    made.push(at)
  }
  return made
}

/** Sometimes takes in an honest record in which the author was admin too. */
function evilMerge(
  random: Random,
  honest: readonly RecordNode[],
  at: RecordNode,
  author: Member,
): RecordNode[] {
  const open = honest.filter(
    node =>
      node !== at &&
      !at.record.parents.some(parent => parent.sha256 === node.sha256) &&
      findMember(node.record, author.name)?.role === "admin",
  )
  return author.role === "admin" && open.length > 0 && random() < 0.15 ? [pick(random, open)] : []
}

/** Drops others, brings in a friend, or only rotates. */
function usurp(
  random: Random,
  people: readonly Person[],
  members: readonly Member[],
  author: Member,
): readonly Member[] {
  const move = random()
  if (move < 0.4) return members.filter(entry => entry.name === author.name || entry.role !== "admin")
  const outside = people.filter(person => !members.some(entry => entry.name === person.name))
  if (move < 0.8 && outside.length > 0) return [...members, member(pick(random, outside), "admin")]
  return members
}
