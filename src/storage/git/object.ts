/** Git's objects as bytes: ids, trees and commits, read and printed without touching what is not understood. */
import { createHash } from "node:crypto"
import { CofferError } from "../../errors.js"
import type { Oid, OidHex } from "./git.js"

type ObjectType = "blob" | "tree" | "commit" | "tag"

export interface GitObject {
  readonly type: ObjectType
  readonly bytes: Buffer
}

/** One line of a tree; `name` holds the name's bytes as Latin-1, `mode` is as written there ("40000"). */
export interface TreeEntry {
  readonly mode: string
  readonly name: string
  readonly oid: Oid
}

export interface Commit {
  readonly tree: Oid
  readonly parents: readonly Oid[]
  /** The author's name. */
  readonly author: string
  readonly committerSeconds: number
}

export const TREE_MODE = "40000"

/** What stands for no object: before a first commit, and where an entry is taken away. */
export function noOid(oidHex: OidHex): Oid {
  return "0".repeat(oidHex)
}

/** Known to git without being stored. */
export function emptyTreeOid(oidHex: OidHex): Oid {
  return oidHex === 40
    ? "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    : "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"
}

/** The bytes that are hashed and, in a loose object, compressed. */
export function wrapObject({ type, bytes }: GitObject): Buffer {
  return Buffer.concat([Buffer.from(`${type} ${bytes.length}\0`, "latin1"), bytes])
}

/** The id of an object in a repository of SHA-1. */
export function oidOf({ type, bytes }: GitObject): Oid {
  return hashObject(type, bytes, 40)
}

/** The id that git gives a blob. */
export function blobId(bytes: Uint8Array, oidHex: OidHex): Oid {
  return hashObject("blob", bytes, oidHex)
}

function hashObject(type: ObjectType, bytes: Uint8Array, oidHex: OidHex): Oid {
  const hash = createHash(oidHex === 40 ? "sha1" : "sha256")
  return hash.update(`${type} ${bytes.length}\0`).update(bytes).digest("hex")
}

/** @throws CofferError `GIT_FAILED` for a damaged tree */
export function parseTree(bytes: Buffer, oidHex: OidHex = 40): TreeEntry[] {
  const entries: TreeEntry[] = []
  for (let at = 0; at < bytes.length; ) {
    const { space, nul, end } = boundsAt(bytes, at, oidHex)
    entries.push({
      mode: bytes.toString("latin1", at, space),
      name: bytes.toString("latin1", space + 1, nul),
      oid: bytes.toString("hex", nul + 1, end),
    })
    at = end
  }
  return entries
}

/** Finds one entry without making strings of the others. @throws CofferError `GIT_FAILED` for a damaged tree */
export function findTreeEntry(
  bytes: Buffer,
  name: Buffer,
  oidHex: OidHex,
): Pick<TreeEntry, "mode" | "oid"> | undefined {
  for (let at = 0; at < bytes.length; ) {
    const { space, nul, end } = boundsAt(bytes, at, oidHex)
    if (nul - space - 1 === name.length && bytes.compare(name, 0, name.length, space + 1, nul) === 0) {
      return { mode: bytes.toString("latin1", at, space), oid: bytes.toString("hex", nul + 1, end) }
    }
    at = end
  }
  return undefined
}

/** Where the parts of the entry at `at` end: its mode, its name, its id. */
function boundsAt(bytes: Buffer, at: number, oidHex: OidHex): { space: number; nul: number; end: number } {
  const space = bytes.indexOf(32, at)
  const nul = bytes.indexOf(0, space)
  const end = nul + 1 + oidHex / 2
  if (space < at || nul < space || end > bytes.length) throw damaged("tree")
  return { space, nul, end }
}

/** Prints entries in the order given: {@link sortTree} has put them in git's. */
export function printTree(entries: readonly TreeEntry[]): Buffer {
  const parts = entries.flatMap(({ mode, name, oid }) => [
    Buffer.from(`${mode} ${name}\0`, "latin1"),
    Buffer.from(oid, "hex"),
  ])
  return Buffer.concat(parts)
}

/** Git sorts a folder as if its name ended in "/". */
export function sortKey({ mode, name }: TreeEntry): string {
  return isFolder(mode) ? `${name}/` : name
}

export function sortTree(entries: readonly TreeEntry[]): TreeEntry[] {
  const keyed = entries.map(entry => ({ entry, key: sortKey(entry) }))
  return keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ entry }) => entry)
}

export function isFolder(mode: string): boolean {
  return mode === TREE_MODE || mode === "040000"
}

/** @throws CofferError `GIT_FAILED` for a commit without a tree or an author */
export function parseCommit(bytes: Buffer): Commit {
  const text = bytes.toString("utf8")
  const end = text.indexOf("\n\n")
  const head = end < 0 ? text : text.slice(0, end)
  const tree = /^tree ([0-9a-f]{40,64})$/m.exec(head)?.[1]
  const author = nameIn(findLine(head, "author"))
  const committerSeconds = secondsIn(findLine(head, "committer"))
  if (tree === undefined || author === undefined || committerSeconds === undefined) throw damaged("commit")
  return {
    tree,
    parents: [...head.matchAll(/^parent ([0-9a-f]{40,64})$/gm)].map(match => match[1]!),
    author,
    committerSeconds,
  }
}

function findLine(head: string, field: string): string | undefined {
  return new RegExp(`^${field} (.*)$`, "m").exec(head)?.[1]
}

/** `Name <mail> seconds zone` is read from its ends, as git does: its writer decides what stands between and how long it is. */
function nameIn(person: string | undefined): string | undefined {
  const end = person?.indexOf("<") ?? -1
  return end < 0 ? undefined : person!.slice(0, end).replace(/ $/, "")
}

function secondsIn(person: string | undefined): number | undefined {
  const [seconds = "", zone = ""] = person?.split(" ").slice(-2) ?? []
  return /^-?\d+$/.test(seconds) && /^[+-]\d+$/.test(zone) ? Number(seconds) : undefined
}

export interface Person {
  readonly name: string
  readonly email: string
}

/** A time as commits and reflogs have it: seconds, and the local zone at that time. */
export function printTime(at: Date): string {
  const minutes = -at.getTimezoneOffset()
  const zone = Math.trunc(Math.abs(minutes) / 60) * 100 + (Math.abs(minutes) % 60)
  return `${Math.floor(at.getTime() / 1000)} ${minutes < 0 ? "-" : "+"}${String(zone).padStart(4, "0")}`
}

export function printPerson({ name, email }: Person, at: Date): string {
  return `${name} <${email}> ${printTime(at)}`
}

export interface NewCommit {
  readonly tree: Oid
  readonly parents: readonly Oid[]
  readonly author: Person
  readonly committer: Person
  readonly message: string
  readonly at: Date
}

export function printCommit({ tree, parents, author, committer, message, at }: NewCommit): Buffer {
  const lines = [
    `tree ${tree}`,
    ...parents.map(parent => `parent ${parent}`),
    `author ${printPerson(author, at)}`,
    `committer ${printPerson(committer, at)}`,
  ]
  return Buffer.from(`${lines.join("\n")}\n\n${message}`)
}

function damaged(type: ObjectType): CofferError {
  return new CofferError("GIT_FAILED", `a git ${type} object is damaged`, { hint: "git fsck" })
}
