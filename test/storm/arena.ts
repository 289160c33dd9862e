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

export type Kind = "system" | "embedded"
export const KINDS: readonly Kind[] = ["system", "embedded"]

export interface Outcome {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Part of every value: it may stand nowhere on disk but in sealed files. */
export const CANARY = "canary-7f3a"

export class Arena {
  readonly root: string
  readonly repository: string
  readonly kind: Kind

  /** @param parent - the folder that all of it lies in. */
  constructor(kind: Kind, parent = tmpdir()) {
    this.kind = kind
    this.root = mkdtempSync(join(parent, "coffer-storm-"))
    this.repository = join(this.root, "repository")
  }

  /** Home, temporary files and state are the arena's own, so that all of them can be searched and put back. */
  env(): Record<string, string> {
    const home = join(this.root, "home")
    mkdirSync(join(this.root, "tmp"), { recursive: true })
    return {
      PATH: process.env.PATH ?? "",
      HOME: home,
      TMPDIR: join(this.root, "tmp"),
      XDG_CONFIG_HOME: join(home, "config"),
      XDG_STATE_HOME: join(home, "state"),
      COFFER_GIT: this.kind,
      GIT_CONFIG_NOSYSTEM: "1",
      // A "git status" of the storm's own is not to write the index.
      GIT_OPTIONAL_LOCKS: "0",
      GIT_AUTHOR_NAME: "ana",
      GIT_AUTHOR_EMAIL: "ana@example.com",
      GIT_COMMITTER_NAME: "ana",
      GIT_COMMITTER_EMAIL: "ana@example.com",
    }
  }

  /** A store with `secrets` values, two members, and a file of the user's staged and another edited. */
  fill(secrets: number): void {
    execFileSync("git", ["init", "-q", "-b", "main", this.repository], { env: this.env() })
    this.must("init", "--name", "ana", "--no-hooks")
    const lines = Array.from({ length: secrets }, (_, index) =>
      JSON.stringify({ name: `S${index}`, value: `${CANARY} first ${index}` }),
    )
    this.must({ input: lines.join("\n") }, "set", "--batch")
    const { stdout } = this.must("identity", "new", "-o", "-")
    writeFileSync(join(this.root, "tom.txt"), stdout)
    const card = this.run({}, "-i", join(this.root, "tom.txt"), "identity", "show").stdout.trim()
    this.must("recipients", "add", "tom", card)
    writeFileSync(join(this.repository, "staged.txt"), "staged\n")
    writeFileSync(join(this.repository, "edited.txt"), "before\n")
    this.git("add", "-A")
    this.git("commit", "-q", "-m", "user's files")
    writeFileSync(join(this.repository, "staged.txt"), "staged again\n")
    this.git("add", "staged.txt")
    writeFileSync(join(this.repository, "edited.txt"), "after\n")
  }

  /** Keeps the state as it is now; {@link reset} returns to it. */
  keep(): void {
    rmSync(join(this.root, "kept"), { recursive: true, force: true })
    mkdirSync(join(this.root, "kept"))
    for (const part of ["repository", "home"])
      cpSync(join(this.root, part), join(this.root, "kept", part), KEEP)
  }

  reset(): void {
    for (const part of ["repository", "home", "tmp"])
      rmSync(join(this.root, part), { recursive: true, force: true })
    for (const part of ["repository", "home"])
      cpSync(join(this.root, "kept", part), join(this.root, part), KEEP)
  }

  run(call: { input?: string }, ...args: string[]): Outcome {
    const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], {
      cwd: this.repository,
      env: this.env(),
      input: call.input ?? "",
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
      stdio: ["pipe", "ignore", "pipe"],
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

const PROGRAM = resolve("bin/coffer.js")
const KEEP = { recursive: true, preserveTimestamps: true, verbatimSymlinks: true } as const

function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map(path => join(folder, path))
    .filter(path => statSync(path, { throwIfNoEntry: false })?.isFile() === true)
}

/** Waits for a started program. */
export function ended(child: ChildProcess): Promise<{ status: number | null; stderr: string }> {
  let stderr = ""
  child.stderr?.on("data", chunk => (stderr += chunk))
  return new Promise(done => child.on("close", status => done({ status, stderr })))
}
