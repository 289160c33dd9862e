/** What two people do at the same time, for the storm of git flows. */
import { CANARY } from "./arena.js"

/** One coffer command. */
export interface Step {
  readonly args: readonly string[]
  readonly input?: string
}

export interface Case {
  readonly ours: readonly Step[]
  readonly theirs: readonly Step[]
  /** Further secrets in the store, for what touches all of them. */
  readonly more?: number
}

/** The values that a side writes, by secret. */
export interface Written {
  readonly name: string
  readonly value: string
}

const set = (name: string, value: string, ...args: string[]): Step => ({
  args: ["set", name, ...args],
  input: `${CANARY} ${value}`,
})
const run = (...args: string[]): Step => ({ args })
const add = (name: string): Step => ({ args: ["recipients", "add", name, `@${name}`] })

const OURS = set("A", "ours")
const THEIRS = set("A", "theirs")
const ROTATE = run("rotate")
const DELETE = run("delete", "A")
const MOVE = run("move", "A", "Z")
const PURGE = [run("delete", "A"), run("delete", "A", "--purge")]

/**
 * By what stands in the table: ours is ana's branch, theirs is tom's. The store holds A to D, all live, and
 * the tombstone T. `@eva` stands for eva's card.
 */
export const CASES: Readonly<Record<string, Case>> = {
  "set A / set B": { ours: [OURS], theirs: [set("B", "theirs")] },
  "set A / set A": { ours: [OURS], theirs: [THEIRS] },
  "set N / set N (new)": { ours: [set("N", "ours")], theirs: [set("N", "theirs")] },
  "set A / the owner of A": { ours: [OURS], theirs: [set("A", "first of A", "--meta", "owner=tom")] },
  "set A / delete A": { ours: [OURS], theirs: [DELETE] },
  "delete A / set A": { ours: [DELETE], theirs: [THEIRS] },
  "delete A / delete A": { ours: [DELETE], theirs: [DELETE] },
  "set A / rotate": { ours: [OURS], theirs: [ROTATE] },
  "rotate / set A": { ours: [ROTATE], theirs: [THEIRS] },
  "rotate / delete A": { ours: [ROTATE], theirs: [DELETE] },
  "set A / move A Z": { ours: [OURS], theirs: [MOVE] },
  "move A Z / set A": { ours: [MOVE], theirs: [THEIRS] },
  "move A Z / move A Y": { ours: [MOVE], theirs: [run("move", "A", "Y")] },
  "set A / purge A": { ours: [OURS], theirs: PURGE },
  "purge A / set A": { ours: PURGE, theirs: [THEIRS] },
  "set A / purge A, set N": { ours: [OURS], theirs: [...PURGE, set("N", "theirs")] },
  "purge A, set N / set A": { ours: [...PURGE, set("N", "ours")], theirs: [THEIRS] },
  "undelete T / purge T": { ours: [run("undelete", "T")], theirs: [run("delete", "T", "--purge")] },
  "rotate / purge T": { ours: [ROTATE], theirs: [run("delete", "T", "--purge")] },
  "rotate / add eva": { ours: [ROTATE], theirs: [add("eva")] },
  "add eva / rotate": { ours: [add("eva")], theirs: [ROTATE] },
  "rotate / rotate (500 files)": { ours: [ROTATE], theirs: [ROTATE], more: 500 },
  "rotate, set A / rotate, set A": { ours: [ROTATE, OURS], theirs: [ROTATE, THEIRS] },
  "add eva / add bob": { ours: [add("eva")], theirs: [add("bob")] },
  "set A / remove eve": { ours: [OURS], theirs: [run("recipients", "remove", "eve")] },
  "remove eve / set A": { ours: [run("recipients", "remove", "eve")], theirs: [THEIRS] },
}

export function writtenBy(steps: readonly Step[]): Written[] {
  return steps.flatMap(({ args: [command, name], input }) =>
    command === "set" ? [{ name: name!, value: input! }] : [],
  )
}
