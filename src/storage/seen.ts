/**
 * Which commit of each branch was verified last on this clone, in `<common git dir>/coffer/seen`: what
 * rollback is judged against.
 *
 * @see DESIGN §2.1
 */
import { join } from "node:path"
import { decodeUtf8 } from "../encoding.js"
import { CofferError, hasCode } from "../errors.js"
import { cofferFolder } from "./coffer-folder.js"
import { writeDurably } from "./disk.js"
import { readPlainFile } from "./files.js"
import { withShortLock } from "./short-lock.js"

/** What was seen of one branch. */
export interface SeenBranch {
  /** Commit id of HEAD when the store was verified last. */
  readonly commit: string
  /** Commit id of the branch it follows at that time: published, so it has to stay in history. */
  readonly upstream: string | undefined
  /** Name to what was accepted on purpose (`trust accept`): a state printed by the caller, without spaces. */
  readonly accepted: ReadonlyMap<string, string>
}

const NAME = "seen"
const FORMAT = "coffer seen/1"
const MAX_BYTES = 64 * 1024 * 1024
const COMMIT = "[0-9a-f]{40}(?:[0-9a-f]{24})?"
const BRANCH_LINE = new RegExp(`^branch ([0-9a-f]{32}) ([^ ]+) (${COMMIT}) (${COMMIT}|-)$`)
const ACCEPTED_LINE = /^accepted ([0-9a-f]{32}) ([^ ]+) ([^ ]+) ([^ ]+)$/

type SeenFile = Map<string /* store id */, Map<string /* ref */, SeenBranch>>

/**
 * What was seen of a store's branch; undefined where it never was.
 *
 * @param ref - full name, `refs/heads/main`.
 * @throws CofferError `DAMAGED`, `NEWER_FORMAT`, `IO_FAILED`
 */
export function readSeen(commonDir: string, store: string, ref: string): SeenBranch | undefined {
  return load(join(commonDir, "coffer", NAME))
    .get(store)
    ?.get(ref)
}

/**
 * Records what was seen of a branch; other branches and stores stay as they are.
 *
 * @throws CofferError `STORE_LOCKED`, `IO_FAILED`, also `DAMAGED` unless `repair` (then the rest is forgotten)
 */
export function writeSeen(
  commonDir: string,
  { store, ref }: { store: string; ref: string },
  branch: SeenBranch,
  { patienceMs, repair = false }: { patienceMs: number; repair?: boolean },
): void {
  const path = join(cofferFolder(commonDir), NAME)
  withShortLock(`${path}.lock`, patienceMs, lock => {
    const seen = repair ? loadOrForget(path) : load(path)
    seen.set(store, new Map(seen.get(store)).set(ref, branch))
    lock.confirm()
    // As private as the git directory: the next one to read it may be another user of this machine, or of a container.
    writeDurably(path, printSeen(seen))
  })
}

function load(path: string): SeenFile {
  const bytes = readPlainFile(path, MAX_BYTES, { follow: false })
  return bytes === undefined ? new Map() : parseSeen(bytes, path)
}

function loadOrForget(path: string): SeenFile {
  try {
    return load(path)
  } catch (error) {
    if (hasCode(error, "DAMAGED", "NEWER_FORMAT")) return new Map()
    throw error
  }
}

function parseSeen(bytes: Uint8Array, path: string): SeenFile {
  const [format, ...lines] = decodeUtf8(bytes)?.split("\n") ?? []
  if (format !== FORMAT) {
    const isNewer = /^coffer seen\/[0-9]+$/.test(format ?? "")
    throw unreadable(path, isNewer ? "NEWER_FORMAT" : "DAMAGED")
  }
  if (lines.pop() !== "") throw unreadable(path, "DAMAGED")
  const seen: SeenFile = new Map()
  for (const line of lines) {
    if (!parseLine(seen, line)) throw unreadable(path, "DAMAGED")
  }
  return seen
}

/** Adds one line; false if it is none of coffer's. An `accepted` line follows its branch's line. */
function parseLine(seen: SeenFile, line: string): boolean {
  const branch = BRANCH_LINE.exec(line)
  if (branch !== null) {
    const [, store, ref, commit, upstream] = branch as unknown as [string, string, string, string, string]
    const branches = seen.get(store) ?? new Map<string, SeenBranch>()
    const value = { commit, upstream: upstream === "-" ? undefined : upstream, accepted: new Map() }
    const isNew = !branches.has(ref)
    seen.set(store, branches.set(ref, value))
    return isNew
  }
  const accepted = ACCEPTED_LINE.exec(line)
  if (accepted === null) return false
  const [, store, ref, name, state] = accepted as unknown as [string, string, string, string, string]
  const before = seen.get(store)?.get(ref)
  if (before === undefined) return false
  seen.get(store)?.set(ref, { ...before, accepted: new Map(before.accepted).set(name, state) })
  return true
}

function printSeen(seen: SeenFile): string {
  const lines = [FORMAT]
  for (const [store, branches] of seen) {
    for (const [ref, { commit, upstream, accepted }] of branches) {
      lines.push(`branch ${store} ${ref} ${commit} ${upstream ?? "-"}`)
      for (const [name, state] of accepted) lines.push(`accepted ${store} ${ref} ${name} ${state}`)
    }
  }
  return `${lines.join("\n")}\n`
}

function unreadable(path: string, code: "DAMAGED" | "NEWER_FORMAT"): CofferError {
  const why = code === "DAMAGED" ? "is damaged" : "was written by a newer coffer"
  return new CofferError(code, `"${path}" ${why}`, {
    hint: "coffer trust accept --all takes what is here now as seen, and writes the file anew",
  })
}
