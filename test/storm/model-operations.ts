/** The operations of the model storm, each told to the model and to coffer in the same words. */
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
import type { CloneModel } from "./model-clone.js"
import type { Person, Role } from "./model-keyring.js"
import { add, createGroup as create, dismiss, finish, join, rotate } from "./model-people.js"
import { remove, rollBack, type SetWish, set, type TransferWish, transfer, undelete } from "./model-values.js"

export const PEOPLE: readonly Person[] = ["ana", "tom", "eva", "max", "bot"]
export const OWNERS: readonly Person[] = ["ana", "tom"]
export const NAMES = ["A", "B", "ops/K", "prod/X", "prod/Y", "prod/eu/Z"]

/** An operation on a store: what the model does with it and what coffer does. Both give whether it changed anything. */
export interface StoreOperation {
  readonly text: string
  expect(clone: CloneModel, who: { by: Person; at: number }): boolean
  run(store: Store, at: Date, cards: ReadonlyMap<Person, Card>): Promise<{ changed: boolean }>
}

/** `meet`: the other clone pushes what it may, then this one pulls. */
export type GitOperation = "switch" | "merge" | "pull" | "push" | "meet"

/** One step of a sequence. It means the same whichever steps come before it. */
export interface Step {
  readonly clone: 0 | 1
  readonly by: Person
  readonly operation: StoreOperation | GitOperation
  /** For what is settled on the way: sides of conflicts, probes. */
  readonly roll: number
}

export function setting(wanted: SetWish): StoreOperation {
  const { name, value, meta, cas } = wanted
  const words = [value, meta && [...meta].join(), ...flag("--cas", cas)]
  return {
    text: ["set", name, ...words.filter(word => word !== undefined)].join(" "),
    expect: (clone, who) => clone.write(who, draft => set(draft, wanted)),
    run: (store, at) => {
      const bytes = value === undefined ? undefined : Buffer.from(value)
      return setSecret(store, { name: parseSecretName(name), value: bytes, meta, cas, at })
    },
  }
}

export function deleting(wanted: { name: string; cas?: number | undefined }): StoreOperation {
  return {
    text: ["delete", wanted.name, ...flag("--cas", wanted.cas)].join(" "),
    expect: (clone, who) => clone.write(who, draft => remove(draft, wanted)),
    run: (store, at) =>
      deleteSecrets(store, { deletions: [{ name: parseSecretName(wanted.name), cas: wanted.cas }], at }),
  }
}

export function undeleting(name: string): StoreOperation {
  return {
    text: `undelete ${name}`,
    expect: (clone, who) => clone.write(who, draft => undelete(draft, name)),
    run: (store, at) => undeleteSecret(store, { name: parseSecretName(name), at }),
  }
}

export function rollingBack(name: string, version: number): StoreOperation {
  return {
    text: `rollback ${name}@${version}`,
    expect: (clone, who) => clone.write(who, draft => rollBack(draft, name, version)),
    run: (store, at) => rollbackSecret(store, { name: parseSecretName(name), choice: { version }, at }),
  }
}

export function transferring(wanted: TransferWish): StoreOperation {
  const { kind, from, to, version, force } = wanted
  const source = version === undefined ? from : `${from}@${version}`
  const [a, b] = [parseSecretName(from), parseSecretName(to)]
  return {
    text: [kind, source, to, ...(force ? ["--force"] : [])].join(" "),
    expect: (clone, who) => clone.write(who, draft => transfer(draft, wanted)),
    run: (store, at) => transferSecret(store, kind, { from: a, to: b, version, force, at }),
  }
}

export function rotating(groups: readonly string[], retire: boolean): StoreOperation {
  return {
    text: ["rotate", ...groups, ...(retire ? ["--compromised"] : [])].join(" "),
    expect: (clone, who) => clone.write(who, draft => rotate(draft, { groups, retire })),
    run: (store, at) => rotateGroups(store, { groups, compromised: retire, at }),
  }
}

interface Placing {
  readonly name: Person
  readonly role: Role
  readonly groups: readonly string[]
}

export function adding(wanted: Placing): StoreOperation {
  return {
    text: `recipients add ${wanted.name} --role ${wanted.role} -g ${wanted.groups.join(" -g ")}`,
    expect: (clone, who) => clone.write(who, draft => add(draft, wanted)),
    run: (store, at, cards) => addRecipient(store, { ...wanted, card: cards.get(wanted.name), at }),
  }
}

/** @param wanted.groups - none: every group. */
export function removing(wanted: Omit<Placing, "role">): StoreOperation {
  return {
    text: ["recipients remove", wanted.name, ...wanted.groups.map(group => `-g ${group}`)].join(" "),
    expect: (clone, who) => clone.write(who, draft => dismiss(draft, wanted)),
    run: (store, at) => removeRecipient(store, { ...wanted, at }),
  }
}

export function grouping(group: string, members: readonly Omit<Placing, "groups">[]): StoreOperation {
  return {
    text: ["group create", group, ...members.map(({ name, role }) => `--member ${name}:${role}`)].join(" "),
    expect: (clone, who) => clone.write(who, draft => create(draft, { group, members })),
    async run(store, at) {
      return { changed: (await createGroup(store, { group, members, at })).commit !== null }
    },
  }
}

/** @param accept - who is taken in by name, of those whom one side added. */
export function joining(accept: readonly Person[]): StoreOperation {
  return {
    text: `rotate --merge --accept ${accept.join()}`,
    expect: (clone, who) => clone.write({ ...who, merging: true }, draft => join(draft, { accept })),
    run: (store, at) => mergeKeyrings(store, { accept, at }),
  }
}

/** @param accept - whose files are taken in, of those who may not write now. */
export function finishing(accept: readonly Person[]): StoreOperation {
  return {
    text: `rotate --finish --accept ${accept.join()}`,
    expect: (clone, who) => clone.write(who, draft => finish(draft, { accept })),
    run: (store, at) => finishRotation(store, { accept, at }),
  }
}

export const ACCEPTING: StoreOperation = {
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

const flag = (name: string, value: number | undefined) => (value === undefined ? [] : [`${name} ${value}`])

export function describeStep({ clone, by, operation }: Step): string {
  return `${"AB"[clone]} ${by}: ${typeof operation === "string" ? `git ${operation}` : operation.text}`
}
