/** A repository with a store, a user's own work in it, and coffer run there as a program: what storms act on. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { callCoffer, needsProcess, type Outcome } from "../call.js"

export type Kind = "system" | "embedded"
export const KINDS: readonly Kind[] = ["system", "embedded"]

/** What a call gets besides its arguments. */
export interface Call {
  readonly input?: string
  /** Added to the arena's own; undefined takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** A process of its own, where it matters what a process is given; otherwise a thread will do. */
  readonly alone?: boolean
}

/** Part of every value: it may stand nowhere on disk but in sealed files. */
export const CANARY = "canary-7f3a"

/** Whose clone an arena is about, where it is not ana's. */
interface Place {
  readonly root: string
  readonly person: string
}

export class Arena {
  readonly root: string
  readonly repository: string
  readonly person: string
  readonly kind: Kind
  readonly #home: string

  /** @param place - the folder that all of it lies in, or whose clone it is. */
  constructor(kind: Kind, place: string | Place = tmpdir()) {
    const isClone = typeof place !== "string"
    this.kind = kind
    this.root = isClone ? place.root : mkdtempSync(join(place, "coffer-storm-"))
    this.person = isClone ? place.person : "ana"
    this.repository = join(this.root, isClone ? place.person : "repository")
    this.#home = join(this.root, isClone ? `home-${place.person}` : "home")
  }

  /** Makes the bare repository that clones push to and pull from. */
  share(): void {
    const remote = join(this.root, "remote.git")
    execFileSync("git", ["clone", "-q", "--bare", this.repository, remote], { env: this.env() })
    this.git("remote", "add", "origin", remote)
    this.git("fetch", "-q")
    this.git("branch", "-q", "-u", "origin/main")
  }

  /** Somebody's own clone of what is shared, with a home and an identity of his, in the same arena. */
  clone(person: string, ...options: string[]): Arena {
    const other = new Arena(this.kind, { root: this.root, person })
    const remote = `file://${join(this.root, "remote.git")}`
    execFileSync("git", ["clone", "-q", ...options, remote, other.repository], { env: other.env() })
    return other
  }

  /** Home, temporary files and state are the arena's own, so that all of them can be searched and put back. */
  env(): Record<string, string> {
    const home = this.#home
    if (!existsSync(join(this.root, "tmp"))) mkdirSync(join(this.root, "tmp"))
    return {
      PATH: process.env.PATH ?? "",
      HOME: home,
      TMPDIR: join(this.root, "tmp"),
      XDG_CONFIG_HOME: join(home, "config"),
      XDG_STATE_HOME: join(home, "state"),
      COFFER_GIT: this.kind,
      LC_ALL: "C",
      GIT_CONFIG_NOSYSTEM: "1",
      // A "git status" of the storm's own is not to write the index.
      GIT_OPTIONAL_LOCKS: "0",
      GIT_AUTHOR_NAME: this.person,
      GIT_AUTHOR_EMAIL: `${this.person}@example.com`,
      GIT_COMMITTER_NAME: this.person,
      GIT_COMMITTER_EMAIL: `${this.person}@example.com`,
    }
  }

  /** A repository with an empty store and coffer's hooks. */
  create(...options: string[]): void {
    execFileSync("git", ["init", "-q", "-b", "main", this.repository], { env: this.env() })
    this.must("init", "--name", this.person, ...options)
  }

  /** What a clone needs besides an identity. */
  join(pin: string): void {
    const { status, stderr } = this.run({ env: { COFFER_PIN: pin } }, "init")
    if (status !== 0) throw new Error(`coffer init: ${status} ${stderr}`)
  }

  /** A card of somebody who has no clone; his identity file is `NAME.txt` in the arena. */
  newCard(name: string): string {
    const file = join(this.root, `${name}.txt`)
    writeFileSync(file, this.must("identity", "new", "-o", "-").stdout)
    return this.must("-i", file, "identity", "show").stdout.trim()
  }

  /** A store with `secrets` values, two members, and a file of the user's staged and another edited. */
  fill(secrets: number): void {
    this.create("--no-hooks")
    const lines = Array.from({ length: secrets }, (_, index) =>
      JSON.stringify({ name: `S${index}`, value: `${CANARY} first ${index}` }),
    )
    this.must({ input: lines.join("\n") }, "set", "--batch")
    this.must("recipients", "add", "tom", this.newCard("tom"))
    writeFileSync(join(this.repository, "staged.txt"), "staged\n")
    writeFileSync(join(this.repository, "edited.txt"), "before\n")
    this.git("add", "-A")
    this.git("commit", "-q", "-m", "user's files")
    writeFileSync(join(this.repository, "staged.txt"), "staged again\n")
    this.git("add", "staged.txt")
    writeFileSync(join(this.repository, "edited.txt"), "after\n")
  }

  /** Keeps the state as it is now, of all clones; {@link reset} returns to it. */
  keep(as = "state"): void {
    const kept = join(this.root, "kept", as)
    rmSync(kept, { recursive: true, force: true })
    mkdirSync(kept, { recursive: true })
    for (const part of this.#parts()) cpSync(join(this.root, part), join(kept, part), KEEP)
  }

  reset(as = "state"): void {
    const kept = join(this.root, "kept", as)
    for (const part of this.#parts()) rmSync(join(this.root, part), { recursive: true, force: true })
    rmSync(join(this.root, "tmp"), { recursive: true, force: true })
    mkdirSync(join(this.root, "tmp"))
    for (const part of readdirSync(kept)) cpSync(join(kept, part), join(this.root, part), KEEP)
  }

  #parts(): string[] {
    return readdirSync(this.root).filter(part => part !== "kept" && part !== "tmp")
  }

  /** A call that hangs is ended, and its status is null. */
  run({ input = "", env, alone = false }: Call, ...args: string[]): Outcome {
    const given = { cwd: this.repository, env: { ...this.env(), ...env }, input }
    if (!alone && !needsProcess(args)) return callCoffer({ argv: args, ...given }, HANGING_MS)
    const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
      ...given,
      timeout: HANGING_MS,
      killSignal: "SIGKILL",
      encoding: "utf8",
      maxBuffer: 1 << 26,
    })
    return { status, stdout, stderr }
  }

  must(...words: (string | { input: string })[]): Outcome {
    const args = words.filter(word => typeof word === "string")
    const call = words.find(word => typeof word !== "string") ?? {}
    const outcome = this.run(call, ...args)
    if (outcome.status !== 0) throw new Error(`coffer ${args.join(" ")}: ${outcome.status} ${outcome.stderr}`)
    return outcome
  }

  /** Starts coffer in a process group of its own, so that all of it can be killed in one moment. */
  start(args: readonly string[], input = "", more: Record<string, string> = {}): ChildProcess {
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      cwd: this.repository,
      env: { ...this.env(), ...more },
      detached: true,
      stdio: ["pipe", "pipe", "pipe"],
    })
    child.stdin?.on("error", () => {})
    child.stdin?.end(input)
    return child
  }

  git(...args: string[]): string {
    return execFileSync("git", args, {
      cwd: this.repository,
      env: this.env(),
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    }).trim()
  }

  /** Like {@link git}, for what may fail. */
  tryGit(...args: string[]): Outcome {
    const { status, stdout, stderr } = spawnSync("git", args, {
      cwd: this.repository,
      env: this.env(),
      encoding: "utf8",
    })
    return { status, stdout, stderr }
  }

  /**
   * What repository and home hold, as one hash for the objects and one for all the rest: two states with the same
   * are the same to every later command.
   */
  fingerprint(): { objects: string; rest: string } {
    const objects = createHash("sha256")
    const rest = createHash("sha256")
    for (const folder of ["repository", "home", "tmp"]) {
      for (const path of filesBelow(join(this.root, folder)).sort()) {
        const hash = path.includes("/.git/objects/") ? objects : rest
        hash.update(`${path}\0`).update(readFileSync(path)).update("\0")
      }
    }
    return { objects: objects.digest("hex"), rest: rest.digest("hex") }
  }

  /** Files that hold a value in plain text, anywhere that coffer or git can have written. */
  plaintext(): string[] {
    return filesBelow(this.root)
      .filter(path => !path.startsWith(join(this.root, "kept")))
      .filter(path => readFileSync(path).includes(CANARY))
  }

  /** As git advises after a crash. */
  removeLocks(): string[] {
    const locks = filesBelow(join(this.repository, ".git")).filter(path => path.endsWith(".lock"))
    for (const lock of locks) rmSync(lock, { force: true })
    return locks
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true })
  }
}

/** Longer than every wait for a lock that coffer has. */
export const HANGING_MS = 90_000

/** A filled arena in its kept state, removed however the use of it ends. @param place - the folder it lies in. */
export async function withArena<T>(
  kind: Kind,
  secrets: number,
  use: (arena: Arena) => T | Promise<T>,
  place?: string,
): Promise<T> {
  const arena = new Arena(kind, place)
  try {
    arena.fill(secrets)
    arena.keep()
    arena.reset()
    return await use(arena)
  } finally {
    arena.remove()
  }
}

const PROGRAM = resolve("bin/coffer.js")
const KEEP = { recursive: true, preserveTimestamps: true, verbatimSymlinks: true } as const

function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map(path => join(folder, path))
    .filter(path => statSync(path, { throwIfNoEntry: false })?.isFile() === true)
}

/** Waits for a started program. */
export function ended(
  child: ChildProcess,
): Promise<{ status: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string }> {
  let stdout = ""
  let stderr = ""
  child.stdout?.on("data", chunk => (stdout += chunk))
  child.stderr?.on("data", chunk => (stderr += chunk))
  return new Promise(done => child.on("close", (status, signal) => done({ status, signal, stdout, stderr })))
}
