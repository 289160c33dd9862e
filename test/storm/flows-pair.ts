/** Two people with a clone each and one remote, and all that was said on their terminals. */
import type { Outcome } from "../call.js"
import { Arena, CANARY } from "./arena.js"
import type { Case, Step } from "./flows-cases.js"

/** One of the two: whatever he runs is noted. */
export class Person {
  readonly arena: Arena
  readonly #said: string[]

  constructor(arena: Arena, said: string[]) {
    this.arena = arena
    this.#said = said
  }

  coffer(args: readonly string[], input = ""): Outcome {
    const outcome = this.arena.run({ input }, ...args)
    this.#said.push(outcome.stderr)
    return outcome
  }

  must(args: readonly string[], input = ""): Outcome {
    const outcome = this.coffer(args, input)
    if (outcome.status === 0) return outcome
    throw new Error(`coffer ${args.join(" ")}: ${outcome.status} ${outcome.stdout}${outcome.stderr}`)
  }

  /** git, also where it may fail; all of its output is noted. */
  git(...args: string[]): Outcome {
    const outcome = this.arena.tryGit(...args)
    this.#said.push(outcome.stdout, outcome.stderr)
    return outcome
  }

  mustGit(...args: string[]): string {
    const { status, stdout, stderr } = this.git(...args)
    if (status === 0) return stdout.trim()
    throw new Error(`git ${args.join(" ")}: ${status} ${stdout}${stderr}`)
  }
}

const LIVE = ["A", "B", "C", "D", "T"]

/** Ana's and tom's clones of one store: both are admins, eve is a writer, eva and bob are nobody yet. */
export class Pair {
  readonly ana: Person
  readonly tom: Person
  /** The commit that both have. */
  readonly base: string
  /** stderr of coffer and all output of git, of both, since the last {@link reset}. */
  readonly said: string[] = []
  readonly #arena = new Arena("system")
  readonly #cards: ReadonlyMap<string, string>

  constructor(more = 0) {
    this.#arena.create()
    this.ana = new Person(this.#arena, this.said)
    const others = Array.from({ length: more }, (_, index) => `many/S${index}`)
    const lines = [...LIVE, ...others].map(name => ({ name, value: firstOf(name) }))
    this.ana.must(["set", "--batch"], lines.map(line => JSON.stringify(line)).join("\n"))
    this.ana.must(["delete", "T"])
    this.ana.must(["recipients", "add", "eve", this.#arena.newCard("eve")])
    this.#cards = new Map(["eva", "bob"].map(name => [name, this.#arena.newCard(name)]))
    this.#arena.share()
    this.tom = new Person(this.#arena.clone("tom"), this.said)
    const card = this.tom.must(["identity", "new"]).stdout.trim()
    this.ana.must(["recipients", "add", "tom", card, "--role", "admin"])
    this.ana.mustGit("push", "-q")
    this.tom.mustGit("pull", "-q")
    this.tom.arena.join(this.ana.must(["trust", "pin"]).stdout.trim())
    for (const { arena } of [this.ana, this.tom]) arena.must("check")
    this.base = this.#arena.git("rev-parse", "HEAD")
    this.#arena.keep("base")
  }

  /** Both change something, without knowing of each other; tom is the first to push. */
  diverge({ ours, theirs }: Pick<Case, "ours" | "theirs">): void {
    this.reset("base")
    for (const step of theirs) this.take(this.tom, step)
    this.tom.mustGit("push", "-q")
    for (const step of ours) this.take(this.ana, step)
    this.ana.mustGit("fetch", "-q")
    this.#arena.keep("diverged")
  }

  reset(to: "base" | "diverged"): void {
    this.#arena.reset(to)
    this.said.length = 0
  }

  take(person: Person, { args, input }: Step): Outcome {
    const words = args.map(word => (word.startsWith("@") ? this.#cards.get(word.slice(1))! : word))
    return person.must(words, input)
  }

  remove(): void {
    this.#arena.remove()
  }
}

/** The value that a secret has at the base. */
export function firstOf(name: string): string {
  return `${CANARY} first of ${name}`
}
