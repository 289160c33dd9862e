/** Hooks of git that fail, or that never end until somebody presses ^C. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { type Arena, CANARY, ended, HANGING_MS, withArena } from "./arena.js"
import { attempt, newPart, type PartOptions, type PartTally, settle } from "./surroundings.js"

const HOOKS = ["prepare-commit-msg", "commit-msg", "reference-transaction"]
const SECRETS = 3

export async function badHooks(options: PartOptions): Promise<PartTally> {
  const tally = newPart()
  await withArena(options.kind, SECRETS, async arena => {
    for (const hook of HOOKS) {
      arena.reset()
      writeHook(arena, hook, "echo no >&2; exit 1")
      if (attempt(arena, tally, `${hook} fails`, ["set", "S0"], { input: `${CANARY} x` }).status !== 14)
        tally.failures.push(`${hook} fails, and the write does not`)
      removeHook(arena, hook)
      settle(arena, tally, `${hook} fails`)
      // Without git's own program nothing runs hooks: it refuses by name.
      if (options.kind === "embedded") continue
      for (const withChildren of options.rounds === 1 ? [true] : [true, false])
        await interrupt(arena, hook, withChildren, tally)
    }
  })
  return tally
}

function writeHook(arena: Arena, hook: string, script: string): void {
  const folder = join(arena.repository, ".git/hooks")
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, hook), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
}

function removeHook(arena: Arena, hook: string): void {
  rmSync(join(arena.repository, ".git/hooks", hook))
}

/** ^C reaches all of a terminal's foreground group; a `kill -INT` only coffer. */
async function interrupt(arena: Arena, hook: string, withChildren: boolean, tally: PartTally): Promise<void> {
  const where = `${hook} hangs, ^C to ${withChildren ? "all" : "coffer"}`
  arena.reset()
  const before = arena.git("rev-parse", "HEAD")
  const started = join(arena.root, "tmp", "started")
  writeHook(arena, hook, `: > '${started}'; exec sleep 600`)
  const child = arena.start(["set", "S0"], `${CANARY} x`)
  const end = ended(child)
  tally.tried++
  for (let waited = 0; !existsSync(started) && waited < HANGING_MS; waited += 20) await sleep(20)
  process.kill(withChildren ? -child.pid! : child.pid!, "SIGINT")
  const outcome = await Promise.race([end, sleep(10_000).then(() => undefined)])
  if (outcome === undefined) tally.failures.push(`${where}: it goes on`)
  // A shell says 130 for both.
  else if (outcome.signal !== "SIGINT" && outcome.status !== 130)
    tally.failures.push(`${where}: status ${outcome.status}, signal ${outcome.signal}: ${outcome.stderr}`)
  else tally.refused++
  if (arena.git("rev-parse", "HEAD") !== before) tally.failures.push(`${where}: HEAD moved`)
  removeHook(arena, hook)
  settle(arena, tally, where)
  try {
    process.kill(-child.pid!, "SIGKILL")
  } catch {
    // All of it has ended.
  }
}
