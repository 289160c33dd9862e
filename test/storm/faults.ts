/** The n-th step of an operation on files or with git fails, or is its last: the old state, or the whole new one. */
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { EXIT_CODES } from "../../src/errors.js"
import type { Random } from "../keyring/histories.js"
import { type Arena, CANARY, ended, HANGING_MS } from "./arena.js"
import { commitByHand, inspect, type Operation, operations, recover } from "./crash.js"
import type { Errno } from "./fault-steps.js"

/** What the preloaded part is told, in `STORM_FAULT`. */
export type StepFault = {
  /** Only what lies below these folders counts. */
  readonly below: readonly string[]
  /** Where it notes the steps that it counts, or the one that it hit. */
  readonly trace: string
} & Fault

export type Fault =
  | { readonly kind: "count" }
  | {
      readonly kind: "fail"
      /** Its number, or the end of what names it. */
      readonly step: number | string
      readonly errno: Errno
      /** Every step from this one on. */
      readonly lasting: boolean
      /** Git fails before its work, or reports a failure after it. */
      readonly git: "refuse" | "after"
    }
  | {
      readonly kind: "kill"
      readonly step: number
      readonly withChildren: boolean
      /** How long a git process that is the last step has been running. */
      readonly pauseMs: number
    }
  | {
      /** Before the step the bait is put where the target was, and before another one taken away. */
      readonly kind: "swap"
      readonly step: number
      readonly back: number
      readonly target: string
      readonly aside: string
      readonly bait: string
    }

export interface Faulted {
  /** Null: killed. */
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
  /** What was counted or hit, a line each. */
  readonly trace: readonly string[]
}

export interface FaultTally {
  /** Faults that an operation met. */
  hit: number
  /** Of these: the operation ended well all the same, or its change was found whole. */
  done: number
  undone: number
  readonly failures: string[]
}

const PRELOAD = pathToFileURL(fileURLToPath(new URL("fault-preload.js", import.meta.url))).href

/** Those of the crash storm, and one whose objects are enough for a pack. */
export function faultOperations(secrets: number): readonly Operation[] {
  const lines = Array.from({ length: 101 }, (_, index) =>
    JSON.stringify({ name: `new/N${index}`, value: `${CANARY} new ${index}` }),
  )
  return [...operations(secrets), { name: "large batch", args: ["set", "--batch"], input: lines.join("\n") }]
}

/** Runs coffer with one fault. */
export async function runFaulted(
  arena: Arena,
  args: readonly string[],
  input: string | undefined,
  fault: Fault,
): Promise<Faulted> {
  const trace = join(arena.root, "trace")
  rmSync(trace, { force: true })
  const below = ["repository", "home", "tmp"].map(part => join(arena.root, part))
  const child = arena.start(args, input, {
    NODE_OPTIONS: `--import=${PRELOAD}`,
    STORM_FAULT: JSON.stringify({ below, trace, ...fault }),
  })
  const limit = setTimeout(() => process.kill(-child.pid!, "SIGKILL"), HANGING_MS)
  const started = Date.now()
  const { status, stdout, stderr } = await ended(child)
  clearTimeout(limit)
  await groupEnded(child.pid!)
  if (Date.now() - started >= HANGING_MS)
    throw new Error(`coffer ${args.join(" ")} hangs: ${JSON.stringify(fault)}`)
  return { status, stdout, stderr, trace: linesOf(trace) }
}

/**
 * A git whose coffer was killed ends by itself soon: only then is it certain what it has left. One that has ended
 * and is not collected yet, which the first process of a container may take seconds for, has left everything.
 */
async function groupEnded(leader: number): Promise<void> {
  for (let waited = 0; waited < HANGING_MS && isGroupRunning(leader); waited += 5) {
    await new Promise(next => setTimeout(next, 5))
  }
}

function isGroupRunning(leader: number): boolean {
  try {
    process.kill(-leader, 0)
  } catch {
    return false
  }
  if (!existsSync("/proc/self/stat")) return true
  return readdirSync("/proc").some(entry => /^\d+$/.test(entry) && isRunningIn(entry, leader))
}

/** proc(5): after the name, which may hold anything, in parentheses come state, parent and process group. */
function isRunningIn(pid: string, group: number): boolean {
  const [stat = ""] = linesOf(`/proc/${pid}/stat`)
  const [state, , its] = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return Number(its) === group && state !== "Z" && state !== "X"
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n").filter(Boolean)
  } catch {
    return []
  }
}

/** The steps of an operation that nothing goes wrong with: kind and name, separated by a tab. Resets the arena. */
export async function stepsOf(arena: Arena, { args, input }: Operation): Promise<readonly string[]> {
  const { status, stderr, trace } = await runFaulted(arena, args, input, { kind: "count" })
  arena.reset()
  if (status !== 0) throw new Error(`coffer ${args.join(" ")} fails by itself: ${stderr}`)
  return trace
}

/** One fault, and all that has to hold afterwards. The arena is as it was kept, before and after. */
export async function meetFault(
  arena: Arena,
  operation: Operation,
  fault: Extract<Fault, { kind: "fail" | "kill" }>,
  random: Random,
  tally: FaultTally,
): Promise<void> {
  const before = stateOf(arena)
  const outcome = await runFaulted(arena, [...operation.args, "--json"], operation.input, fault)
  const [where] = outcome.trace
  if (where !== undefined) tally.hit++
  const fail = (what: string) =>
    tally.failures.push(
      `${operation.name}, ${describe(fault)}, ${(where ?? "").replaceAll(arena.root, "")}: ${what}`,
    )
  const after = stateOf(arena)
  const isKilled = fault.kind === "kill"
  if (!isKilled) judgeEnd(outcome, after.head !== before.head, fail)
  if (isUntouched(before, after, arena, fail)) {
    if (where !== undefined) tally.undone++
  } else {
    if (!isKilled && !fault.lasting && after.head === before.head && after.status !== before.status)
      fail(`index or work tree are not as they were: ${after.status}`)
    const isThere = judgeAfter(arena, { before, after, byHand: isKilled && random() < 0.5 }, random, fail)
    if (!isKilled && outcome.status !== 0 && isThere) fail("a failed change is there all the same")
    if (where !== undefined) isThere ? tally.done++ : tally.undone++
  }
  if (after.rest !== before.rest || after.objects !== before.objects) arena.reset()
}

interface State {
  readonly head: string
  readonly status: string
  readonly objects: string
  readonly rest: string
}

function stateOf(arena: Arena): State {
  const fingerprint = arena.fingerprint()
  return { head: arena.git("rev-parse", "HEAD"), status: arena.git("status", "--porcelain"), ...fingerprint }
}

/** Byte for byte as before, but for objects that nothing names: all that holds of the kept state still does. */
function isUntouched(before: State, after: State, arena: Arena, fail: (what: string) => void): boolean {
  if (after.rest !== before.rest) return false
  if (after.objects === before.objects) return true
  const { status, stdout, stderr } = arena.tryGit("fsck", "--strict", "--no-dangling")
  if (status !== 0 || stdout !== "") fail(`fsck: ${stdout}${stderr}`)
  const plaintext = arena.plaintext()
  if (plaintext.length > 0) fail(`plaintext in ${plaintext.join(", ")}`)
  return true
}

/** The next command, or the user by hand, gets everything straight. @returns whether the change is there */
function judgeAfter(
  arena: Arena,
  { before, after, byHand }: { before: State; after: State; byHand: boolean },
  random: Random,
  fail: (what: string) => void,
): boolean {
  if (byHand) commitByHand(arena, random, fail)
  else recover(arena, fail)
  const isThere = changedSince(arena, before.head, byHand) > 0
  if (after.head !== before.head && !isThere) fail("the change was lost")
  // Nobody waits for this one: after five seconds the next who writes there takes it over.
  rmSync(join(arena.repository, ".git/coffer/seen.lock"), { force: true })
  inspect(arena, fail)
  return isThere
}

/** Commits since then that changed the store; the one that checks whether the next command works is none. */
function changedSince(arena: Arena, head: string, byHand: boolean): number {
  const commits = arena
    .git("log", "--format=%H", `${head}..HEAD`, "--", "secrets")
    .split("\n")
    .filter(Boolean)
  return commits.length - (byHand ? 0 : 1)
}

/** Acknowledged and there, or refused with a documented status, a code and a hint. */
export function judgeEnd(
  { status, stderr }: Pick<Faulted, "status" | "stderr">,
  moved: boolean,
  fail: (what: string) => void,
): void {
  if (status === 0) {
    if (!moved) fail("an acknowledged change is not there")
    return
  }
  if (moved) fail(`a failed change moved HEAD: ${stderr}`)
  const last = stderr.trim().split("\n").at(-1) ?? ""
  const error = parseError(last)
  if (error === undefined) {
    fail(`no error on stderr: ${stderr}`)
    return
  }
  if (error.code === "BUG") fail(`a bug: ${stderr}`)
  if (EXIT_CODES[error.code as keyof typeof EXIT_CODES] !== status) fail(`status ${status}: ${stderr}`)
  if (error.hint === undefined) fail(`no hint: ${stderr}`)
  if (/^\s+at /m.test(stderr)) fail(`a stack trace: ${stderr}`)
}

function parseError(line: string): { code: string; hint?: string } | undefined {
  try {
    return JSON.parse(line).error
  } catch {
    return undefined
  }
}

function describe(fault: Extract<Fault, { kind: "fail" | "kill" }>): string {
  if (fault.kind === "kill") return `killed at step ${fault.step}${fault.withChildren ? " with git" : ""}`
  return `${fault.errno} ${fault.lasting ? "from" : "at"} step ${fault.step} (git: ${fault.git})`
}
