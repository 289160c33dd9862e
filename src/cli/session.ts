/** One call of coffer: the host, the global options, and what follows from both. */
import { statSync } from "node:fs"
import { resolve } from "node:path"
import { CofferError } from "../errors.js"
import type { Environment } from "../storage/environment.js"
import { gitPreference } from "../storage/git-preference.js"
import { requireNamedConfig } from "../storage/user-config.js"
import type { OpenOptions, Store } from "../store/store.js"
import type { Globals } from "./globals.js"
import type { Host } from "./host.js"
import { type Notes, startNotes } from "./notes.js"
import { progressBar } from "./progress.js"

export interface Session {
  readonly host: Host
  readonly globals: Globals
  readonly env: Environment
  /** The current folder, after `-C`. */
  readonly cwd: string
  /** Whether a person can be asked. */
  readonly interactive: boolean
  now(): Date
  openStore(): Promise<Store>
  /** What every operation gets from outside, for those that run before there is a store. */
  openOptions(): OpenOptions
  readonly notes: Notes
  /** Something a person should know; said even where nobody watches. */
  warn(message: string): void
  /** Something that helps a person who watches: not said with --quiet, or where stderr is no terminal. */
  note(message: string): void
}

type StoreOpener = (options: OpenOptions) => Promise<Store>

const importStore: StoreOpener = async options => (await import("../store/store.js")).openStore(options)

/** @param openStore - what a bundle that holds it anyway gives; otherwise it is imported when a command asks for it. */
export function startSession(host: Host, globals: Globals, openStore = importStore): Session {
  const cwd = resolve(host.cwd, ...globals.C)
  const interactive = globals.input && !host.env.COFFER_NO_INPUT && host.stderr.isTty && host.stdin.isTty
  const notes = startNotes(host, globals.json)
  const say = (message: string) => notes.say(message, "coffer: ")
  const warn = (message: string) => say(`warning: ${message}`)
  const session: Session = {
    host,
    globals,
    env: host.env,
    cwd,
    interactive,
    now: host.now,
    notes,
    warn,
    note(message) {
      if (!globals.quiet && host.stderr.isTty) notes.say(message)
    },
    openOptions: () => ({
      directory: cwd,
      env: host.env,
      store: globals.store,
      identityFiles:
        globals.identity.length > 0 ? globals.identity.map(path => resolve(cwd, path)) : undefined,
      git: globals.git,
      confirm: interactive ? question => askYesNo(session, question) : undefined,
      progress: globals.quiet || !host.stderr.isTty ? undefined : progressBar(host),
      note: line => (/^(warning|note): /.test(line) ? say(line) : warn(line)),
    }),
    openStore: () => openStore(session.openOptions()),
  }
  return session
}

/**
 * Checks what of the environment and the global options holds for every command, needed or not.
 *
 * @throws CofferError `USAGE`, `SETTING_INVALID`
 */
export function checkSurroundings({ cwd, env, globals }: Session): void {
  gitPreference({ env, git: globals.git })
  requireNamedConfig(env)
  if (globals.C.length > 0 && !statSync(cwd, { throwIfNoEntry: false })?.isDirectory()) {
    throw new CofferError("USAGE", "-C names a folder that is not there", {
      hint: "it is taken from the current folder, as git does it",
    })
  }
}

async function askYesNo(session: Session, question: string): Promise<boolean> {
  const { askYesNo } = await import("./terminal.js")
  return askYesNo(session, question)
}
