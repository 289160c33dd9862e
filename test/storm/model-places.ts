/** The real clones of the model storm: prepared once, copied for each sequence, used through library and git. */
import { spawnSync } from "node:child_process"
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { newIdentityLine } from "../../src/crypto/age.js"
import type { Card } from "../../src/format/card.js"
import { createStore, listExposed, openStore, type Store } from "../../src/index.js"
import { parseIdentities } from "../../src/storage/identity-lines.js"
import { installMergeDriver } from "../../src/storage/merge-driver.js"
import type { Kind } from "./arena.js"
import type { Person } from "./model-keyring.js"
import { OWNERS, PEOPLE } from "./model-operations.js"

/** Each step is a minute later. */
export function timeOf(minute: number): Date {
  return new Date(Date.UTC(2026, 0, 1, 0, minute))
}

const PEEK_EVERY = 25

export class RealClone {
  readonly dir: string
  readonly #home: string
  readonly #kind: Kind
  readonly #lines: ReadonlyMap<Person, string>
  minute = 0

  constructor(dir: string, kind: Kind, lines: ReadonlyMap<Person, string>) {
    this.dir = dir
    this.#home = `${dir}-home`
    this.#kind = kind
    this.#lines = lines
    mkdirSync(this.#home, { recursive: true })
  }

  options(by: Person) {
    const date = timeOf(this.minute).toISOString()
    const env = {
      PATH: process.env.PATH ?? "",
      HOME: this.#home,
      XDG_STATE_HOME: join(this.#home, "state"),
      COFFER_IDENTITY: this.#lines.get(by)!,
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_AUTHOR_NAME: by,
      GIT_AUTHOR_EMAIL: `${by}@example.org`,
      GIT_AUTHOR_DATE: date,
      GIT_COMMITTER_NAME: by,
      GIT_COMMITTER_EMAIL: `${by}@example.org`,
      GIT_COMMITTER_DATE: date,
    }
    return { directory: this.dir, env, git: this.#kind }
  }

  open(by: Person): Promise<Store> {
    return openStore(this.options(by))
  }

  /** For looking only. Mostly without a git process: they cost more than all the rest, and either back end reads what the other wrote. */
  peek(by: Person): Promise<Store> {
    const isTurn = this.minute % PEEK_EVERY === 0
    return openStore({ ...this.options(by), git: isTurn ? this.#kind : "embedded" })
  }

  /** @returns git's exit status and what it printed. */
  git(...args: string[]): { status: number | null; out: string } {
    const { env } = this.options(OWNERS[0]!)
    const { status, stdout, stderr } = spawnSync("git", args, { cwd: this.dir, env, encoding: "utf8" })
    return { status, out: `${stdout}${status === 0 ? "" : stderr}` }
  }

  must(...args: string[]): string {
    const { status, out } = this.git(...args)
    if (status !== 0) throw new Error(`git ${args.join(" ")}: ${status} ${out}`)
    return out
  }

  /** The branch's commit; undefined for one that is packed. */
  commit(branch: string): string | undefined {
    const path = join(this.dir, ".git/refs/heads", branch)
    return existsSync(path) ? readFileSync(path, "utf8") : undefined
  }

  useDriver(): void {
    installMergeDriver(join(this.dir, ".git"), ["secrets"], resolve("."))
  }

  /** What lies in memory and is thrown away need not be written durably. */
  hurry(): void {
    this.must("config", "core.fsync", "none")
    this.must("config", "gc.auto", "0")
  }

  /** Ids of a group's records in the work tree. */
  records(group: string): string[] {
    const folder = join(this.dir, "secrets/.coffer/keys", group)
    return readdirSync(folder)
      .filter(file => file.endsWith(".yaml"))
      .map(file => file.slice(0, -".yaml".length))
  }
}

/** A folder with a bare repository and a clone for each owner. The same paths each time: local state names them. */
export class Places {
  readonly #root = mkdtempSync(join(tmpdir(), "coffer-model-"))
  readonly #kind: Kind
  readonly #lines = new Map(PEOPLE.map(name => [name, newIdentityLine()]))
  readonly cards = new Map<Person, Card>()

  constructor(kind: Kind) {
    this.#kind = kind
  }

  /** Makes the bare repository and the founder's clone, with a new store. @returns the store's pin */
  async found(at: Date): Promise<string> {
    for (const [name, line] of this.#lines) {
      const [identity] = await parseIdentities(line, { name })
      this.cards.set(name, identity!.card)
    }
    mkdirSync(this.#live)
    const [ana] = this.clones()
    mkdirSync(ana.dir)
    ana.must("init", "-q", "--template=", "-b", "main")
    ana.must("init", "-q", "--template=", "-b", "main", "--bare", this.#remote)
    ana.must("remote", "add", "origin", this.#remote)
    ana.hurry()
    const [identity] = await parseIdentities(this.#lines.get("ana")!, { name: "ana" })
    const { pin } = await createStore(ana.options("ana"), { identity: identity!, member: "ana", at })
    ;(await ana.open("ana")).updateState({ pin })
    return pin
  }

  /** Makes the other clone, and keeps both: what all sequences start from. */
  async keep(pin: string): Promise<void> {
    const [ana, tom] = this.clones()
    ana.must("push", "-q", "-u", "origin", "main")
    ana.must("clone", "-q", "--template=", this.#remote, tom.dir)
    tom.hurry()
    const store = await tom.open("tom")
    store.updateState({ pin })
    await listExposed(store)
    renameSync(this.#live, join(this.#root, "kept"))
  }

  /** Fresh clones as they were prepared. */
  reset(): [RealClone, RealClone] {
    rmSync(this.#live, { recursive: true, force: true })
    cpSync(join(this.#root, "kept"), this.#live, { recursive: true, preserveTimestamps: true })
    return this.clones()
  }

  clones(): [RealClone, RealClone] {
    const [a, b] = OWNERS.map(name => new RealClone(join(this.#live, name), this.#kind, this.#lines))
    return [a!, b!]
  }

  remove(): void {
    rmSync(this.#root, { recursive: true, force: true })
  }

  get #live(): string {
    return join(this.#root, "live")
  }
  get #remote(): string {
    return join(this.#live, "remote.git")
  }
}
