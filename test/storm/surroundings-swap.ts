/** Store files and coffer's own are swapped for links and pipes between a look at them and their use. */
import { execFileSync } from "node:child_process"
import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { join } from "node:path"
import { pick, type Random } from "../keyring/histories.js"
import { type Arena, CANARY, ended, withArena } from "./arena.js"
import { judgeEnd, runFaulted, stepsOf } from "./faults.js"
import { newPart, type PartOptions, type PartTally } from "./surroundings.js"

const SECRETS = 3
const OUTSIDE = "outside-91c4"

const FILES = [
  "secrets/S0.yaml",
  "secrets/.coffer/store.yaml",
  "secrets/.coffer/keys/default/1",
  ".git/coffer/seen",
  ".git/coffer/journal",
  ".git/coffer/lock",
]
const FOLDERS = ["secrets/.coffer/keys/default", "secrets/.coffer/keys", "secrets/.coffer", ".git/coffer"]
const CALLS = [
  { name: "get", args: ["get", "S0"] },
  { name: "check", args: ["check"] },
  { name: "export", args: ["export", "-p", "."] },
  { name: "set", args: ["set", "S0"], input: `${CANARY} second` },
  { name: "rotate", args: ["rotate"] },
]
type Call = (typeof CALLS)[number]

/** Each step that touches a target, with the bait put there just before it, and then baits that come and go freely. */
export async function swaps(options: PartOptions): Promise<PartTally> {
  const tally = newPart()
  await withArena(options.kind, SECRETS, async arena => {
    const steps = new Map<Call, readonly string[]>()
    for (const call of CALLS) steps.set(call, await stepsOf(arena, call))
    for (let round = 0; round < options.rounds * 6; round++) {
      const call = pick(options.random, CALLS)
      await swapAtStep(arena, call, steps.get(call)!, options.random, tally)
    }
    await swapFreely(arena, options.rounds * 100, options.random, tally)
  })
  return tally
}

/** What lies outside, and the bait that leads there: a link, or a pipe that nobody writes to. */
function setBait(arena: Arena, target: string, isPipe: boolean): string {
  const outside = join(arena.root, "outside")
  const bait = join(arena.root, "bait")
  for (const path of [outside, bait, join(arena.root, "aside")])
    rmSync(path, { recursive: true, force: true })
  mkdirSync(outside)
  writeFileSync(join(outside, "file"), `${OUTSIDE}\n`)
  if (isPipe) execFileSync("mkfifo", [bait])
  else if (FOLDERS.includes(target)) {
    const folder = join(outside, "folder")
    cpSync(join(arena.repository, target), folder, { recursive: true })
    for (const path of filesOf(folder)) writeFileSync(path, `${OUTSIDE}\n`)
    symlinkSync(folder, bait)
  } else symlinkSync(join(outside, "file"), bait)
  return bait
}

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
}

/** Names and content of all that lies outside. */
function contentOf(folder: string): string {
  return filesOf(folder)
    .sort()
    .map(path => `${path} ${readFileSync(path, "latin1")}`)
    .join("\n")
}

function draw(arena: Arena, random: Random): { target: string; isPipe: boolean } {
  const drawn = pick(random, [...FILES, ...FOLDERS])
  const isRecord = drawn.endsWith("default/1")
  const record = `secrets/.coffer/keys/default/${readdirSync(join(arena.repository, "secrets/.coffer/keys/default"))[0]}`
  return { target: isRecord ? record : drawn, isPipe: random() < 0.4 }
}

async function swapAtStep(
  arena: Arena,
  call: Call,
  steps: readonly string[],
  random: Random,
  tally: PartTally,
): Promise<void> {
  const { target, isPipe } = draw(arena, random)
  const touching = steps.map((what, index) => (what.includes(`/${target}`) ? index + 1 : 0)).filter(Boolean)
  const step = touching.length > 0 ? pick(random, touching) : 1 + Math.floor(random() * steps.length)
  const bait = setBait(arena, target, isPipe)
  const before = contentOf(join(arena.root, "outside"))
  const back = random() < 0.5 ? step + 1 + Math.floor(random() * 3) : 0
  const aside = join(arena.root, "aside")
  const fault = { kind: "swap", step, back, bait, aside, target: join(arena.repository, target) } as const
  const outcome = await runFaulted(arena, [...call.args, "--json"], call.input, fault)
  tally.tried++
  const where = `${call.name}, ${isPipe ? "pipe" : "link"} for ${target} at step ${step} to ${back}`
  judge(arena, { where, before, isFolder: FOLDERS.includes(target) }, outcome, tally)
  arena.reset()
}

function judge(
  arena: Arena,
  { where, before, isFolder }: { where: string; before: string; isFolder: boolean },
  outcome: { status: number | null; stdout: string; stderr: string },
  tally: PartTally,
): void {
  const fail = (what: string) => tally.failures.push(`${where}: ${what.trim()}`)
  outcome.status === 0 ? tally.done++ : tally.refused++
  const after = contentOf(join(arena.root, "outside"))
  if (after.includes(CANARY)) fail("a value was written outside")
  // Node has no openat: a folder that becomes a link after the look at it is followed by a write.
  if (after !== before) isFolder ? tally.followed++ : fail("what lies outside was changed")
  if (`${outcome.stdout}${outcome.stderr}`.includes(OUTSIDE)) fail("what lies outside was shown")
  // What check finds it says on stdout.
  const isFinding = outcome.status === 3 && outcome.stdout !== ""
  if (outcome.status !== 0 && !isFinding) judgeEnd(outcome, false, fail)
}

/** While coffer reads and writes, link and file take each other's place all the time. */
async function swapFreely(arena: Arena, wanted: number, random: Random, tally: PartTally): Promise<void> {
  for (let swapped = 0; swapped < wanted; ) {
    const { target, isPipe } = draw(arena, random)
    const call = pick(random, CALLS)
    const bait = setBait(arena, target, isPipe)
    const before = contentOf(join(arena.root, "outside"))
    const path = join(arena.repository, target)
    let running = true
    const end = ended(arena.start([...call.args, "--json"], call.input)).finally(() => (running = false))
    while (running) {
      if (exchange(path, join(arena.root, "aside"), bait)) swapped++
      await new Promise(next => setTimeout(next, Math.floor(random() * 3)))
      exchange(path, bait, join(arena.root, "aside"))
      await new Promise(next => setTimeout(next, Math.floor(random() * 3)))
    }
    tally.tried++
    const where = `${call.name}, ${isPipe ? "pipe" : "link"} for ${target}, freely`
    judge(arena, { where, before, isFolder: FOLDERS.includes(target) }, await end, tally)
    arena.reset()
  }
}

function exchange(path: string, aside: string, next: string): boolean {
  try {
    renameSync(path, aside)
  } catch {
    // A lock or a journal is there for moments only.
  }
  try {
    renameSync(next, path)
    return true
  } catch {
    return false
  }
}
