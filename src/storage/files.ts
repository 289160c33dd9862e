/** Files on disk: reading below a root that is not trusted, private writes, typed file system errors. */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from "node:fs"
import { basename, dirname, join } from "node:path"
import { concat } from "../encoding.js"
import { CofferError } from "../errors.js"
import { shellWord } from "../format/shell.js"

/** One thing below a root. Folders are walked, not listed; "other" is a link, pipe, device or socket. */
export interface FileEntry {
  /** Relative to the root, with "/". */
  readonly path: string
  readonly kind: "file" | "other"
}

/** Reads what somebody else wrote below one folder: never follows a link there, never blocks. */
export interface Files {
  /** Absolute. Links in the root itself are the user's own and are followed. */
  readonly root: string
  /**
   * The bytes of a regular file, or undefined where there is none.
   *
   * @param path - relative to the root, with "/".
   * @throws CofferError `NOT_CANONICAL` for a link at any component below the root, a folder, pipe, device
   * or socket, or more than `maxBytes`; `IO_FAILED`.
   */
  read(path: string, maxBytes: number): Uint8Array | undefined
  /**
   * Everything below the folder `prefix` ("" for all) that is not a folder, in the order of the paths;
   * nothing where it is no folder. A file read while its walk is under way costs no second look at its
   * folders: read as you walk.
   *
   * @throws CofferError `NOT_CANONICAL` for a link on the way to `prefix`, `IO_FAILED`
   */
  walk(prefix?: string): Iterable<FileEntry>
  /** Whether the owner may execute the file: git's mode 100755. False on systems without that bit. */
  isExecutable(path: string): boolean
}

/** Deeper than any name of a secret (16 segments) or of a key record: not looked into. */
const MAX_DEPTH = 24
// Absent on Windows, where lstat of the file itself stands in for it.
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0
const NON_BLOCK = constants.O_NONBLOCK ?? 0
const DIRECTORY = constants.O_DIRECTORY ?? 0
/** Most store files are below 1 KiB: one read each, into a buffer that is used again. */
const scratch = new Uint8Array(64 * 1024)

/** The real file system below `root` (absolute). Nothing is touched before the first read. */
export function openFiles(root: string): Files {
  const walked = new Set<string>()
  return {
    root,
    read(path, maxBytes) {
      if (!isUtf8(path)) throw notRegular(root, path, "has a name that is no UTF-8")
      if (!walked.has(dirname(join(root, path))) && !hasPlainFolders(root, path)) return undefined
      return readRegular(root, path, maxBytes)
    },
    *walk(prefix = "") {
      if (!hasPlainFolders(root, `${prefix}/`)) return
      try {
        yield* walkFolder(root, prefix, walked)
      } finally {
        // Not kept: by the next call a checkout may have put a link where the folder was.
        walked.clear()
      }
    },
    isExecutable(path) {
      const stats = findStats(join(root, path))
      return process.platform !== "win32" && stats?.isFile() === true && (stats.mode & 0o100) !== 0
    },
  }
}

/**
 * Reads a file of the user's own (identity, local state): links are followed, anything but a regular file
 * is refused without blocking.
 *
 * @param options.follow - false: a link is refused too.
 * @throws CofferError `IO_FAILED`, also above `maxBytes`.
 */
export function readPlainFile(
  path: string,
  maxBytes: number,
  { follow = true }: { follow?: boolean } = {},
): Uint8Array | undefined {
  const flags = constants.O_RDONLY | NON_BLOCK | (follow ? 0 : NO_FOLLOW)
  return onDescriptor(path, flags, (fd, stats) => {
    if (!stats.isFile()) throw new CofferError("IO_FAILED", `"${path}" is not a regular file`)
    return (
      readAll(fd, stats.size, maxBytes) ??
      fail(new CofferError("IO_FAILED", `"${path}" is larger than ${maxBytes} bytes`))
    )
  })
}

/**
 * Replaces a file at once (temporary file, fsync, rename) with mode 0600; missing folders are made with 0700.
 *
 * @throws CofferError `IO_FAILED`
 */
export function writePrivateFile(path: string, bytes: Uint8Array): void {
  const folder = dirname(path)
  makePrivateFolder(folder)
  const { fd, temporary } = openTemporary(folder, basename(path))
  try {
    try {
      writeAll(fd, bytes)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(temporary, path)
  } catch (error) {
    removeQuietly(temporary)
    throw ioError("write", path, error)
  }
  syncFolder(folder)
}

/**
 * Writes into what is there already, a device or a pipe: replacing `/dev/null` by a file would break the machine.
 *
 * @throws CofferError `IO_FAILED`
 */
export function writeInto(path: string, bytes: Uint8Array): void {
  try {
    const fd = openSync(path, constants.O_WRONLY | constants.O_APPEND)
    try {
      writeAll(fd, bytes)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    throw ioError("write", path, error)
  }
}

/**
 * Makes a folder and its missing parents, mode 0700. One by one: Node's own `recursive` never returns where a
 * parent says ENOENT for ever, as below /proc.
 *
 * @throws CofferError `IO_FAILED`
 */
export function makePrivateFolder(path: string): void {
  if (findStats(path)?.isDirectory() === true) return
  if (dirname(path) !== path) makePrivateFolder(dirname(path))
  try {
    mkdirSync(path, 0o700)
  } catch (error) {
    // Made by another process meanwhile, or a link to a folder.
    if (existsSync(path) && statSync(path).isDirectory()) return
    throw ioError("make the folder", path, error)
  }
}

/** The typed form of a file system error: path and errno name, which say all that is known. */
export function ioError(doing: string, path: string, error: unknown): CofferError {
  if (error instanceof CofferError) return error
  const errno = errnoOf(error)
  return new CofferError("IO_FAILED", `cannot ${doing} "${path}": ${errno ?? String(error)}`, {
    hint: errno === undefined ? undefined : HINTS[errno]?.(path),
    cause: error,
  })
}

const makeRoom = () => "make room (df -h), then run it again"
const showRights = (path: string) => `ls -ld "${path}" shows who may`
const HINTS: Readonly<Record<string, (path: string) => string>> = {
  ENOSPC: makeRoom,
  EDQUOT: makeRoom,
  EACCES: showRights,
  EPERM: showRights,
  EROFS: () => "the disk is mounted read-only: reading works, writing does not",
}

/**
 * The typed form of an error that the system gave in a place that does not name its own: the disk's fault or a
 * missing right, and none of the program's.
 *
 * @returns undefined for anything else.
 */
export function systemError(error: unknown): CofferError | undefined {
  if (!(error instanceof Error) || error instanceof CofferError) return undefined
  const { code, syscall, path } = error as NodeJS.ErrnoException
  if (code === undefined || syscall === undefined || code.startsWith("ERR_")) return undefined
  return ioError(syscall, path ?? "a file", error)
}

/** The errno name ("ENOENT") of a file system error. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined
}

/**
 * Whether each folder on the way to `path` is there and a real folder: a link in the middle would read
 * (and later write) outside the store just as one at the end would.
 */
function hasPlainFolders(root: string, path: string): boolean {
  if (path.split("/").includes("..")) throw new TypeError("a path below the root has no ..")
  for (let end = path.indexOf("/", 1); end !== -1; end = path.indexOf("/", end + 1)) {
    const folder = path.slice(0, end)
    const stats = findStats(join(root, folder))
    if (stats === undefined) return false
    if (stats.isSymbolicLink()) throw notRegular(root, folder, "is a symbolic link")
    if (!stats.isDirectory()) return false
  }
  return true
}

function readRegular(root: string, path: string, maxBytes: number): Uint8Array | undefined {
  const absolute = join(root, path)
  if (NO_FOLLOW === 0 && findStats(absolute)?.isSymbolicLink() === true) {
    throw notRegular(root, path, "is a symbolic link")
  }
  try {
    return onDescriptor(absolute, constants.O_RDONLY | NO_FOLLOW | NON_BLOCK, (fd, stats) => {
      // A pipe opens at once only because of O_NONBLOCK; it is never read.
      if (!stats.isFile()) throw notRegular(root, path, "is not a regular file")
      return (
        readAll(fd, stats.size, maxBytes) ?? fail(notRegular(root, path, `is larger than ${maxBytes} bytes`))
      )
    })
  } catch (error) {
    const errno = errnoOf(error instanceof CofferError ? error.cause : error)
    if (errno === "ELOOP" || errno === "EMLINK") throw notRegular(root, path, "is a symbolic link")
    if (errno === "ENXIO") throw notRegular(root, path, "is not a regular file")
    throw error
  }
}

function notRegular(root: string, path: string, what: string): CofferError {
  // Git takes it from any folder of the repository.
  const typed = shellWord(join(root, path))
  return new CofferError("NOT_CANONICAL", `"${path}" ${what}`, {
    hint: `git log -- ${typed} shows who put it there; git checkout HEAD -- ${typed} restores the last committed file`,
  })
}

/** Node spells what is no UTF-8 as U+FFFD, and finds nothing under that name. */
function isUtf8(path: string): boolean {
  return !path.includes("\ufffd")
}

function* walkFolder(root: string, folder: string, walked: Set<string>, depth = 0): Generator<FileEntry> {
  const absolute = join(root, folder)
  const entries = listFolder(absolute)
  walked.add(absolute)
  for (const entry of entries) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`
    if (entry.isDirectory() && depth < MAX_DEPTH && isUtf8(entry.name))
      yield* walkFolder(root, path, walked, depth + 1)
    else yield { path, kind: entry.isFile() ? "file" : "other" }
  }
}

/** A folder sorts as its name with "/", so that whole paths come out in order, as in git's index. */
function listFolder(folder: string) {
  try {
    const key = (entry: { name: string; isDirectory(): boolean }) =>
      entry.isDirectory() ? `${entry.name}/` : entry.name
    return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (key(a) < key(b) ? -1 : 1))
  } catch (error) {
    throw ioError("list", folder, error)
  }
}

function onDescriptor<T>(path: string, flags: number, use: (fd: number, stats: Stats) => T): T | undefined {
  let fd: number | undefined
  try {
    fd = openSync(path, flags)
    return use(fd, fstatSync(fd))
  } catch (error) {
    if (fd === undefined && isAbsent(error)) return undefined
    throw ioError("read", path, error)
  } finally {
    if (fd !== undefined) closeRead(fd)
  }
}

/** What was read is read. */
function closeRead(fd: number): void {
  try {
    closeSync(fd)
  } catch {
    // A network drive may say so only now; the file is closed all the same.
  }
}

/** All bytes, or undefined above `maxBytes`. The size is only a guess: the file may be growing. */
export function readAll(fd: number, size: number, maxBytes: number): Uint8Array | undefined {
  const chunks: Uint8Array[] = []
  for (let total = 0; ; ) {
    const length = readSync(fd, scratch, 0, scratch.length, null)
    total += length
    if (total > maxBytes) return undefined
    if (length > 0) chunks.push(scratch.slice(0, length))
    if (length === 0 || (total === size && length < scratch.length)) return concat(chunks)
  }
}

/** @param at - where in the file; without it, where the last write ended. */
export function writeAll(fd: number, bytes: Uint8Array, at?: number): void {
  let offset = 0
  while (offset < bytes.length)
    offset += writeSync(fd, bytes, offset, bytes.length - offset, at === undefined ? null : at + offset)
}

/** A name nobody else has: O_EXCL decides, the number only keeps leftovers of a killed process out of the way. */
function openTemporary(folder: string, name: string): { fd: number; temporary: string } {
  for (let attempt = 0; ; attempt++) {
    const temporary = join(folder, `.${name}.${process.pid}-${attempt}.tmp`)
    try {
      return { fd: openSync(temporary, "wx", 0o600), temporary }
    } catch (error) {
      if (errnoOf(error) !== "EEXIST" || attempt >= 1000) throw ioError("write", temporary, error)
    }
  }
}

/** Makes the rename durable where folders can be synced; elsewhere (Windows, some network drives) there is no way. */
export function syncFolder(folder: string): void {
  try {
    // A pipe in its place would otherwise wait for a writer.
    const fd = openSync(folder, constants.O_RDONLY | DIRECTORY)
    try {
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
  } catch {
    // The file is whole either way: only its age after a power cut is in question.
  }
}

function findStats(path: string): Stats | undefined {
  try {
    return lstatSync(path)
  } catch (error) {
    if (isAbsent(error)) return undefined
    throw ioError("read", path, error)
  }
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // Already gone, or as unwritable as what failed before.
  }
}

function isAbsent(error: unknown): boolean {
  const errno = errnoOf(error)
  return errno === "ENOENT" || errno === "ENOTDIR"
}

function fail(error: CofferError): never {
  throw error
}
