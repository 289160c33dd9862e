/** A store in a temporary repository and the people who work in it, each as on a machine of their own. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { newIdentityLine } from "../../src/crypto/age.js"
import { type CofferError, type ErrorCode, hasCode } from "../../src/errors.js"
import type { Card } from "../../src/format/card.js"
import { parseSecretName } from "../../src/format/names.js"
import { type Identity, parseIdentities } from "../../src/storage/identity-lines.js"
import { createStore } from "../../src/store/init.js"
import { getSecret, setSecret } from "../../src/store/secrets.js"
import { type OpenOptions, openStore, type Store } from "../../src/store/store.js"

const root = mkdtempSync(join(tmpdir(), "coffer-team-"))
process.on("exit", () => rmSync(root, { recursive: true, force: true }))

let clock = Date.UTC(2026, 0, 1)
let folders = 0

/** A later time at each call: one minute on. */
export function now(): Date {
  clock += 60_000
  return new Date(clock)
}

/** Somebody with an identity, a home folder and a work tree. */
export interface Actor {
  readonly name: string
  readonly card: Card
  readonly identity: Identity
  /** The work tree. */
  readonly dir: string
  readonly options: OpenOptions
  readonly notes: string[]
  open(more?: Partial<OpenOptions>): Promise<Store>
  git(...args: string[]): string
  set(name: string, text: string): Promise<void>
  get(name: string): Promise<string>
}

/** Somebody who works in `dir`, on a machine of their own. */
async function makeActor(name: string, dir: string, pin: string | undefined): Promise<Actor> {
  return actorOf(name, dir, pin, newIdentityLine())
}

async function actorOf(name: string, dir: string, pin: string | undefined, line: string): Promise<Actor> {
  const [identity] = await parseIdentities(line, { name })
  const env = {
    PATH: process.env.PATH,
    HOME: join(root, `home-${++folders}`),
    COFFER_IDENTITY: line,
    COFFER_PIN: pin,
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: name,
    GIT_AUTHOR_EMAIL: `${name}@example.org`,
    GIT_COMMITTER_NAME: name,
    GIT_COMMITTER_EMAIL: `${name}@example.org`,
  }
  const notes: string[] = []
  // Without a process for each step of git: what the two back ends do alike is shown elsewhere.
  const options: OpenOptions = { directory: dir, env, git: "embedded", note: text => notes.push(text) }
  const open = (more?: Partial<OpenOptions>) => openStore({ ...options, ...more })
  return {
    name,
    card: identity!.card,
    identity: identity!,
    dir,
    options,
    notes,
    open,
    git: (...args) => execFileSync("git", args, { cwd: dir, env, encoding: "utf8", stdio: "pipe" }),
    async set(secret, text) {
      await setSecret(await open(), { name: parseSecretName(secret), value: Buffer.from(text), at: now() })
    },
    async get(secret) {
      return Buffer.from((await getSecret(await open(), { name: parseSecretName(secret) })).value).toString()
    },
  }
}

export interface Team {
  readonly ana: Actor
  readonly pin: string
  /** Somebody else on the same work tree. */
  join(name: string): Promise<Actor>
  /** The same person with a clone of her own repository, on another machine. */
  clone(actor: Actor): Promise<Actor>
}

/** A new store whose only member, and admin, is ana. */
export async function makeTeam(): Promise<Team> {
  const dir = join(root, `repo-${++folders}`)
  execFileSync("git", ["init", "-q", "-b", "main", dir])
  const line = newIdentityLine()
  const founder = await actorOf("ana", dir, undefined, line)
  const { pin } = await createStore(founder.options, { identity: founder.identity, member: "ana", at: now() })
  return {
    ana: await actorOf("ana", dir, pin, line),
    pin,
    join: name => makeActor(name, dir, pin),
    async clone(actor) {
      const copy = join(root, `clone-${++folders}`)
      execFileSync("git", ["clone", "-q", actor.dir, copy])
      return actorOf(actor.name, copy, pin, actor.identity.line())
    },
  }
}

/** Fails unless the action is refused with the code; returns the error. */
export async function assertRefused(code: ErrorCode, action: () => Promise<unknown>): Promise<CofferError> {
  const error = await action().then(
    () => new Error(`not refused with ${code}`),
    (reason: unknown) => reason,
  )
  if (hasCode(error, code)) return error
  throw error
}
