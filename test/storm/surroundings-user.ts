/** Missing rights, clocks that jump, homes that are not there, and a credential helper that never answers. */
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pick } from "../keyring/histories.js"
import { type Arena, CANARY, withArena } from "./arena.js"
import {
  attempt,
  attemptToo,
  attemptWrite,
  newPart,
  type PartOptions,
  type PartTally,
  settle,
} from "./surroundings.js"

const SECRETS = 3
const NOBODY = 65534

/** What is taken away, and from which mode it is to stay. */
const RIGHTS: readonly (readonly [string, number])[] = [
  ["repository/secrets", 0o555],
  ["repository/secrets", 0],
  ["repository/secrets/S0.yaml", 0],
  ["repository/secrets/.coffer/keys/default", 0],
  ["repository/secrets/.coffer/store.yaml", 0],
  ["repository/.git", 0o555],
  ["repository/.git", 0],
  ["repository/.git/coffer", 0o555],
  ["repository/.git/coffer", 0],
  ["repository/.git/coffer/seen", 0],
  ["repository/.git/objects", 0o555],
  ["repository/.git/refs/heads", 0o555],
  ["repository/.git/logs/HEAD", 0o444],
  ["repository/.git/index", 0],
  ["repository/.git/HEAD", 0],
  ["home", 0],
  ["home/state", 0o555],
  ["home/state", 0],
  ["home/config/coffer/identity.txt", 0],
  ["tmp", 0o555],
]

/** Nothing holds root back, so root becomes somebody else for it. */
export async function noPermission(options: PartOptions): Promise<PartTally> {
  const tally = newPart()
  const parent = mkdtempSync(join(tmpdir(), "coffer-nobody-"))
  const isRoot = process.geteuid?.() === 0
  if (isRoot) {
    chownSync(parent, NOBODY, NOBODY)
    process.setegid?.(NOBODY)
    process.seteuid?.(NOBODY)
  }
  try {
    await withArena(options.kind, SECRETS, arena => takeRights(arena, options, tally), parent)
  } finally {
    if (isRoot) {
      process.seteuid?.(0)
      process.setegid?.(0)
    }
    rmdirSync(parent)
  }
  return tally
}

function takeRights(arena: Arena, { rounds, random }: PartOptions, tally: PartTally): void {
  const all = rounds === 1 ? [pick(random, RIGHTS), pick(random, RIGHTS)] : RIGHTS
  for (const [path, mode] of all) {
    const where = `${path} ${mode.toString(8)}`
    const absolute = join(arena.root, path)
    const { mode: before } = statSync(absolute)
    chmodSync(absolute, mode)
    const got = attempt(arena, tally, where, ["get", "S0"])
    if (got.status === 0 && JSON.parse(got.stdout).value !== `${CANARY} first 0`)
      tally.failures.push(`${where}: get says ${got.stdout}`)
    const wrote = attempt(arena, tally, where, ["set", "S0"], { input: `${CANARY} second` })
    chmodSync(absolute, before & 0o7777)
    const { version } = JSON.parse(arena.must("get", "S0", "--json").stdout)
    if (version !== (wrote.status === 0 ? 2 : 1))
      tally.failures.push(`${where}: set ended with ${wrote.status}, and the version is ${version}`)
    settle(arena, tally, where)
    arena.reset()
  }
}

/** The clock of each call is the real one and so many seconds, in turn for each time it is asked. */
const CLOCK = `const now=Date.now,far=process.env.STORM_CLOCK.split(",").map(Number);let asked=0
const next=()=>now()+1000*far[asked++%far.length]
globalThis.Date=class extends Date{constructor(...a){a.length?super(...a):super(next())}static now(){return next()}}`
const YEAR = 365 * 24 * 3600

export async function jumpingClock(options: PartOptions): Promise<PartTally> {
  const tally = newPart()
  const { random, rounds } = options
  await withArena(options.kind, SECRETS, arena => {
    const calls = [["set", "S0"], ["set", "S1"], ["delete", "S1"], ["rotate"], ["set", "--batch"]]
    for (let round = 0; round < rounds * 4; round++) {
      const far = () => Math.floor((random() - 0.5) * 2 * pick(random, [2, 3600, YEAR, 20 * YEAR]))
      const clock = `${far()},${random() < 0.5 ? far() : ""}`.replace(/,$/, "")
      const args = pick(random, calls)
      const input =
        args[1] === "--batch"
          ? JSON.stringify({ name: "S2", value: `${CANARY} ${round}` })
          : `${CANARY} ${round}`
      const env = {
        NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(CLOCK)}`,
        STORM_CLOCK: clock,
      }
      attempt(arena, tally, `clock ${clock}`, args, { input, env })
    }
    const { versions } = JSON.parse(arena.must("versions", "S0", "--json").stdout) as {
      versions: { created: string }[]
    }
    const times = versions.map(({ created }) => created)
    if (String(times) !== String([...times].sort().reverse()))
      tally.failures.push(`created: ${times.join(" ")}`)
    settle(arena, tally, "clock")
  })
  return tally
}

export async function noHome(options: PartOptions): Promise<PartTally> {
  const tally = newPart()
  await withArena(options.kind, SECRETS, arena => {
    const identity = readFileSync(join(arena.root, "home/config/coffer/identity.txt"), "utf8")
    const pin = arena.must("trust", "pin").stdout.trim()
    const absent = join(arena.root, "absent")
    const none = { HOME: undefined, XDG_CONFIG_HOME: undefined, XDG_STATE_HOME: undefined }
    const homes: readonly Readonly<Record<string, string | undefined>>[] = [
      { HOME: undefined },
      none,
      { XDG_CONFIG_HOME: undefined, XDG_STATE_HOME: undefined },
      { ...none, HOME: "" },
      { ...none, HOME: absent },
      { ...none, HOME: "/dev/null" },
      { ...none, HOME: "relative" },
      { TMPDIR: absent },
      { TMPDIR: undefined },
    ]
    for (const home of options.rounds === 1 ? [pick(options.random, homes)] : homes) {
      const where = Object.entries(home)
        .map(([name, path]) => `${name}=${path}`)
        .join(" ")
      const env = { ...home, COFFER_IDENTITY: identity, COFFER_PIN: pin }
      for (const args of [["get", "S0"], ["check"], ["list"]]) attemptToo(arena, tally, where, args, { env })
      attemptWrite(arena, tally, where, ["set", "S0"], { env, input: `${CANARY} ${where}` })
      attempt(arena, tally, where, ["get", "S0"], { env: home })
      attemptWrite(arena, tally, where, ["set", "S1"], { env: home, input: `${CANARY} ${where}` })
    }
    settle(arena, tally, "home")
  })
  return tally
}

/** Asked for a password it would wait for ever, and note that it was asked. */
export async function hungHelper(options: PartOptions): Promise<PartTally> {
  const tally = newPart()
  await withArena(options.kind, SECRETS, arena => {
    const asked = join(arena.root, "asked")
    const helper = join(arena.root, "helper")
    writeFileSync(helper, `#!/bin/sh\necho "$@" >> '${asked}'\nexec sleep 600\n`, { mode: 0o755 })
    arena.git("config", "credential.helper", helper)
    arena.git("config", "core.askPass", helper)
    arena.git("remote", "add", "origin", "https://127.0.0.1:9/none")
    arena.git("update-ref", "refs/remotes/origin/main", "HEAD")
    arena.git("branch", "-q", "--set-upstream-to=origin/main")
    const env = { GIT_ASKPASS: helper, SSH_ASKPASS: helper }
    const calls = [
      "get S0",
      "list",
      "check",
      "check --since HEAD~1",
      "check --range HEAD~1..HEAD",
      "versions S0",
    ]
    calls.push(
      "status",
      "keys",
      "trust show",
      "hooks status",
      "set S0",
      "delete S1",
      "rotate",
      "resolve",
      "get S0@1",
    )
    for (const call of options.rounds === 1 ? calls.slice(-4) : calls)
      attemptToo(arena, tally, "hung helper", call.split(" "), { env, input: `${CANARY} helped` })
    if (existsSync(asked)) tally.failures.push(`the helper was asked: ${readFileSync(asked, "utf8")}`)
    settle(arena, tally, "hung helper")
  })
  return tally
}
