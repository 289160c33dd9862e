/** Where this machine's identities come from, and the private file they are kept in. */

import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  openSync,
  realpathSync,
  unlinkSync,
} from "node:fs"
import { delimiter, dirname, isAbsolute, join, relative, resolve } from "node:path"
import { newIdentityLine } from "../crypto/age.js"
import { decodeUtf8, encodeUtf8 } from "../encoding.js"
import { CofferError } from "../errors.js"
import { listOf, PATH } from "../format/given.js"
import type { Environment } from "./environment.js"
import {
  errnoOf,
  ioError,
  makePrivateFolder,
  readAll,
  syncFolder,
  writeAll,
  writePrivateFile,
} from "./files.js"
import { IDENTITY, type Identity, parseIdentities } from "./identity-lines.js"
import { configFolder, homeFolder, readUserConfig } from "./user-config.js"

export { type Identity, parseIdentities } from "./identity-lines.js"

export interface IdentityOptions {
  readonly env: Environment
  /** Given with `--identity`: these alone are used then. */
  readonly files: readonly string[]
  /** For a warning about private keys that one `git add` would publish. */
  readonly workTree?: string | undefined
}

export interface LoadedIdentities {
  /** In the order of their sources, each recipient once. */
  readonly identities: readonly Identity[]
  /** What was looked at and had none, for the message that there is no identity. */
  readonly looked: readonly string[]
  readonly warnings: readonly string[]
}

/** More than a thousand identities, and no accident with a disk image. */
const MAX_FILE_BYTES = 1024 * 1024

/**
 * Loads identities from the first source that is given: `--identity`, then `COFFER_IDENTITY` and
 * `COFFER_IDENTITY_FILE` together, then the user's configuration, then the default file. A source that is given and holds none is an
 * error, but an empty variable counts as unset: that is what a pull request from a fork gets.
 *
 * @throws CofferError `IDENTITY_INVALID`, `IO_FAILED`
 * @see docs/cli.md, "Environment"
 */
export async function loadIdentities(options: IdentityOptions): Promise<LoadedIdentities> {
  const search: Search = { options, identities: new Map(), looked: [], warnings: [] }
  if (options.files.length > 0) {
    for (const file of options.files) await addFile(search, file, "flag")
  } else {
    await addVariables(search)
    if (!isGiven(options.env.COFFER_IDENTITY) && !isGiven(options.env.COFFER_IDENTITY_FILE)) {
      await addConfigured(search)
    }
  }
  const { identities, looked, warnings } = search
  return { identities: [...identities.values()], looked, warnings }
}

/** What has been found so far; identities by recipient. */
interface Search {
  readonly options: IdentityOptions
  readonly identities: Map<string, Identity>
  readonly looked: string[]
  readonly warnings: string[]
}

type FileOrigin = "flag" | "variable" | "configured" | "default"

const ABSENT: Readonly<Record<Exclude<FileOrigin, "flag">, (name: string) => string>> = {
  variable: () => "COFFER_IDENTITY_FILE names a file that is not there",
  configured: name => `${name} is not there`,
  default: name => name,
}

async function addVariables(search: Search): Promise<void> {
  const { COFFER_IDENTITY: lines, COFFER_IDENTITY_FILE: paths } = search.options.env
  if (isGiven(lines)) add(search, await parseIdentities(lines, { name: "COFFER_IDENTITY" }))
  else search.looked.push(`COFFER_IDENTITY is ${lines === undefined ? "not set" : "empty"}`)
  if (!isGiven(paths)) return
  for (const path of paths.split(delimiter)) {
    if (path !== "") await addFile(search, path, "variable")
  }
}

/** The files that the user's configuration names, else the default file. */
async function addConfigured(search: Search): Promise<void> {
  const { env } = search.options
  const { identities: files } = await readUserConfig(env)
  for (const file of files ?? []) {
    await addFile(search, file.replace(/^~(?=\/)/, homeFolder(env) ?? "~"), "configured")
  }
  const file = findDefaultFile(env)
  if (files === undefined && file !== undefined) await addFile(search, file, "default")
}

/** White space alone is what templates of CI systems make of an absent variable. */
function isGiven(variable: string | undefined): variable is string {
  return variable !== undefined && variable.trim() !== ""
}

async function addFile(search: Search, file: string, origin: FileOrigin): Promise<void> {
  const path = resolve(file)
  const name = displayPath(path, search.options.env)
  const found = readIdentityFile(path)
  if (found === undefined) {
    // What is no path of a file may be a value, or a private key: only coffer's own places are named.
    if (origin === "flag") {
      throw new CofferError("IDENTITY_INVALID", "--identity names a file that is not there", {
        hint: "coffer identity new -o FILE makes one",
      })
    }
    // A secret mount that this build was not given: no identity, which is not a mistake.
    search.looked.push(ABSENT[origin](name))
    return
  }
  if (found.loose) checkMode(search, name, origin)
  const text = decodeUtf8(found.bytes)
  if (text === undefined) throw new CofferError("IDENTITY_INVALID", `${name}: it is not text`)
  if ((origin === "variable" || origin === "configured") && text.trim() === "") {
    search.looked.push(`${name} is empty`)
    return
  }
  if (isInside(path, search.options.workTree)) {
    search.warnings.push(
      `identity file "${name}" is inside the repository: keep it outside, or have git ignore it`,
    )
  }
  add(search, await parseIdentities(text, { name, file: path }))
}

/** The default file is coffer's own and has no reason to be readable; others may be a CI's or a mount's. */
function checkMode(search: Search, name: string, origin: FileOrigin): void {
  if (origin === "default") {
    throw new CofferError("IDENTITY_INVALID", `others can read the identity file "${name}"`, {
      hint: `chmod 600 ${name}; if others have used this machine, make a new identity`,
    })
  }
  search.warnings.push(`others can read the identity file "${name}": chmod 600 ${name}`)
}

function add(search: Search, found: readonly Identity[]): void {
  for (const identity of found) {
    if (!search.identities.has(identity.recipient)) search.identities.set(identity.recipient, identity)
  }
}

/** The file that `coffer init` and `coffer identity new` write. @throws CofferError `IDENTITY_INVALID` */
export function defaultIdentityFile(env: Environment): string {
  const file = findDefaultFile(env)
  if (file !== undefined) return file
  throw new CofferError("IDENTITY_INVALID", "there is no place for an identity: HOME names no folder", {
    hint: "set HOME or XDG_CONFIG_HOME, or name a file: coffer identity new -o FILE",
  })
}

function findDefaultFile(env: Environment): string | undefined {
  const folder = configFolder(env)
  return folder === undefined ? undefined : join(folder, "identity.txt")
}

function displayPath(path: string, env: Environment): string {
  const home = homeFolder(env)
  return home !== undefined && isInside(path, home) ? `~/${relative(home, path)}` : path
}

function isInside(path: string, folder: string | undefined): boolean {
  if (folder === undefined) return false
  const way = relative(folder, path)
  return way !== "" && !way.startsWith("..") && !isAbsolute(way)
}

/**
 * Makes an identity in a file of its own, mode 0600 in a folder of mode 0700.
 *
 * @throws CofferError `EXISTS`: a private key is never written over; `IO_FAILED`
 */
export async function createIdentityFile(path: string): Promise<Identity> {
  PATH(path, "path")
  const line = newIdentityLine()
  const [identity] = await parseIdentities(line, { name: path, file: path })
  createPrivateFile(path, encodeUtf8(`# public key: ${identity!.recipient}\n${line}\n`))
  return identity!
}

const IDENTITIES = listOf(IDENTITY)

/**
 * Adds identities to a file, which is made if there is none; old ones stay, since old versions may be
 * readable with them alone.
 *
 * @returns those that were not in it before.
 * @throws CofferError `IDENTITY_INVALID`, `IO_FAILED`
 */
export async function addIdentities(path: string, identities: readonly Identity[]): Promise<Identity[]> {
  PATH(path, "path")
  IDENTITIES(identities, "identities")
  const before = existsSync(path) ? readIdentityFile(realpathSync(path)) : undefined
  const text = before === undefined ? "" : (decodeUtf8(before.bytes) ?? "")
  const known = text.trim() === "" ? [] : await parseIdentities(text, { name: path, file: path })
  const added = identities.filter(
    identity => !known.some(({ recipient }) => recipient === identity.recipient),
  )
  if (added.length === 0) return []
  const lines = added.map(identity => `# public key: ${identity.recipient}\n${identity.line()}\n`).join("")
  const separator = text === "" || text.endsWith("\n") ? "" : "\n"
  const bytes = encodeUtf8(text + separator + lines)
  if (before === undefined) createPrivateFile(path, bytes)
  // By its real path: the file may be a link into somebody's dotfiles.
  else writePrivateFile(realpathSync(path), bytes)
  return added
}

/** Writes a new file that nobody else can read. @throws CofferError `EXISTS`, `IO_FAILED` */
function createPrivateFile(path: string, bytes: Uint8Array): void {
  makePrivateFolder(dirname(path))
  let fd: number
  try {
    fd = openSync(path, "wx", 0o600)
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw ioError("write", path, error)
    throw new CofferError("EXISTS", `there is a file "${path}" already: a private key is never overwritten`, {
      hint: "coffer identity list shows what is in it; -o names another file",
    })
  }
  try {
    writeAll(fd, bytes)
    fsyncSync(fd)
  } catch (error) {
    unlinkSync(path)
    throw ioError("write", path, error)
  } finally {
    closeSync(fd)
  }
  // A key that is lost with the next power cut would take with it what is sealed to it alone.
  syncFolder(dirname(path))
}

/**
 * Reads a file or pipe that the user named. Unlike a store file it may be a link, and a pipe is waited
 * for: `-i <(age -d …)` is how people keep identities under a passphrase.
 */
function readIdentityFile(path: string): { bytes: Uint8Array; loose: boolean } | undefined {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === "ENOENT" || errno === "ENOTDIR" || errno === "ENAMETOOLONG") return undefined
    throw ioError("read", path, error)
  }
  try {
    const stats = fstatSync(fd)
    const loose = process.platform !== "win32" && stats.isFile() && (stats.mode & 0o077) !== 0
    const bytes = readAll(fd, stats.size, MAX_FILE_BYTES)
    if (bytes === undefined) {
      throw new CofferError("IDENTITY_INVALID", `"${path}" is too large for an identity file`)
    }
    return { bytes, loose }
  } catch (error) {
    throw ioError("read", path, error)
  } finally {
    closeSync(fd)
  }
}
