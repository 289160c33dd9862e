/** The command `run`: a program with secrets in its environment, started again with --watch. */
import { dirname } from "node:path"
import { CofferError } from "../../errors.js"
import type { Environment } from "../../storage/environment.js"
import { loadIdentities } from "../../storage/identities.js"
import type { Store } from "../../store/store.js"
import { readVariables } from "../../store/variables.js"
import { OPEN_ERRORS } from "../arguments.js"
import { type Child, type ChildEnd, type ChildRequest, startChild } from "../child.js"
import { defineCommand } from "../command.js"
import type { Session } from "../session.js"
import { checkPrefix, SELECTION } from "./export.js"

export const run = defineCommand({
  name: "run",
  summary: "run a program with secrets in its environment",
  details:
    "The program gets its arguments as they are (no shell), the terminal and the signals as if coffer were not there, and its status is coffer's. All selected secrets are there, or it is not started. prod/db/password below -p prod is DB_PASSWORD; meta env names another variable.\nSecrets win over inherited variables, later -p over earlier ones. PATH, HOME, SHELL, IFS, ENV, BASH_ENV, NODE_OPTIONS, LD_*, DYLD_*, GIT_* and COFFER_* are never set. Identities are removed from the program's environment.",
  options: {
    ...SELECTION,
    ifIdentity: {
      type: "boolean",
      help: "where there is no identity at all (a fork's pull request): warn, and run without secrets",
    },
    keepEnv: { type: "boolean", help: "inherited variables win over secrets" },
    watch: { type: "boolean", help: "when its secrets change: SIGTERM, SIGKILL after 10 s, start again" },
  },
  rest: { label: "CMD ARGS", help: "the program and its arguments" },
  errors: [...OPEN_ERRORS, "NAME_INVALID", "VALUE_INVALID"],
  statuses: {
    0: "the program's own status, 128+n if signal n ended it",
    125: "coffer stopped before it started the program",
    126: "the program could not be started",
    127: "the program was not found",
  },
  failureStatus: 125,
  examples: [
    { command: "coffer run -- npm start" },
    { command: "coffer run -p prod -p prod/eu -- ./deploy.sh" },
    { command: "coffer run --if-identity -- npm test", shows: "in CI, also for pull requests from forks" },
  ],

  surplus: () => ({ message: "the program stands after --", hint: "coffer run -- CMD ARGS" }),

  async run(session, { rest = [], prefix, ifIdentity, keepEnv, watch }) {
    const [file, ...args] = rest
    if (file === undefined) {
      throw new CofferError("USAGE", "there is no program to run", { hint: "coffer run -- CMD ARGS" })
    }
    const program = (env: Environment): ChildRequest => ({
      ...{ file, args, env, cwd: session.cwd },
      started: session.notes.release,
    })
    if (ifIdentity && !(await hasIdentity(session))) {
      session.warn("there is no identity here: the program runs without secrets (--if-identity)")
      return finish(session, await startChild(session.host, program(session.env)).ended)
    }
    const prefixes = prefix.map(checkPrefix)
    const read = async (store: Store) => merge(session.env, await readVariables(store, { prefixes }), keepEnv)
    const store = await session.openStore()
    const start = (env: Environment) => startChild(session.host, program(env))
    if (!watch) return finish(session, await start(await read(store)).ended)
    const { watchFolder } = await import("../watch.js")
    const changes = await watchFolder(store.root, {
      within: store.repository?.workTree ?? dirname(store.root),
      failed: error => session.warn(`some changes may go unseen: ${error.message}`),
    })
    try {
      // Read now: a change since then is seen.
      const env = await read(store)
      return finish(session, await runWatched(session, { start, env, changes, read }))
    } finally {
      await changes.close()
    }
  },

  text: () => "",
  json: () => undefined,
  status: ({ status }) => status,
})

function finish(session: Session, end: ChildEnd): { status: number } {
  return "signal" in end ? session.host.die(end.signal) : end
}

/** Asked before pin and store: a pull request from a fork has no identity, and needs nothing else to say so. */
async function hasIdentity(session: Session): Promise<boolean> {
  const { env, identityFiles } = session.openOptions()
  return (await loadIdentities({ env, files: identityFiles ?? [] })).identities.length > 0
}

/** Longer ones cannot be handed to a program (MAX_ARG_STRLEN of Linux). */
const MAX_VARIABLE_BYTES = 128 * 1024 - 1

function merge(
  inherited: Environment,
  variables: Awaited<ReturnType<typeof readVariables>>,
  keepEnv: boolean,
): Environment {
  const own: Record<string, string> = {}
  for (const [variable, { name, value }] of variables) {
    if (process.platform === "linux" && Buffer.byteLength(`${variable}=${value}`) > MAX_VARIABLE_BYTES) {
      throw new CofferError("VALUE_INVALID", `"${name}" is too long for an environment variable`, {
        hint: `coffer get ${name} -o FILE`,
      })
    }
    own[variable] = value
  }
  return keepEnv ? { ...own, ...inherited } : { ...inherited, ...own }
}

const GRACE_MS = 10_000

interface Watched {
  readonly env: Environment
  readonly changes: { next(): Promise<void> }
  start(env: Environment): Child
  read(store: Store): Promise<Environment>
}

async function runWatched(session: Session, { env, changes, start, read }: Watched): Promise<ChildEnd> {
  for (let present = env; ; ) {
    const child = start(present)
    const next = nextEnvironment(session, present, changes, read)
    const first = await Promise.race([child.ended, next])
    if (!("env" in first)) return first
    // Told to end already: there is no new start, and what a killed child leaves is waited for as without --watch.
    if (child.isStopped()) return child.ended
    session.note("coffer: its secrets have changed: starting the program again")
    const end = await child.stop(GRACE_MS)
    if (child.isStopped()) return end
    present = first.env
  }
}

/** Waits until the variables are other ones. What cannot be read now (a merge under way) is waited for. */
async function nextEnvironment(
  session: Session,
  present: Environment,
  changes: Watched["changes"],
  read: Watched["read"],
): Promise<{ env: Environment }> {
  for (;;) {
    await changes.next()
    try {
      const env = await read(await session.openStore())
      if (JSON.stringify(env) !== JSON.stringify(present)) return { env }
    } catch (error) {
      if (!(error instanceof CofferError)) throw error
      session.warn(`the program keeps its secrets for now: ${error.message}`)
    }
  }
}
