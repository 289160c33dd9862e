/** SIGKILL at random moments of every writing operation; afterwards nothing is lost, half done or left lying. */
import { type Random, randomFrom } from "../keyring/histories.js"
import { type Arena, CANARY, ended } from "./arena.js"

export interface Operation {
  readonly name: string
  readonly args: readonly string[]
  readonly input?: string
}

export interface CrashTally {
  rounds: number
  /** Kills that hit before the program had ended. */
  landed: number
  /** Of these: the change was there afterwards, or was not. */
  done: number
  undone: number
  readonly failures: string[]
}

export function operations(secrets: number): readonly Operation[] {
  const lines = Array.from({ length: secrets }, (_, index) =>
    JSON.stringify({ name: `S${index}`, value: `${CANARY} second ${index}` }),
  )
  return [
    { name: "set", args: ["set", "S0"], input: `${CANARY} second` },
    { name: "delete", args: ["delete", "S1"] },
    { name: "set --batch", args: ["set", "--batch"], input: lines.join("\n") },
    { name: "recipients add", args: ["recipients", "add", "ci", "--new"] },
    { name: "recipients remove", args: ["recipients", "remove", "tom"] },
    { name: "rotate", args: ["rotate"] },
  ]
}

/** One operation, killed `kills` times. The arena is kept and reset for each. */
export async function crash(
  arena: Arena,
  operation: Operation,
  kills: number,
  seed: number,
): Promise<CrashTally> {
  const random = randomFrom(`${seed}/${operation.name}`)
  const tally: CrashTally = { rounds: 0, landed: 0, done: 0, undone: 0, failures: [] }
  arena.reset()
  const started = Date.now()
  const whole = await ended(arena.start(operation.args, operation.input))
  if (whole.status !== 0) throw new Error(`${operation.name} fails by itself: ${whole.stderr}`)
  const length = Date.now() - started
  while (tally.landed < kills && tally.rounds < 4 * kills + 20) {
    tally.rounds++
    arena.reset()
    await killOnce(arena, operation, length, random, tally)
  }
  return tally
}

async function killOnce(
  arena: Arena,
  operation: Operation,
  length: number,
  random: Random,
  tally: CrashTally,
): Promise<void> {
  const before = arena.git("rev-parse", "HEAD")
  const delay = Math.floor((0.2 + random()) * length)
  const byHand = random() < 0.5
  const child = arena.start(operation.args, operation.input)
  const killed = setTimeout(() => process.kill(-child.pid!, "SIGKILL"), delay)
  const { status } = await ended(child)
  clearTimeout(killed)
  if (status === null) tally.landed++
  const fail = (what: string) =>
    tally.failures.push(`round ${tally.rounds}, killed after ${delay} ms: ${what}`)
  const moved = arena.git("rev-parse", "HEAD") !== before
  if (status === 0 && !moved) fail("an acknowledged change is not there")
  if (byHand) commitByHand(arena, random, fail)
  else recover(arena, fail)
  const isThere = arena.git("log", "--format=%H", `${before}..HEAD`, "--", "secrets") !== ""
  if (moved && !isThere) fail("the change was lost")
  if (status === null) isThere ? tally.done++ : tally.undone++
  inspect(arena, fail)
}

/** The next command recovers by itself. */
export function recover(arena: Arena, fail: (what: string) => void): void {
  const next = arena.run({ input: `${CANARY} third` }, "set", "S2")
  if (next.status !== 0) fail(`the next command fails: ${next.stderr}`)
  const status = arena.git("status", "--porcelain")
  if (status !== "M edited.txt\nM  staged.txt")
    fail(`the user's work is not as it was: ${JSON.stringify(status)}`)
}

/** Nobody runs coffer again: the user removes the locks as git advises, and commits. */
export function commitByHand(arena: Arena, random: Random, fail: (what: string) => void): void {
  const versions = versionsIn(arena, "HEAD")
  arena.removeLocks()
  const all = random() < 0.5
  const { status, stderr } = arena.tryGit("commit", "-q", ...(all ? ["-a"] : []), "-m", "mine")
  if (status !== 0) fail(`the user cannot commit: ${stderr}`)
  const now = versionsIn(arena, "HEAD")
  for (const [path, version] of versions) {
    if ((now.get(path) ?? 0) < version) fail(`the user's commit put ${path} back to version ${now.get(path)}`)
  }
}

function versionsIn(arena: Arena, commit: string): ReadonlyMap<string, number> {
  const { stdout } = arena.tryGit("grep", "-h", "-E", "^(name|version): ", commit, "--", "secrets/*.yaml")
  const lines = stdout.trim().split("\n")
  const versions = new Map<string, number>()
  for (let index = 0; index + 1 < lines.length; index += 2) {
    versions.set(lines[index]!, Number(lines[index + 1]!.slice("version: ".length)))
  }
  return versions
}

/** No half state, no mixed keys, a sound repository, and no value in plain text anywhere. */
export function inspect(arena: Arena, fail: (what: string) => void): void {
  const check = arena.run({}, "check")
  if (check.status !== 0) fail(`check: ${check.stdout}${check.stderr}`)
  const fsck = arena.tryGit("fsck", "--strict", "--no-dangling")
  if (fsck.status !== 0 || fsck.stdout !== "") fail(`fsck: ${fsck.stdout}${fsck.stderr}`)
  const locks = arena.removeLocks()
  if (locks.length > 0) fail(`locks are left: ${locks.join(", ")}`)
  const plaintext = arena.plaintext()
  if (plaintext.length > 0) fail(`plaintext in ${plaintext.join(", ")}`)
}
