/** Changes below a folder, one at a time. */

/** An editor, a checkout or a rotation makes many changes at once: they count as one. */
const SETTLE_MS = 200

export interface Changes {
  /** Resolves after the next change, at once if there was one since the last call. */
  next(): Promise<void>
  close(): Promise<void>
}

export async function watchFolder(folder: string): Promise<Changes> {
  const { watch } = await import("chokidar")
  const watcher = watch(folder, { ignoreInitial: true })
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
  await new Promise<void>(resolve => watcher.once("ready", resolve))
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
