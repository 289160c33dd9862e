/** Plays one sequence of steps in two clones, in coffer and in the model, until they disagree. */
import { parseSecretName } from "../../src/format/names.js"
import { getSecret, resolveMerge, resolveSecret, setSecret } from "../../src/index.js"
import { randomFrom } from "../keyring/histories.js"
import { CloneModel, type Commit, foldersOf, makeCommit } from "./model-clone.js"
import { makeRec, type Person, Refused, ROOT, requireSound, view } from "./model-keyring.js"
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
  learnRecords,
  observe,
  observeAll,
  observeValue,
  observeVersions,
  outcome,
} from "./model-observe.js"
import {
  ACCEPT,
  describeStep,
  drawFinish,
  drawJoin,
  type GitOperation,
  NAMES,
  OWNERS,
  PEOPLE,
  type Step,
  type StoreOperation,
} from "./model-operations.js"
import { type Places, type RealClone, START, timeOf } from "./model-places.js"
import { findFault, pathOf } from "./model-secrets.js"
import { set } from "./model-values.js"

interface Pair {
  readonly model: CloneModel
  readonly real: RealClone
  readonly owner: Person
  readonly driver: boolean
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
}

/** @returns where coffer and the model disagree, if they do */
export async function play(
  places: Places,
  steps: readonly Step[],
  drivers: readonly [boolean, boolean],
  tally: Tally = new Map(),
): Promise<Failure | undefined> {
  const world = makeWorld(places, drivers, tally)
  let step = 0
  try {
    for (; step < steps.length; step++) await playStep(world, steps[step]!)
    for (const { real, model, owner } of world.pairs) {
      real.minute = world.minute
      await observeAll(real, model, owner)
    }
    return undefined
  } catch (error) {
    const where = step < steps.length ? describeStep(steps[step]!) : "at the end"
    return {
      step,
      message: `${where}: ${error instanceof Error ? (error.constructor === Error || error instanceof TypeError ? error.stack : error.message) : error}`,
    }
  }
}

function makeWorld(places: Places, drivers: readonly [boolean, boolean], tally: Tally): World {
  const first = makeRec(
    { group: ROOT, reason: "init", author: "ana", members: new Map([["ana", "admin"]]) },
    [],
  )
  const members = new Map([
    ["ana", "admin"],
    ["tom", "admin"],
  ] as const)
  const second = makeRec({ group: ROOT, reason: "add", author: "ana", members }, [first])
  const start = makeCommit([], new Map(), new Set([first, second]))
  const reals = places.reset()
  const pair = (clone: 0 | 1): Pair => {
    const real = reals[clone]
    if (drivers[clone]) real.useDriver()
    return { model: new CloneModel(first, start), real, owner: OWNERS[clone]!, driver: drivers[clone] }
  }
  const pairs: [Pair, Pair] = [pair(0), pair(1)]
  for (const id of reals[0].records(ROOT)) (id.startsWith("1-") ? first : second).label = id
  for (const { model } of pairs) {
    model.newest.set(ROOT, second)
    model.seen.set("main", start)
  }
  // Tom's clone has been pinned and not been looked at.
  return { pairs, places, tally, remote: start, minute: START.add }
}

async function playStep(world: World, step: Step): Promise<void> {
  const pair = world.pairs[step.clone]
  pair.real.minute = ++world.minute
  const operation = mend(pair, step) ?? step.operation
  const code =
    typeof operation === "string"
      ? await playGit(world, pair, { ...step, operation })
      : await playStore(world, pair, step.by, operation)
  const what =
    typeof operation === "string"
      ? operation
      : operation.text.split(" ", operation.text.startsWith("r") ? 2 : 1).join(" ")
  count(world.tally, `${what}: ${code}`)
  learnRecords(pair.real, pair.model)
  await observe(pair.real, pair.model, pair.owner)
  const random = randomFrom(step.roll)
  const [name, reader] = [
    NAMES[Math.floor(random() * NAMES.length)]!,
    PEOPLE[Math.floor(random() * PEOPLE.length)]!,
  ]
  await observeValue(pair.real, pair.model, name, reader)
  if (random() < 0.3) await observeVersions(pair.real, pair.model, name, pair.owner)
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
  if (model.losses(seen).length > 0) return ACCEPT
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
  const { model, real } = pair
  const { operation, roll } = step
  if (operation === "push") {
    const main = model.branches.get("main")!
    const isForward = main.ancestors.has(world.remote)
    compare("push", real.git("push", "-q", "origin", "main").status === 0, isForward)
    if (isForward) world.remote = main
    return isForward ? "done" : "rejected"
  }
  if (operation === "switch") return switchBranch(pair, roll)
  if (operation === "pull") {
    if (model.branch !== "main") checkOut(pair, "main")
    real.must("fetch", "-q", "origin")
    return merge(pair, step, { commit: world.remote, ref: "origin/main" }, world.minute)
  }
  const topic = [...model.branches.keys()].find(branch => branch !== "main")
  const ref = model.branch === "main" ? topic : "main"
  if (ref === undefined) return "nothing"
  return merge(pair, step, { commit: model.branches.get(ref)!, ref }, world.minute)
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
  const under = startMerge(model, theirs.commit, driver)
  const { status, out } = real.git("merge", "-q", "--no-edit", theirs.ref)
  if (under === undefined) {
    compare("fast-forward", status === 0 ? "done" : out, "done")
    return "moved on"
  }
  const conflicts = real.must("diff", "--name-only", "--diff-filter=U", "-z").split("\0").filter(Boolean)
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
