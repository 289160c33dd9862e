/** Random sequences of the model storm: what is done, how often, with which names and people. */
import { pick, type Random } from "../keyring/histories.js"
import { type Person, ROOT, type Role } from "./model-keyring.js"
import {
  ACCEPTING,
  adding,
  deleting,
  finishing,
  type GitOperation,
  grouping,
  joining,
  NAMES,
  OWNERS,
  PEOPLE,
  removing,
  rollingBack,
  rotating,
  type Step,
  type StoreOperation,
  setting,
  transferring,
  undeleting,
} from "./model-operations.js"

type Draw = (random: Random) => StoreOperation | GitOperation

const below = (random: Random, count: number) => Math.floor(random() * count)
const maybe = <T>(random: Random, chance: number, value: () => T): T | undefined =>
  random() < chance ? value() : undefined
const some = (random: Random, chance: number): Person[] => PEOPLE.filter(() => random() < chance)
const nameFrom = (random: Random) => pick(random, NAMES)
const casFrom = (random: Random) => maybe(random, 0.1, () => below(random, 5))

const GROUPS = [[ROOT], [ROOT], ["prod"], ["prod"], ["prod", ROOT], ["ops"], ["prod/eu"]]
const ROLES: readonly Role[] = ["writer", "writer", "admin", "rotator", "reader"]

function drawSet(random: Random): StoreOperation {
  return setting({
    name: nameFrom(random),
    value: maybe(random, 0.85, () => `value-${below(random, 5)}`),
    meta: maybe(
      random,
      0.3,
      () => new Map([[pick(random, ["owner", "description"]), pick(random, ["x", "y"])]]),
    ),
    cas: casFrom(random),
  })
}

function drawTransfer(random: Random): StoreOperation {
  const kind = pick(random, ["copy", "move"] as const)
  const version = kind === "copy" ? maybe(random, 0.3, () => 1 + below(random, 3)) : undefined
  return transferring({ kind, from: nameFrom(random), to: nameFrom(random), version, force: random() < 0.5 })
}

function drawRotate(random: Random): StoreOperation {
  const groups = random() < 0.5 ? [] : pick(random, GROUPS)
  return rotating(groups, random() < 0.25)
}

function drawAdd(random: Random): StoreOperation {
  return adding({
    name: pick(random, PEOPLE.slice(1)),
    role: pick(random, ROLES),
    groups: pick(random, GROUPS),
  })
}

/** Nobody removes the founder from the root group: of two admins who remove each other neither can mend it. */
function drawRemove(random: Random): StoreOperation {
  const groups = random() < 0.5 ? [] : pick(random, GROUPS)
  const isSpared = groups.length === 0 || groups.includes(ROOT)
  return removing({ name: pick(random, isSpared ? PEOPLE.slice(1) : PEOPLE), groups })
}

function drawGroup(random: Random, choices: readonly string[]): StoreOperation {
  const members = some(random, 0.5).map(name => ({ name, role: pick(random, ROLES) }))
  return grouping(pick(random, choices), members)
}

export const drawJoin = (random: Random) => joining(some(random, 0.7))
export const drawFinish = (random: Random) => finishing(some(random, 0.7))

const WEIGHTS: readonly (readonly [weight: number, draw: Draw])[] = [
  [26, drawSet],
  [6, random => deleting({ name: nameFrom(random), cas: casFrom(random) })],
  [4, random => undeleting(nameFrom(random))],
  [7, drawTransfer],
  [6, random => rollingBack(nameFrom(random), 1 + below(random, 3))],
  [6, drawRotate],
  [8, drawAdd],
  [6, drawRemove],
  [2, drawJoin],
  [2, drawFinish],
  [1, () => ACCEPTING],
  [5, () => "switch"],
  [5, () => "merge"],
  [3, () => "pull"],
  [4, () => "push"],
  [9, () => "meet"],
]

/** Each as often as it is drawn. */
const DRAWS = WEIGHTS.flatMap(([weight, draw]) => Array.from({ length: weight }, () => draw))

/** Each clone makes groups of its own names: of two keyrings of one name a person has to give one up. */
const NEW_GROUPS = [["prod/eu"], ["ops"]] as const

export function drawSteps(random: Random, count: number): Step[] {
  return Array.from({ length: count }, () => {
    const clone = random() < 0.5 ? 0 : 1
    const by = random() < 0.8 ? OWNERS[clone]! : pick(random, PEOPLE)
    const operation = random() < 0.03 ? drawGroup(random, NEW_GROUPS[clone]) : pick(random, DRAWS)(random)
    return { clone, by, operation, roll: below(random, 2 ** 31) }
  })
}
