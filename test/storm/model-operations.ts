/** What the model storm may do: drawn at random, told to the model and to coffer in the same words. */
import type { Card } from "../../src/format/card.js"
import { parseSecretName } from "../../src/format/names.js"
import {
  acceptChanges,
  addRecipient,
  createGroup,
  deleteSecrets,
  removeRecipient,
  rollbackSecret,
  rotateGroups,
  type Store,
  setSecret,
  transferSecret,
  undeleteSecret,
} from "../../src/index.js"
import { finishRotation } from "../../src/store/finish.js"
import { mergeKeyrings } from "../../src/store/merge-groups.js"
import { pick, type Random } from "../keyring/histories.js"
import type { CloneModel } from "./model-clone.js"
import type { Person, Role } from "./model-keyring.js"
import { ROOT } from "./model-keyring.js"
import { add, createGroup as create, dismiss, finish, join, rotate } from "./model-people.js"
import { remove, rollBack, set, transfer, undelete } from "./model-values.js"

export const PEOPLE: readonly Person[] = ["ana", "tom", "eva", "max", "bot"]
export const OWNERS: readonly Person[] = ["ana", "tom"]
export const NAMES = ["A", "B", "ops/K", "prod/X", "prod/Y", "prod/eu/Z"]

/** An operation on a store: what the model does with it and what coffer does. Both give whether it changed anything. */
export interface StoreOperation {
  readonly text: string
  expect(clone: CloneModel, who: { by: Person; at: number }): boolean
  run(store: Store, at: Date, cards: ReadonlyMap<Person, Card>): Promise<{ changed: boolean }>
}

export type GitOperation = "switch" | "merge" | "pull" | "push"

/** One step of a sequence. It means the same whichever steps come before it. */
export interface Step {
  readonly clone: 0 | 1
  readonly by: Person
  readonly operation: StoreOperation | GitOperation
  /** For what is settled on the way: sides of conflicts, probes. */
  readonly roll: number
}

type Draw = (random: Random) => StoreOperation | GitOperation

const name = (random: Random) => pick(random, NAMES)
const maybe = <T>(random: Random, chance: number, value: () => T): T | undefined =>
  random() < chance ? value() : undefined
const someone = (random: Random) => pick(random, PEOPLE)
const some = (random: Random, chance: number) => PEOPLE.filter(() => random() < chance)
const groupsFrom = (random: Random) =>
  pick(random, [[ROOT], [ROOT], ["prod"], ["prod", ROOT], ["ops"], ["prod/eu"], [ROOT, "ops"]])
const draw = (random: Random, chance: number) => random() < chance

const drawSet: Draw = random => {
  const wanted = {
    name: name(random),
    value: maybe(random, 0.85, () => `value-${pick(random, ["1", "2", "3", "4", "5"])}`),
    meta: maybe(
      random,
      0.3,
      () => new Map([[pick(random, ["owner", "description"]), pick(random, ["x", "y"])]]),
    ),
    cas: maybe(random, 0.1, () => Math.floor(random() * 4)),
  }
  const { value, meta, cas } = wanted
  return {
    text: `set ${wanted.name}${value === undefined ? "" : ` ${value}`}${meta === undefined ? "" : ` ${[...meta].join()}`}${cas === undefined ? "" : ` --cas ${cas}`}`,
    expect: (clone, who) => clone.write(who, draft => set(draft, wanted)),
    run: (store, at) =>
      setSecret(store, {
        name: parseSecretName(wanted.name),
        value: value === undefined ? undefined : Buffer.from(value),
        meta,
        cas,
        at,
      }),
  }
}

const drawDelete: Draw = random => {
  const wanted = { name: name(random), cas: maybe(random, 0.1, () => Math.floor(random() * 4)) }
  return {
    text: `delete ${wanted.name}${wanted.cas === undefined ? "" : ` --cas ${wanted.cas}`}`,
    expect: (clone, who) => clone.write(who, draft => remove(draft, wanted)),
    run: (store, at) =>
      deleteSecrets(store, { deletions: [{ name: parseSecretName(wanted.name), cas: wanted.cas }], at }),
  }
}

const drawUndelete: Draw = random => {
  const wanted = name(random)
  return {
    text: `undelete ${wanted}`,
    expect: (clone, who) => clone.write(who, draft => undelete(draft, wanted)),
    run: (store, at) => undeleteSecret(store, { name: parseSecretName(wanted), at }),
  }
}

const drawRollback: Draw = random => {
  const [wanted, version] = [name(random), 1 + Math.floor(random() * 5)]
  return {
    text: `rollback ${wanted}@${version}`,
    expect: (clone, who) => clone.write(who, draft => rollBack(draft, wanted, version)),
    run: (store, at) => rollbackSecret(store, { name: parseSecretName(wanted), choice: { version }, at }),
  }
}

const drawTransfer: Draw = random => {
  const kind = pick(random, ["copy", "move"] as const)
  const [from, to, force] = [name(random), name(random), draw(random, 0.4)]
  const version = kind === "copy" ? maybe(random, 0.3, () => 1 + Math.floor(random() * 4)) : undefined
  const at = version === undefined ? "" : `@${version}`
  return {
    text: `${kind} ${from}${at} ${to}${force ? " --force" : ""}`,
    expect: (clone, who) => clone.write(who, draft => transfer(draft, { kind, from, to, version, force })),
    run: (store, now) =>
      transferSecret(store, kind, {
        from: parseSecretName(from),
        to: parseSecretName(to),
        version,
        force,
        at: now,
      }),
  }
}

const drawRotate: Draw = random => {
  const groups = draw(random, 0.6) ? [] : groupsFrom(random)
  const retire = draw(random, 0.25)
  return {
    text: `rotate ${groups.join(" ")}${retire ? " --compromised" : ""}`,
    expect: (clone, who) => clone.write(who, draft => rotate(draft, { groups, retire })),
    run: (store, at) => rotateGroups(store, { groups, compromised: retire, at }),
  }
}

const drawAdd: Draw = random => {
  const wanted = {
    name: pick(random, PEOPLE.slice(1)),
    role: pick(random, ["writer", "writer", "admin", "rotator", "reader"] as readonly Role[]),
    groups: groupsFrom(random),
  }
  return {
    text: `recipients add ${wanted.name} --role ${wanted.role} -g ${wanted.groups.join(" -g ")}`,
    expect: (clone, who) => clone.write(who, draft => add(draft, wanted)),
    run: (store, at, cards) => addRecipient(store, { ...wanted, card: cards.get(wanted.name), at }),
  }
}

/** Nobody removes the founder from the root group: if the last two admins do that to each other, nobody is left to mend it. */
const drawRemove: Draw = random => {
  const groups = draw(random, 0.6) ? [] : pick(random, [["prod"], ["ops"], [ROOT], ["prod/eu"]])
  const isEverywhere = groups.length === 0 || groups.includes(ROOT)
  const wanted = { name: pick(random, isEverywhere ? PEOPLE.slice(1) : PEOPLE), groups }
  return {
    text: `recipients remove ${wanted.name}${groups.map(group => ` -g ${group}`).join("")}`,
    expect: (clone, who) => clone.write(who, draft => dismiss(draft, wanted)),
    run: (store, at) => removeRecipient(store, { ...wanted, at }),
  }
}

const drawGroup =
  (choices: readonly string[]): Draw =>
  random => {
    const group = pick(random, choices)
    const members = some(random, 0.5).map(member => ({
      name: member,
      role: pick(random, ["writer", "admin", "reader"] as const),
    }))
    return {
      text: `group create ${group}${members.map(member => ` --member ${member.name}:${member.role}`).join("")}`,
      expect: (clone, who) => clone.write(who, draft => create(draft, { group, members })),
      run: async (store, at) => ({
        changed: (await createGroup(store, { group, members, at })).commit !== null,
      }),
    }
  }

export const drawJoin = (random: Random): StoreOperation => {
  const accept = some(random, 0.7)
  return {
    text: `rotate --merge --accept ${accept.join(",")}`,
    expect: (clone, who) => clone.write({ ...who, merging: true }, draft => join(draft, { accept })),
    run: (store, at) => mergeKeyrings(store, { accept, at }),
  }
}

export const drawFinish = (random: Random): StoreOperation => {
  const accept = some(random, 0.7)
  return {
    text: `rotate --finish --accept ${accept.join(",")}`,
    expect: (clone, who) => clone.write(who, draft => finish(draft, { accept })),
    run: (store, at) => finishRotation(store, { accept, at }),
  }
}

export const ACCEPT: StoreOperation = {
  text: "trust accept --all",
  expect(clone) {
    clone.accept()
    return true
  },
  async run(store) {
    await acceptChanges(store, {})
    return { changed: true }
  },
}

const WEIGHTS: readonly (readonly [weight: number, draw: Draw])[] = [
  [26, drawSet],
  [6, drawDelete],
  [5, drawUndelete],
  [7, drawTransfer],
  [6, drawRollback],
  [5, drawRotate],
  [8, drawAdd],
  [5, drawRemove],
  [3, drawJoin],
  [3, drawFinish],
  [1, () => ACCEPT],
  [5, () => "switch"],
  [4, () => "merge"],
  [11, () => "pull"],
  [8, () => "push"],
]

/** A random sequence. Each clone makes groups of its own names: of two keyrings of one name a person keeps one. */
export function drawSteps(random: Random, count: number): Step[] {
  const total = WEIGHTS.reduce((sum, [weight]) => sum + weight, 0)
  return Array.from({ length: count }, () => {
    const clone = random() < 0.5 ? 0 : 1
    const by = random() < 0.8 ? OWNERS[clone]! : someone(random)
    const isGroup = random() < 0.03
    let at = random() * total
    const [, chosen] = WEIGHTS.find(([weight]) => (at -= weight) < 0)!
    const operation = (isGroup ? drawGroup(clone === 0 ? ["prod", "prod/eu"] : ["ops"]) : chosen)(random)
    return { clone, by, operation, roll: Math.floor(random() * 2 ** 31) }
  })
}

export function describeStep({ clone, by, operation }: Step): string {
  return `${"AB"[clone]} ${by}: ${typeof operation === "string" ? `git ${operation}` : operation.text}`
}
