/** Reads refs from the files git keeps them in: loose, packed, symbolic. */
import { existsSync, readdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { CofferError } from "../../errors.js"
import { findText } from "../disk.js"
import { errnoOf, ioError } from "../files.js"
import type { Repository } from "../repository.js"
import type { Oid } from "./git.js"

export interface Refs {
  /** The object that a full ref name (`refs/heads/main`, `HEAD`) leads to; undefined where there is none. */
  find(name: string): Oid | undefined
  /** What a symbolic ref names; undefined for any other. */
  findTarget(name: string): string | undefined
  /** Objects of all refs below a folder (`refs/remotes/origin`), by ref name. */
  list(folder: string): ReadonlyMap<string, Oid>
}

/** As deep as git follows symbolic refs. */
const MAX_DEPTH = 5

export function openRefs(repository: Repository): Refs {
  const { commonDir } = repository
  const read = (name: string) => {
    const path = refPath(repository, name)
    // "refs/remotes/origin" is a folder, and a revision may be "origin", or longer than a name can be.
    if (!existsSync(path) || !statSync(path).isFile()) return undefined
    return findText(path)?.trimEnd()
  }
  const find = (name: string, depth = 0): Oid | undefined => {
    const text = isRefName(name) ? read(name) : undefined
    const target = symbolicTarget(text)
    if (target !== undefined) return depth < MAX_DEPTH ? find(target, depth + 1) : undefined
    if (text === undefined || text === "") return readPackedRefs(commonDir).get(name)
    if (!/^[0-9a-f]{40}$/.test(text)) throw new CofferError("GIT_FAILED", `git's ref "${name}" is damaged`)
    return text
  }
  return {
    find: name => find(name),
    findTarget: name => symbolicTarget(read(name)),
    list(folder) {
      const packed = [...readPackedRefs(commonDir).keys()].filter(name => name.startsWith(`${folder}/`))
      const names = new Set([...packed, ...looseNames(commonDir, folder)])
      const found = [...names].map(name => [name, find(name)] as const)
      return new Map(found.filter((pair): pair is [string, Oid] => pair[1] !== undefined))
    },
  }
}

/** Where a ref's file (and below `logs` its log) lies: the work tree's own folder for HEAD and its kind, else the common one. */
export function refFolder({ gitDir, commonDir }: Repository, name: string): string {
  const isOwn = !name.startsWith("refs/") || /^refs\/(bisect|worktree|rewritten)\//.test(name)
  return isOwn ? gitDir : commonDir
}

/** The file of a loose ref. */
export function refPath(repository: Repository, name: string): string {
  return join(refFolder(repository, name), name)
}

/**
 * Whether git would take this as a ref name: no name leads out of the git directory, whatever a file in it says.
 *
 * @see https://git-scm.com/docs/git-check-ref-format
 */
export function isRefName(name: string): boolean {
  if (/^[A-Z_]+$/.test(name)) return true
  if (!name.startsWith("refs/") || /[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\.$/.test(name)) return false
  return name.split("/").every(part => part !== "" && !part.startsWith(".") && !part.endsWith(".lock"))
}

function symbolicTarget(text: string | undefined): string | undefined {
  return text === undefined ? undefined : /^ref:\s*(.+)$/s.exec(text)?.[1]
}

function readPackedRefs(commonDir: string): Map<string, Oid> {
  const refs = new Map<string, Oid>()
  for (const line of (findText(join(commonDir, "packed-refs")) ?? "").split("\n")) {
    // Lines with "^" give what the tag above them points at; "#" is the header.
    if (/^[0-9a-f]{40} /.test(line)) refs.set(line.slice(41), line.slice(0, 40))
  }
  return refs
}

function looseNames(commonDir: string, folder: string): string[] {
  let entries: ReturnType<typeof listFolder>
  try {
    entries = listFolder(join(commonDir, folder))
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return []
    throw ioError("list", join(commonDir, folder), error)
  }
  return entries.flatMap(entry => {
    const name = `${folder}/${entry.name}`
    if (entry.isDirectory()) return looseNames(commonDir, name)
    return isRefName(name) ? [name] : []
  })
}

function listFolder(path: string) {
  return readdirSync(path, { withFileTypes: true })
}
