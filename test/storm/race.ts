/** Many processes at one repository: every acknowledged write is there, numbers have no gaps, staging is kept. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Random } from "../keyring/histories.js"
import { type Arena, CANARY, ended } from "./arena.js"

export interface RaceResult {
  readonly acknowledged: number
  /** Calls that ended with "try again" (13), by design. */
  readonly refused: number
  readonly failures: readonly string[]
}

interface Counters {
  acknowledged: number
  refused: number
  failures: string[]
}

async function call(arena: Arena, counters: Counters, args: readonly string[], input = ""): Promise<boolean> {
  const { status, stderr } = await ended(arena.start(args, input))
  if (status === 0) counters.acknowledged++
  else if (status === 13) counters.refused++
  else counters.failures.push(`coffer ${args.join(" ")}: ${status} ${stderr}`)
  return status === 0
}

function newCounters(): Counters {
  return { acknowledged: 0, refused: 0, failures: [] }
}

const times = (count: number) => Array.from({ length: count }, (_, index) => index)

/** Distinct names: every acknowledged one is there. */
export async function raceNames(arena: Arena, processes: number, writes: number): Promise<RaceResult> {
  const counters = newCounters()
  const written: string[] = []
  await Promise.all(
    times(processes).map(async process => {
      for (const write of times(writes)) {
        const name = `race/p${process}/n${write}`
        if (await call(arena, counters, ["set", name], `${CANARY} ${name}`)) written.push(name)
      }
    }),
  )
  const names = new Set(arena.must("list").stdout.split("\n"))
  for (const name of written)
    if (!names.has(name)) counters.failures.push(`${name} was acknowledged and is not there`)
  return counters
}

/** The longest that a process waits for each time in a row that another one was faster. */
const BACK_OFF_MS = 100

/** One name with --cas: versions without a gap, one for each acknowledged write. */
export async function raceCas(
  arena: Arena,
  processes: number,
  writes: number,
  random: Random,
): Promise<RaceResult> {
  const counters = newCounters()
  arena.must({ input: `${CANARY} start` }, "set", "one")
  const current = () => JSON.parse(arena.must("get", "one", "--json").stdout).version as number
  await Promise.all(
    times(processes).map(async process => {
      for (const write of times(writes)) {
        for (let losses = 0; ; losses++) {
          const args = ["set", "one", "--cas", String(current())]
          if (await call(arena, counters, args, `${CANARY} ${process} ${write}`)) break
          if (counters.failures.length > 0) return
          await new Promise(next => setTimeout(next, random() * BACK_OFF_MS * losses))
        }
      }
    }),
  )
  const wanted = 1 + processes * writes
  if (current() !== wanted) counters.failures.push(`the version is ${current()}, not ${wanted}`)
  const { versions } = JSON.parse(arena.must("versions", "one", "--json").stdout) as {
    versions: { version: number }[]
  }
  const numbers = versions.map(({ version }) => version).join()
  if (
    numbers !==
    times(wanted)
      .map(index => wanted - index)
      .join()
  )
    counters.failures.push(`versions: ${numbers}`)
  return counters
}

/** Rotations during writes: no file is left under a key that nobody has. */
export async function raceRotate(arena: Arena, processes: number, writes: number): Promise<RaceResult> {
  const counters = newCounters()
  await Promise.all([
    raceNames(arena, processes, writes).then(({ acknowledged, refused, failures }) => {
      counters.acknowledged += acknowledged
      counters.refused += refused
      counters.failures.push(...failures)
    }),
    ...times(2).map(async () => {
      for (const _ of times(Math.ceil(writes / 2))) await call(arena, counters, ["rotate"])
    }),
  ])
  return counters
}

/** A user who stages and commits meanwhile: both get through, and what he had staged stays staged. */
export async function raceUser(arena: Arena, writes: number): Promise<RaceResult> {
  const counters = newCounters()
  let running = true
  let commits = 0
  const user = (async () => {
    for (let round = 0; running; round++) {
      writeFileSync(join(arena.repository, "users.txt"), `round ${round}\n`)
      const added = arena.tryGit("add", "users.txt").status === 0
      if (added && arena.tryGit("commit", "-q", "-m", `user ${round}`, "--", "users.txt").status === 0)
        commits++
      await new Promise(next => setTimeout(next, 5))
    }
  })()
  for (const write of times(writes))
    await call(arena, counters, ["set", `user/n${write}`], `${CANARY} ${write}`)
  running = false
  await user
  const log = arena.git("log", "--format=%s", "--", "users.txt").split("\n").filter(Boolean)
  if (log.length !== commits)
    counters.failures.push(`${commits} commits of the user, ${log.length} in history`)
  return counters
}

/** What holds after every race. */
export function inspectRace(arena: Arena, staged: string): string[] {
  const failures: string[] = []
  const check = arena.run({}, "check")
  if (check.status !== 0) failures.push(`check: ${check.stdout}${check.stderr}`)
  const fsck = arena.tryGit("fsck", "--strict", "--no-dangling")
  if (fsck.status !== 0) failures.push(`fsck: ${fsck.stderr}`)
  const now = arena.git("diff", "--cached", "--name-only")
  if (now !== staged) failures.push(`staged before: ${staged}; after: ${now}`)
  return failures
}
