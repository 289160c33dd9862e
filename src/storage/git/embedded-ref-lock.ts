/** Moves HEAD and its branch under git's own lock files, with the reflog, as `git update-ref` does. */
import { existsSync, readdirSync, rmdirSync, statSync, unlinkSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { CofferError } from "../../errors.js"
import { cofferFolder } from "../coffer-folder.js"
import { renameRetrying } from "../disk.js"
import { ioError, syncFolder } from "../files.js"
import type { Repository } from "../repository.js"
import type { RefLock, RefUpdate } from "./backend.js"
import { parseBoolean } from "./config-file.js"
import type { GitConfig } from "./embedded-config.js"
import type { GitFiles } from "./embedded-files.js"
import { type Refs, refFolder, refPath } from "./embedded-refs.js"
import type { Oid } from "./git.js"
import { noOid, type Person, printPerson } from "./object.js"

interface Parts {
  readonly repository: Repository
  readonly refs: Refs
  readonly files: GitFiles
  readonly config: GitConfig
  readonly committer: Person
}

/**
 * Locks HEAD and the branch, compares both with what the update starts from, and leaves one rename to do.
 * Both lock files hold the new commit id: recovery knows them by it.
 *
 * @throws CofferError `GIT_LOCKED`, `GIT_MOVED`
 */
export async function lockRefs(parts: Parts, update: RefUpdate): Promise<RefLock> {
  const names = update.ref === null ? ["HEAD"] : ["HEAD", update.ref]
  const path = refPath(parts.repository, names.at(-1)!)
  if (update.from === null) refuseTaken(parts, names.at(-1)!)
  removeEmptyFolders(path)
  const locked: string[] = []
  const release = () => {
    for (const path of locked.splice(0)) unlinkSync(path)
  }
  try {
    for (const name of names) {
      locked.push(await lockFile(parts, `${refPath(parts.repository, name)}.lock`, update.to))
    }
    checkUnmoved(parts.refs, update)
  } catch (error) {
    release()
    throw error
  }
  return {
    async commit() {
      for (const name of names) appendReflog(parts, name, update)
      try {
        renameRetrying(locked.at(-1)!, path)
      } catch (error) {
        throw ioError("replace", path, error)
      }
      locked.pop()
    },
    async release() {
      release()
      syncFolder(join(path, ".."))
    },
  }
}

/** Git's own updates of a ref take milliseconds: its tools wait for each other's lock, too. */
async function lockFile({ repository, files }: Parts, path: string, to: Oid): Promise<string> {
  // Not beside the ref: a file there that a kill leaves behind would be a branch of that name.
  const temporary = join(cofferFolder(repository.gitDir), `ref-lock-${to}`)
  for (let waited = 0; !files.lock(path, temporary, `${to}\n`); waited += PAUSE_MS) {
    if (waited >= WAIT_MS) throw refLocked(path)
    await sleep(PAUSE_MS)
  }
  return path
}

const WAIT_MS = 3000
const PAUSE_MS = 20

function checkUnmoved(refs: Refs, { ref, from }: RefUpdate): void {
  const target = refs.findTarget("HEAD") ?? null
  const commit = refs.find("HEAD") ?? null
  if (target !== ref || commit !== from) {
    throw new CofferError("GIT_MOVED", "HEAD was moved by another process", { hint: "try again" })
  }
}

/** A new branch "a/b" needs that there is no branch "a", and that "a/b" is no folder with branches in it. */
function refuseTaken({ refs }: Parts, name: string): void {
  for (let at = name.indexOf("/", 5); at > 0; at = name.indexOf("/", at + 1)) {
    if (refs.find(name.slice(0, at)) !== undefined) throw nameTaken(name, name.slice(0, at))
  }
  const [below] = refs.list(name).keys()
  if (below !== undefined) throw nameTaken(name, below)
}

/** Git leaves the folder of a deleted branch behind, and the next one may want its name; a packed one has no file there. */
function removeEmptyFolders(path: string): void {
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory()) return
  for (const name of readdirSync(path)) removeEmptyFolders(join(path, name))
  rmdirSync(path)
}

function appendReflog(parts: Parts, name: string, { from, to, reason, at }: RefUpdate): void {
  const path = join(refFolder(parts.repository, name), "logs", name)
  if (!isLogged(parts.config, name, path)) return
  const text = reason.replace(/\s+/g, " ").trim()
  parts.files.append(path, `${from ?? noOid(40)} ${to} ${printPerson(parts.committer, at)}\t${text}\n`)
}

/** By default branches and HEAD have a log; "always" gives one to all, and a log once there is kept up. */
function isLogged(config: GitConfig, name: string, path: string): boolean {
  const wanted = config.has("core.logallrefupdates") ? config.get("core.logallrefupdates") : "true"
  if (wanted === "always" || existsSync(path)) return true
  return parseBoolean(wanted) === true && /^(HEAD$|refs\/(heads|remotes|notes)\/)/.test(name)
}

function refLocked(path: string): CofferError {
  return new CofferError("GIT_LOCKED", `another git process holds "${path}"`, {
    hint: `try again when it is done; if it is certain that none runs: rm "${path}"`,
  })
}

function nameTaken(name: string, other: string): CofferError {
  return new CofferError("GIT_FAILED", `the branch "${name}" cannot be made: "${other}" exists`, {
    hint: "git switch to a branch of another name",
  })
}
