/** The choice of the back end, and the one way of writing that all of them share. */
import { CofferError, hasCode } from "../../errors.js"
import type { Environment } from "../environment.js"
import { errnoOf, ioError } from "../files.js"
import type { Backend } from "./backend.js"
import { commitChange, refuseInProgress, requireClean } from "./commit-change.js"
import type { Git, GitPreference } from "./git.js"
import { hasJournal } from "./journal.js"
import { recover } from "./recover.js"
import { stageChange } from "./stage-change.js"
import { withStoreLock } from "./store-lock.js"
import type { Step, Writer } from "./write.js"

/** @throws CofferError `GIT_NO_REPOSITORY`, `GIT_REFUSED`, `GIT_UNSUPPORTED` */
export async function openBackend(dir: string, env: Environment, prefer: GitPreference): Promise<Backend> {
  if (prefer !== "embedded") {
    const { openSystem } = await import("./system.js")
    const system = await openSystem(dir, env)
    if (typeof system !== "string") return system
    if (prefer === "system")
      throw new CofferError("GIT_UNSUPPORTED", system, { hint: "install git, 2.31 or newer" })
  }
  const { openEmbedded } = await import("./embedded.js")
  return openEmbedded(dir, env)
}

/** Adds writes and recovery to a back end, and recovers if that needs no waiting. */
export async function withWrites(backend: Backend, reached: (step: Step) => void): Promise<Git> {
  const { commonDir } = backend
  if (hasJournal(backend.gitDir)) await recoverIfIdle(backend)
  return writable({ backend, reached }, run =>
    withStoreLock({ commonDir, recover: () => recover(backend, { wait: true }) }, run),
  )
}

/** @param lock - takes the store lock, or gives the token of whoever holds it. */
function writable(writer: Writer, lock: <T>(run: (token: string) => Promise<T>) => Promise<T>): Git {
  const { backend } = writer
  return {
    ...backend,
    exclusively: run => lock(token => run(writable(writer, inner => inner(token)))),
    commit: change => named(lock(token => commitChange(writer, token, change))),
    stage: ({ files }) => named(lock(token => stageChange(writer, token, files))),
    requireClean: (base, paths) => named(requireClean(backend, base, paths)),
    async requireCommit(options) {
      refuseInProgress(backend)
      await backend.requireCommit(options)
    },
    hasJournal: () => hasJournal(backend.gitDir),
  }
}

/** Gives a code to file system errors of the small steps that do not name theirs. */
async function named<T>(written: Promise<T>): Promise<T> {
  try {
    return await written
  } catch (error) {
    throw errnoOf(error) === undefined ? error : ioError("write", "the repository", error)
  }
}

/** Reading goes on beside a write, and inside a hook of a `git commit` that holds the index. */
async function recoverIfIdle(backend: Backend): Promise<void> {
  try {
    const { commonDir } = backend
    await withStoreLock({ commonDir }, () => recover(backend, { wait: false }), { wait: false })
  } catch (error) {
    if (!hasCode(error, "STORE_LOCKED", "GIT_LOCKED", "IO_FAILED")) throw error
  }
}
