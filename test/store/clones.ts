/** Clones of one store, with the built coffer and its hooks in place, for tests of what the hooks stop. */
import { spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import * as assert from "uvu/assert"
import { encodeBech32 } from "../../src/encoding/bech32.js"
import { parseSecretName } from "../../src/format/names.js"
import { guardCommit } from "../../src/store/guard.js"
import { setSecret } from "../../src/store/secrets.js"
import { openStore } from "../../src/store/store.js"
import { callCoffer } from "../call.js"

/** Longer than any of these calls takes. */
const HANGING_MS = 60_000
/** The value of secret A. */
export const VALUE = "canary-5ekr1t-value"
export const AGE_KEY = encodeBech32(
  "age-secret-key-",
  Uint8Array.from({ length: 32 }, (_, i) => i),
).toUpperCase()
export const scratch = realpathSync(mkdtempSync(join(tmpdir(), "coffer-guard-")))
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }))

const env: Record<string, string> = {
  PATH: process.env.PATH!,
  HOME: join(scratch, "home"),
  XDG_CONFIG_HOME: join(scratch, "home", "config"),
  XDG_STATE_HOME: join(scratch, "home", "state"),
  GIT_CONFIG_GLOBAL: join(scratch, "gitconfig"),
  GIT_CONFIG_NOSYSTEM: "1",
  LC_ALL: "C",
  ...(process.env.NODE_V8_COVERAGE === undefined ? {} : { NODE_V8_COVERAGE: process.env.NODE_V8_COVERAGE }),
}

export interface Run {
  status: number
  stdout: string
  stderr: string
}

/** A clone with hooks; `run` shows what a command did, `git` and `coffer` expect success. */
export class Clone {
  readonly dir: string
  readonly env: Record<string, string>

  constructor(dir: string, extra: Record<string, string> = {}) {
    this.dir = dir
    this.env = { ...env, ...extra }
  }
  run(program: string, args: readonly string[], input = ""): Run {
    const { status, stdout, stderr } = spawnSync(program, args, {
      cwd: this.dir,
      env: this.env,
      input,
      encoding: "utf8",
    })
    assert.not.match(stderr, VALUE, "no value on stderr")
    return { status: status ?? -1, stdout, stderr }
  }
  git(...args: string[]): string {
    const { status, stdout, stderr } = this.run("git", args)
    if (status !== 0) throw new Error(`git ${args.join(" ")}: ${stderr}`)
    return stdout
  }
  tryGit(...args: string[]): Run {
    return this.run("git", args)
  }
  coffer(args: readonly string[], input = ""): string {
    const { status, stderr, stdout } = callCoffer(
      { argv: args, cwd: this.dir, env: this.env, input },
      HANGING_MS,
    )
    if (status !== 0) throw new Error(`coffer ${args.join(" ")}: ${stderr}`)
    return stdout
  }
  /** Stores a value, without the cost of another process. */
  async set(name: string, value: string): Promise<void> {
    const store = await openStore({ directory: this.dir, env: this.env })
    await setSecret(store, { name: parseSecretName(name), value: Buffer.from(value), at: new Date() })
  }
  write(path: string, content: string | Uint8Array): void {
    mkdirSync(dirname(join(this.dir, path)), { recursive: true })
    writeFileSync(join(this.dir, path), content)
  }
  read(path: string): string {
    return readFileSync(join(this.dir, path), "utf8")
  }
  /** What the pre-commit hook would say of what is staged: `CODE path`, sorted. */
  async staged(): Promise<string[]> {
    const { findings } = await guardCommit({ directory: this.dir, env: this.env })
    return findings
      .map(({ level, code, path }) => `${level === "error" ? "" : `${level} `}${code} ${path}`)
      .sort()
  }
  /** A commit that nothing looks at. */
  sneak(message: string): void {
    this.git("add", "-A")
    this.git("commit", "-q", "--no-verify", "-m", message)
  }
}

export function refusedWith(run: Run, code: string, path: string): void {
  assert.is.not(run.status, 0, "refused")
  assert.match(run.stderr, `(${code}`)
  assert.match(run.stderr, path)
}

const template = join(scratch, "template")
let pin = ""

/** Makes the store that all clones are copies of: call it before the first. */
export function makeTemplate(): void {
  mkdirSync(env.HOME!, { recursive: true })
  mkdirSync(template)
  writeFileSync(
    env.GIT_CONFIG_GLOBAL!,
    "[user]\nname = ana\nemail = ana@example.org\n[init]\ndefaultBranch = main\n[advice]\ndetachedHead = false\n",
  )
  const clone = new Clone(template)
  clone.git("init", "-q", "--template=")
  clone.coffer(["init"])
  clone.coffer(
    ["set", "--batch"],
    `{"name":"A","value":"${VALUE}"}\n{"name":"prod/B","value":"other-5ekr1t"}\n`,
  )
  clone.write("app.js", "one\n\n\n\n\n\ntwo\n")
  clone.write("README", "read me\n")
  clone.git("add", "-A")
  clone.git("commit", "-q", "-m", "app")
  pin = clone.coffer(["trust", "pin"]).trim()
}

let clones = 0
/** A copy with everything in it: hooks, identity, pin. */
export function fresh(extra: Record<string, string> = {}): Clone {
  const dir = join(scratch, `clone-${++clones}`)
  cpSync(template, dir, { recursive: true, verbatimSymlinks: true })
  return new Clone(dir, { COFFER_PIN: pin, ...extra })
}
