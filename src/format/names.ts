/** Names of secrets, groups and members: their grammar, their paths, and what they clash with. */
import { CofferError } from "../errors.js"
import { LIMITS } from "./limits.js"

/** A name that has passed {@link parseSecretName}: safe as a path below the store. */
export type SecretName = string & { readonly secretName: unique symbol }

/** The group of every secret that is below no other group. */
export const ROOT_GROUP = "default"

const SEGMENT = /^[A-Za-z0-9][A-Za-z0-9._-]*$/
const MEMBER = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$/
const EXTENSION = ".yaml"
/** Windows opens a device for these, whatever extension follows. */
const RESERVED = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/

/**
 * Checks the name of a secret.
 *
 * @throws CofferError `NAME_INVALID`, without the text: people type NAME=VALUE and paste values where a name belongs.
 * @see docs/format.md §2.1
 */
export function parseSecretName(text: string): SecretName {
  const fault = findNameFault(text)
  if (fault === undefined) return text as SecretName
  throw new CofferError("NAME_INVALID", `the name is not valid: ${fault}`, {
    hint: "a name looks like prod/db/PASSWORD: letters, digits and . _ - in parts with / between them",
  })
}

export function isSecretName(text: string): text is SecretName {
  return findNameFault(text) === undefined
}

/**
 * Checks the name of a group: a path that can stand above a secret's name, or `default`.
 *
 * @throws CofferError `NAME_INVALID`, without the text, as for secrets
 * @see docs/format.md §2.2
 */
export function parseGroupName(text: string): string {
  const fault = findGroupFault(text)
  if (fault === undefined) return text
  throw new CofferError("NAME_INVALID", `the name of the group is not valid: ${fault}`, {
    hint: "a group looks like prod or prod/db",
  })
}

export function isGroupName(text: string): boolean {
  return findGroupFault(text) === undefined
}

/**
 * Checks the name of a member.
 *
 * @throws CofferError `NAME_INVALID`
 * @see docs/format.md §2.3
 */
export function parseMemberName(text: string): string {
  if (isMemberName(text)) return text
  throw new CofferError(
    "NAME_INVALID",
    "a member's name is up to 64 of A-Z a-z 0-9 . _ @ + - and starts with a letter or digit",
    { hint: "a member's name looks like ana or ci@example.org" },
  )
}

export function isMemberName(text: string): boolean {
  // A pattern takes undefined, from JavaScript, for the word.
  return typeof text === "string" && MEMBER.test(text)
}

/** The group that a name belongs to: the longest of `groups` that is a path above it, else the root group. */
export function groupOf(name: string, groups: Iterable<string>): string {
  let found = ""
  for (const group of groups) {
    if (group.length > found.length && name.startsWith(`${group}/`) && group !== ROOT_GROUP) found = group
  }
  return found === "" ? ROOT_GROUP : found
}

/** Whether a name or path lies below a path; "" is the top, which everything but itself lies below. */
export function isBelow(name: string, path: string): boolean {
  return path === "" ? name !== "" : name.startsWith(`${path}/`)
}

/** The same with the path itself, and everything for "". */
export function isAtOrBelow(name: string, path: string): boolean {
  return path === "" || name === path || name.startsWith(`${path}/`)
}

/**
 * Names by their spelling without case: finds those that cannot stand beside each other on a file system
 * that ignores case, because they, or folders of theirs, differ in case alone.
 */
export class NameIndex {
  /** Folders (with a final `/`) and names in lower case, to their spelling and one name that has it. */
  readonly #known = new Map<string, { readonly spelling: string; readonly name: string }>()
  #size = 0

  constructor(names: Iterable<string> = []) {
    for (const name of names) this.add(name)
  }

  add(name: string): void {
    for (const spelling of spellingsOf(name)) {
      const key = spelling.toLowerCase()
      if (this.#known.has(key)) continue
      this.#known.set(key, { spelling, name })
      if (spelling === name) this.#size++
    }
  }

  /** How many names have been added. */
  get size(): number {
    return this.#size
  }

  /** A known name that clashes with this one. */
  findClash(name: string): string | undefined {
    for (const spelling of spellingsOf(name)) {
      const known = this.#known.get(spelling.toLowerCase())
      if (known !== undefined && known.spelling !== spelling) return known.name
    }
    return undefined
  }
}

/** The refusal of a name for one that {@link NameIndex} finds. */
export function nameClash(name: string, clash: string, hint?: string): CofferError {
  const message = `"${name}" and "${clash}" cannot stand side by side on every file system`
  return new CofferError("NAME_INVALID", message, { hint })
}

/** The folders on the way to a name, then the name itself. */
function spellingsOf(name: string): string[] {
  const spellings: string[] = []
  for (let end = name.indexOf("/"); end >= 0; end = name.indexOf("/", end + 1)) {
    spellings.push(name.slice(0, end + 1))
  }
  return [...spellings, name]
}

/** The file of a secret, relative to the store. */
export function pathOf(name: string): string {
  return name + EXTENSION
}

/** The secret that a path relative to the store belongs to, if it is one that a secret can have. */
export function nameOfPath(path: string): SecretName | undefined {
  if (!path.endsWith(EXTENSION)) return undefined
  const name = path.slice(0, -EXTENSION.length)
  return isSecretName(name) ? name : undefined
}

/** A secret, or one version of it; `hint` tells two versions of one number apart. */
export interface Reference {
  readonly name: SecretName
  readonly version?: number
  /** First hex characters of the file's digest: the `a1b2` of `NAME@3~a1b2`. */
  readonly hint?: string
}

/**
 * Reads `NAME`, `NAME@3` or `NAME@3~a1b2`.
 *
 * @throws CofferError `NAME_INVALID`
 */
export function parseReference(text: string): Reference {
  const at = text.indexOf("@")
  if (at < 0) return { name: parseSecretName(text) }
  const name = parseSecretName(text.slice(0, at))
  const [, digits = "", hint] = /^([1-9][0-9]{0,9})(?:~([0-9a-f]{4,64}))?$/.exec(text.slice(at + 1)) ?? []
  const version = Number(digits)
  if (version < 1 || version > LIMITS.integer) {
    throw new CofferError("NAME_INVALID", `"${name}@" must be followed by the number of a version`, {
      hint: `${name}@3, or ${name}@3~a1b2 where two versions have that number`,
    })
  }
  return hint === undefined ? { name, version } : { name, version, hint }
}

function findNameFault(text: string): string | undefined {
  // From JavaScript anything can come as a name.
  if (typeof text !== "string") return "it is no text"
  if (text === "") return "it is empty"
  if (text.length > LIMITS.nameBytes) return `it is longer than ${LIMITS.nameBytes} characters`
  const segments = text.split("/")
  if (segments.length > LIMITS.segments) return `it has more than ${LIMITS.segments} parts`
  for (const segment of segments) {
    const fault = findSegmentFault(segment)
    if (fault !== undefined) return fault
  }
  return undefined
}

function findSegmentFault(segment: string): string | undefined {
  if (segment === "") return 'a part between "/" is empty'
  if (!SEGMENT.test(segment)) {
    return "each part begins with a letter or digit and holds letters, digits and . _ - only"
  }
  if (segment.endsWith(".")) return 'a part ends in "."'
  const lower = segment.toLowerCase()
  // The folder a.yaml of the secret a.yaml/b would stand where the file of the secret a is.
  if (lower.endsWith(EXTENSION)) return `a part ends in "${EXTENSION}"`
  if (RESERVED.test(lower)) return "a part is a device name on Windows"
  return undefined
}

function findGroupFault(text: string): string | undefined {
  if (text === ROOT_GROUP) return undefined
  if (typeof text !== "string") return "it is no text"
  // One secret below it must still fit: "/" and one character.
  if (text.length > LIMITS.nameBytes - 2) return `it is longer than ${LIMITS.nameBytes - 2} characters`
  const segments = text.split("/")
  if (segments.length >= LIMITS.segments) return `it has more than ${LIMITS.segments - 1} parts`
  // Also in capitals: its folder of key records would be that of the root group on some file systems.
  if (segments[0]!.toLowerCase() === ROOT_GROUP) return `"${ROOT_GROUP}" is the root group`
  return findNameFault(text)
}
