/** A git repository with a store, and clones of it, each on a machine of its own. */
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { parseSecretName, pathOf } from "../../src/format/names.js"
import { createStore, ensureIdentity } from "../../src/store/init.js"
import { deleteSecrets, getSecret, setSecret } from "../../src/store/secrets.js"
import { type OpenOptions, openStore, type Store } from "../../src/store/store.js"

export { codeOf } from "../code-of.js"

/** One person's clone. Everything of theirs outside the repository is below `home`. */
export interface Machine {
  readonly repo: string
  readonly home: string
  /** What coffer noted since it was last emptied. */
  readonly notes: string[]
  readonly env: Record<string, string>
  git(...args: string[]): string
  store(options?: Partial<OpenOptions>): Promise<Store>
  set(name: string, value: string): Promise<number>
  get(name: string): Promise<string>
  remove(name: string): Promise<void>
  write(path: string, content: string | Uint8Array): void
  /** Path of a secret's file in the repository. */
  path(name: string): string
}

export interface Sandbox {
  readonly root: string
  /** The founder's clone, pinned. */
  readonly ana: Machine
  /** Another clone with the same identity, on another machine: pinned where `pinned` is given. */
  clone(name: string, options?: { pinned?: boolean; args?: readonly string[] }): Promise<Machine>
  /** Shares a bare repository: `ana` pushes to it, clones come from it. */
  readonly remote: string
  pin: string
  remove(): void
}

/** Each call is a minute later. */
let minutes = 0
export function nextTime(): Date {
  return new Date(Date.UTC(2026, 0, 1, 0, minutes++))
}

export async function makeSandbox(): Promise<Sandbox> {
  const root = mkdtempSync(join(tmpdir(), "coffer-store-"))
  const remote = join(root, "remote.git")
  const ana = makeMachine(root, "ana")
  git(ana, root, "init", "-q", "--bare", "-b", "main", remote)
  mkdirSync(ana.repo, { recursive: true })
  ana.git("init", "-q", "-b", "main")
  ana.git("remote", "add", "origin", remote)
  ana.write("README", "sandbox\n")
  ana.git("add", "README")
  ana.git("commit", "-qm", "start")
  const options = { directory: ana.repo, env: ana.env }
  const { identity } = await ensureIdentity(options)
  const { pin } = await createStore(options, { identity, member: "ana", at: nextTime() })
  ;(await ana.store()).updateState({ pin })
  ana.git("push", "-qu", "origin", "main")
  return {
    root,
    ana,
    remote,
    pin,
    async clone(name, { pinned = true, args = [] } = {}) {
      const machine = makeMachine(root, name)
      git(machine, root, "clone", "-q", ...args, `file://${remote}`, machine.repo)
      const keys = join("config", "coffer", "identity.txt")
      mkdirSync(dirname(join(machine.home, keys)), { recursive: true, mode: 0o700 })
      execFileSync("cp", ["-p", join(ana.home, keys), join(machine.home, keys)])
      if (pinned) (await machine.store()).updateState({ pin })
      return machine
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  }
}

function makeMachine(root: string, name: string): Machine {
  const home = join(root, `${name}-home`)
  const repo = join(root, name)
  mkdirSync(home)
  const notes: string[] = []
  const env = {
    PATH: process.env.PATH ?? "",
    HOME: home,
    XDG_CONFIG_HOME: join(home, "config"),
    XDG_STATE_HOME: join(home, "state"),
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: name,
    GIT_AUTHOR_EMAIL: `${name}@example.org`,
    GIT_COMMITTER_NAME: name,
    GIT_COMMITTER_EMAIL: `${name}@example.org`,
  }
  const machine: Machine = {
    repo,
    home,
    notes,
    env,
    git: (...args) => git(machine, repo, ...args),
    store: options => openStore({ directory: repo, env, note: line => notes.push(line), ...options }),
    async set(name, value) {
      const request = { name: parseSecretName(name), value: Buffer.from(value), at: nextTime() }
      return (await setSecret(await machine.store(), request)).version
    },
    async get(name) {
      const { value } = await getSecret(await machine.store(), { name: parseSecretName(name) })
      return Buffer.from(value).toString()
    },
    async remove(name) {
      const deletions = [{ name: parseSecretName(name) }]
      await deleteSecrets(await machine.store(), { deletions, at: nextTime() })
    },
    write(path, content) {
      mkdirSync(dirname(join(repo, path)), { recursive: true })
      writeFileSync(join(repo, path), content)
    },
    path: name => `secrets/${pathOf(parseSecretName(name))}`,
  }
  return machine
}

function git({ env }: Machine, cwd: string, ...args: string[]): string {
  return execFileSync("git", args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim()
}
