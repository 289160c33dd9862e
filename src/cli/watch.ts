/** Changes below a folder, one at a time. */
import { sep } from "node:path"
import { CofferError } from "../errors.js"
import { errnoOf } from "../storage/files.js"

/** An editor, a checkout or a rotation makes many changes at once: they count as one. */
const SETTLE_MS = 200

export interface Changes {
  /** Resolves after the next change, at once if there was one since the last call. */
  next(): Promise<void>
  close(): Promise<void>
}

export interface WatchOptions {
  /** A folder above, which stays where the other one goes and comes back: on another branch there may be no store. */
  readonly within: string
  /** Told once, where a part of the folder cannot be watched from now on. */
  failed(error: CofferError): void
}

/**
 * Watches a folder and all below it.
 *
 * @param folder - it and `within` are absolute paths, without links.
 * @throws CofferError `IO_FAILED` where the system lets nobody watch it
 */
export async function watchFolder(folder: string, { within, failed }: WatchOptions): Promise<Changes> {
  const { watch } = await import("chokidar")
  const isBeside = (path: string) => !isAbove(path, folder) && !isAbove(folder, path)
  const watcher = watch(within, { ignoreInitial: true, ignored: isBeside })
  let pending = false
  let wake = () => {}
  let timer: NodeJS.Timeout | undefined
  watcher.on("all", () => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      pending = true
      wake()
    }, SETTLE_MS)
  })
  try {
    await new Promise<void>((resolve, reject) => watcher.once("ready", resolve).once("error", reject))
  } catch (error) {
    await watcher.close()
    throw cannotWatch(folder, error)
  }
  watcher.once("error", error => failed(cannotWatch(folder, error))).on("error", () => {})
  return {
    async next() {
      if (!pending) await new Promise<void>(resolve => (wake = resolve))
      pending = false
    },
    async close() {
      clearTimeout(timer)
      await watcher.close()
    },
  }
}

function isAbove(folder: string, path: string): boolean {
  return `${path}${sep}`.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`)
}

/** ENOSPC is not about the disk here. */
function cannotWatch(folder: string, error: unknown): CofferError {
  return new CofferError("IO_FAILED", `cannot watch "${folder}": ${errnoOf(error) ?? String(error)}`, {
    hint: "the system's limit may be too low (sysctl fs.inotify); with CHOKIDAR_USEPOLLING=1 it does not count",
    cause: error,
  })
}
