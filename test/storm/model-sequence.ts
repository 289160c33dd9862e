/** Plays one sequence of steps in two clones, in coffer and in the model, until they disagree. */
import { parseSecretName } from "../../src/format/names.js"
import { getSecret, resolveMerge, resolveSecret, setSecret } from "../../src/index.js"
import { pick, randomFrom } from "../keyring/histories.js"
import { CloneModel, type Commit, foldersOf } from "./model-clone.js"
import { drawFinish, drawJoin } from "./model-draws.js"
import { type Person, Refused, requireSound, view } from "./model-keyring.js"
import {
  commitMerge,
  type MergeModel,
  resolveAll,
  resolveByChoice,
  type Side,
  settler,
  startMerge,
  takeByHand,
} from "./model-merge.js"
import {
  compare,
  Disagreement,
  learnRecords,
  observe,
  observeAll,
  observeValue,
  observeVersions,
  outcome,
} from "./model-observe.js"
import {
  ACCEPTING,
  describeStep,
  type GitOperation,
  NAMES,
  OWNERS,
  PEOPLE,
  type Step,
  type StoreOperation,
} from "./model-operations.js"
import { type Places, type RealClone, timeOf } from "./model-places.js"
import { findFault, pathOf } from "./model-secrets.js"
import type { Start } from "./model-start.js"
import { set } from "./model-values.js"

interface Pair {
  readonly model: CloneModel
  readonly real: RealClone
  readonly owner: Person
  readonly driver: boolean
  /** What `origin/main` is here. */
  fetched: Commit
}

/** How often what was tried. */
export type Tally = Map<string, number>

interface World {
  readonly pairs: readonly [Pair, Pair]
  readonly places: Places
  readonly tally: Tally
  remote: Commit
  minute: number
}

export interface Failure {
  /** Which step it was. */
  readonly step: number
  readonly message: string
  /** The steps that changed something, and this one. */
  readonly telling: readonly number[]
}

/** @returns where coffer and the model disagree, if they do */
export async function play(
  start: Start,
  steps: readonly Step[],
  drivers: readonly [boolean, boolean],
  tally: Tally = new Map(),
): Promise<Failure | undefined> {
  const world = makeWorld(start, drivers, tally)
  const telling: number[] = []
  let step = 0
  try {
    for (; step < steps.length; step++) if (await playStep(world, steps[step]!)) telling.push(step)
    for (const { real, model, owner } of world.pairs) {
      real.minute = world.minute
      await observeAll(real, model, owner)
    }
    return undefined
  } catch (error) {
    const where = step < steps.length ? describeStep(steps[step]!) : "at the end"
    const what = error instanceof Disagreement ? error.message : error instanceof Error ? error.stack : error
    return { step, message: `${where}: ${what}`, telling: [...telling, step] }
  }
}

function makeWorld(start: Start, drivers: readonly [boolean, boolean], tally: Tally): World {
  const { places, commit, pin, newest, minute } = start
  const reals = places.reset()
  const pair = (clone: 0 | 1): Pair => {
    const real = reals[clone]
    const driver = drivers[clone]
    if (driver) real.useDriver()
    const model = new CloneModel(pin, commit)
    model.newest = new Map(newest)
    model.seen.set("main", commit)
    return { model, real, owner: OWNERS[clone]!, driver, fetched: commit }
  }
  return { pairs: [pair(0), pair(1)], places, tally, remote: commit, minute }
}

/** What changed nothing is looked at now and then only. */
const LOOK_ANYWAY = 8

/** @returns whether the step changed anything */
async function playStep(world: World, step: Step): Promise<boolean> {
  const pair = world.pairs[step.clone]
  const { model, real, owner } = pair
  real.minute = ++world.minute
  const operation = mend(pair, step) ?? step.operation
  const before = { head: model.head, branch: model.branch, commit: real.commit(model.branch) }
  const code =
    typeof operation === "string"
      ? await playGit(world, pair, { ...step, operation })
      : await playStore(world, pair, step.by, operation)
  count(world.tally, `${kindOf(operation)}: ${code}`)
  const isSame = before.head === model.head && before.branch === model.branch
  if (isSame) compare("the commit after what changed nothing", real.commit(before.branch), before.commit)
  if (isSame && step.roll % LOOK_ANYWAY !== 0) return code === "done"
  learnRecords(real, model)
  await observe(real, model, owner)
  const random = randomFrom(step.roll)
  const [name, reader] = [pick(random, NAMES), pick(random, PEOPLE)]
  await observeValue(real, model, name, reader)
  if (random() < 0.3) await observeVersions(real, model, name, owner)
  return !isSame || code === "done"
}

function kindOf(operation: StoreOperation | GitOperation): string {
  if (typeof operation === "string") return `git ${operation}`
  return /^(recipients \w+|rotate --(merge|finish)|\w+)/.exec(operation.text)![0]
}

function count(tally: Tally, what: string): void {
  tally.set(what, 1 + (tally.get(what) ?? 0))
}

/** Where things stand still until somebody mends them, somebody often does. */
function mend({ model }: Pair, { roll, operation }: Step): StoreOperation | undefined {
  if (typeof operation === "string" || roll % 2 === 0) return undefined
  const seen = model.look()
  if (seen.problems.some(({ isError }) => isError)) return undefined
  const random = randomFrom(roll)
  if (model.losses(seen).length > 0) return ACCEPTING
  if ([...seen.groups.values()].some(({ current }) => current.length > 1)) return drawJoin(random)
  if ([...model.head.secrets.values()].some(blob => findFault(seen, blob) !== undefined))
    return drawFinish(random)
  return undefined
}

async function playStore(
  world: World,
  { model, real }: Pair,
  by: Person,
  operation: StoreOperation,
): Promise<string> {
  const expected = await outcome(() => operation.expect(model, { by, at: world.minute }))
  const store = await real.open(by)
  const found = await outcome(
    async () => (await operation.run(store, timeOf(world.minute), world.places.cards)).changed,
  )
  compare(`${operation.text} as ${by}`, found, expected)
  return typeof expected === "string" ? expected : expected ? "done" : "unchanged"
}

async function playGit(world: World, pair: Pair, step: Step & { operation: GitOperation }): Promise<string> {
  const { model } = pair
  const { operation, roll } = step
  if (operation === "push") return push(world, pair)
  if (operation === "switch") return switchBranch(pair, roll)
  if (operation === "meet") push(world, world.pairs[1 - step.clone]!)
  if (operation !== "merge") return pull(world, pair, step)
  const topic = [...model.branches.keys()].find(branch => branch !== "main")
  const ref = model.branch === "main" ? topic : "main"
  if (ref === undefined) return "nothing"
  return merge(pair, step, { commit: model.branches.get(ref)!, ref }, world.minute)
}

function push(world: World, pair: Pair): string {
  const main = pair.model.branches.get("main")!
  const isForward = main.ancestors.has(world.remote)
  if (main === world.remote) return "nothing"
  compare("push", pair.real.git("push", "-q", "origin", "main").status === 0, isForward)
  if (!isForward) return "rejected"
  world.remote = main
  pair.fetched = main
  return "done"
}

function pull(world: World, pair: Pair, step: Step): Promise<string> {
  if (pair.model.branch !== "main") checkOut(pair, "main")
  if (pair.fetched !== world.remote) pair.real.must("fetch", "-q", "origin")
  pair.fetched = world.remote
  return merge(pair, step, { commit: world.remote, ref: "origin/main" }, world.minute)
}

function switchBranch(pair: Pair, roll: number): string {
  const { model, real } = pair
  const wanted = ["main", "topic", "other"].filter(branch => branch !== model.branch)[roll % 2]!
  if (model.branches.has(wanted)) {
    checkOut(pair, wanted)
    return "done"
  }
  real.must("switch", "-q", "-c", wanted)
  model.branches.set(wanted, model.head)
  model.branch = wanted
  return "new branch"
}

function checkOut({ model, real }: Pair, branch: string): void {
  real.must("switch", "-q", branch)
  model.branch = branch
}

async function merge(
  pair: Pair,
  step: Step,
  theirs: { commit: Commit; ref: string },
  at: number,
): Promise<string> {
  const { model, real, driver } = pair
  const before = model.head
  const under = startMerge(model, theirs.commit, driver)
  const { status, out } = real.git("merge", "-q", "--no-edit", theirs.ref)
  if (under === undefined) {
    compare("fast-forward", status === 0 ? "done" : out, "done")
    return before === model.head ? "nothing new" : "moved on"
  }
  const listed = status === 0 ? "" : real.must("diff", "--name-only", "--diff-filter=U", "-z")
  const conflicts = listed.split("\0").filter(Boolean)
  compare(
    "conflicts",
    conflicts,
    [...under.conflicts.keys()].map(name => `secrets/${pathOf(name)}`),
  )
  if (conflicts.length === 0) {
    compare("merge", status === 0 ? "done" : out, "done")
    commitMerge(model, under)
    return "merged"
  }
  const settled = await settleMerge(pair, step, under, at)
  real.must("commit", "-q", "--no-edit")
  commitMerge(model, under)
  return settled
}

async function settleMerge(pair: Pair, step: Step, under: MergeModel, at: number): Promise<string> {
  const { model, real } = pair
  const who = { by: step.by, at }
  const random = randomFrom(`${step.roll} merge`)
  const probe = [...under.conflicts.keys()][Math.floor(random() * under.conflicts.size)]!
  await probeConflict(pair, who, under, probe)
  const expected = await outcome(() => {
    resolveAll(under, settler(model, under, who))
    return [...under.conflicts.keys()]
  })
  const store = await real.open(who.by)
  const found = await outcome(async () =>
    (await resolveMerge(store, { at: timeOf(at) })).conflicts.map(({ name }) => name as string),
  )
  compare("resolve leaves", found, expected)
  for (const name of [...under.conflicts.keys()]) {
    const take: Side = random() < 0.5 ? "ours" : "theirs"
    const chosen = await outcome(() => {
      resolveByChoice(under, name, take, settler(model, under, who))
      return "settled"
    })
    const settled = await outcome(async () => {
      await resolveSecret(await real.open(who.by), { name: parseSecretName(name), take, at: timeOf(at) })
      return "settled"
    })
    compare(`resolve ${name} --${take} as ${who.by}`, settled, chosen)
    if (chosen !== "settled") byHand(pair, under, name, take)
  }
  return typeof expected === "string" ? expected : expected.length > 0 ? "true conflict" : "by rule"
}

/** A conflicted secret is not read, and nothing is written while a merge is under way. */
async function probeConflict(
  { model, real }: Pair,
  who: { by: Person; at: number },
  under: MergeModel,
  name: string,
): Promise<void> {
  const read = await outcome(async () => {
    await getSecret(await real.open(who.by), { name: parseSecretName(name) })
    return "read"
  })
  const expectedRead = await outcome(() => {
    const seen = view(under.records, model.trust, foldersOf(name))
    requireSound(seen)
    const loss = model.losses(seen).find(lost => lost.name === name)
    throw new Refused(loss?.code ?? "CONFLICTED")
  })
  compare(`get ${name} in conflict`, read, expectedRead)
  const wanted = { name, value: "in a merge" }
  const written = await outcome(async () => {
    const value = Buffer.from(wanted.value)
    await setSecret(await real.open(who.by), { name: parseSecretName(name), value, at: timeOf(who.at) })
    return "written"
  })
  const expectedWrite = await outcome(() => {
    model.write(who, draft => {
      set(draft, wanted)
      throw new Refused("GIT_IN_PROGRESS")
    })
  })
  compare(`set ${name} in a merge`, written, expectedWrite)
}

function byHand({ real }: Pair, under: MergeModel, name: string, take: Side): void {
  const path = `secrets/${pathOf(name)}`
  real.must("checkout", "-q", `--${take}`, "--", path)
  real.must("add", path)
  takeByHand(under, name, take)
}
