/** Folders for text that nobody else may see: mode 0700, in memory where there is such storage, swept if left over. */
import { accessSync, constants, lstatSync, mkdtempSync, readdirSync, rmSync, statfsSync } from "node:fs"
import { join } from "node:path"
import type { Environment } from "./environment.js"
import { ioError } from "./files.js"
import { hasEnded, pidSpace, startOf } from "./process-facts.js"

export interface TemporaryFolder {
  readonly path: string
  /** Whether its files stay off the disk (swap aside). */
  readonly inMemory: boolean
  /** To be called however the program ends; may be called twice. */
  remove(): void
}

/**
 * Makes a folder. What processes left that died before they could remove theirs goes first: SIGKILL and
 * power cuts leave no other chance.
 *
 * @throws CofferError `IO_FAILED`
 */
export function makeTemporaryFolder(env: Environment): TemporaryFolder {
  const memory = [env.XDG_RUNTIME_DIR, "/dev/shm"].filter(path => path && isMemoryBacked(path)) as string[]
  const base = memory[0] ?? (env.TMPDIR || "/tmp")
  try {
    for (const folder of new Set([...memory, base])) sweep(folder)
    const path = mkdtempSync(join(base, `${PREFIX}${markOf(process.pid)}-`)) // mode 0700
    return {
      path,
      inMemory: memory.length > 0,
      remove: () => rmSync(path, { recursive: true, force: true }),
    }
  } catch (error) {
    throw ioError("make a private folder in", base, error)
  }
}

const PREFIX = "coffer-edit-"
// Numbers of linux/magic.h: on other systems they mean something else.
const MEMORY_TYPES: readonly number[] = process.platform === "linux" ? [0x01021994, 0x858458f6] : []

function isMemoryBacked(path: string): boolean {
  try {
    accessSync(path, constants.W_OK | constants.X_OK)
    return MEMORY_TYPES.includes(statfsSync(path).type)
  } catch {
    return false
  }
}

function sweep(base: string): void {
  for (const name of readdirSync(base).filter(name => name.startsWith(PREFIX))) {
    const path = join(base, name)
    const mark = name.slice(PREFIX.length, name.lastIndexOf("-"))
    const stats = lstatSync(path, { throwIfNoEntry: false })
    const mine = stats?.isDirectory() && stats.uid === process.getuid?.()
    if (mine && isOver(mark)) rmSync(path, { recursive: true, force: true })
  }
}

/** Tells a process from a later one with its number, and from one that only another container sees. */
function markOf(pid: number): string {
  return [pid, startOf(pid) || UNKNOWN, spaceNumber()].join(".")
}

/** Whether the process of a mark can be seen from here and has ended. */
function isOver(mark: string): boolean {
  const [pid, start = UNKNOWN, space] = mark.split(".")
  return space === spaceNumber() && hasEnded(Number(pid), start === UNKNOWN ? "" : start)
}

const UNKNOWN = "0"

function spaceNumber(): string {
  return /\d+/.exec(pidSpace())?.[0] ?? UNKNOWN
}
