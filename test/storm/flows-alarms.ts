/** What people do with branches every day raises no alarm; what takes a secret back does. */
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { CANARY } from "./arena.js"
import type { Pair, Person } from "./flows-pair.js"

interface Scene {
  /** The code that `check` has to find; none where all is in order. */
  readonly alarm?: string
  play(pair: Pair): void
}

const set = (person: Person, value: string) => person.must(["set", "A"], `${CANARY} ${value}`)
const look = (person: Person) => person.must(["get", "A"])

export const SCENES: Readonly<Record<string, Scene>> = {
  "branch switch": {
    play({ ana }) {
      ana.mustGit("switch", "-qc", "topic")
      set(ana, "topic")
      ana.mustGit("switch", "-q", "main")
      look(ana)
      ana.mustGit("switch", "-q", "topic")
    },
  },
  "older topic branch": {
    play({ ana, base }) {
      set(ana, "second")
      look(ana)
      ana.mustGit("switch", "-qc", "topic", base)
    },
  },
  "release branch": {
    play({ ana, base }) {
      set(ana, "second")
      set(ana, "third")
      ana.mustGit("switch", "-qc", "release", base)
      set(ana, "hot fix")
    },
  },
  "tag checkout": {
    play({ ana, base }) {
      ana.mustGit("tag", "v1", base)
      set(ana, "second")
      ana.mustGit("switch", "-q", "--detach", "v1")
    },
  },
  bisect: {
    play({ ana, base }) {
      for (const value of ["second", "third", "fourth"]) set(ana, value)
      ana.mustGit("bisect", "start", "HEAD", base)
      ana.must(["check"])
      look(ana)
      ana.mustGit("bisect", "bad")
      look(ana)
      ana.mustGit("bisect", "reset")
    },
  },
  "reset of an unpushed commit": {
    play({ ana }) {
      set(ana, "second")
      look(ana)
      ana.mustGit("reset", "-q", "--hard", "HEAD~1")
    },
  },
  "replay of an older version": {
    alarm: "ROLLED_BACK",
    play(pair) {
      set(pair.tom, "second")
      byHand(pair, tom => tom.mustGit("checkout", "-q", pair.base, "--", "secrets/A.yaml"))
    },
  },
  "deletion by hand": {
    alarm: "SECRET_MISSING",
    play: pair => byHand(pair, tom => rmSync(join(tom.arena.repository, "secrets/A.yaml"))),
  },
  "force-push": {
    alarm: "HISTORY_REWRITTEN",
    play({ ana, tom, base }) {
      set(tom, "second")
      tom.mustGit("push", "-q")
      ana.mustGit("pull", "-q")
      look(ana)
      tom.mustGit("reset", "-q", "--hard", base)
      writeFileSync(join(tom.arena.repository, "other.txt"), "other\n")
      commitUnseen(tom)
      tom.mustGit("push", "-qf", "--no-verify")
      ana.mustGit("fetch", "-q")
      ana.mustGit("reset", "-q", "--hard", "origin/main")
    },
  },
}

/** Somebody changes a file without coffer, pushes it past the hooks, and ana, who knew better, pulls. */
function byHand({ ana, tom }: Pair, change: (tom: Person) => void): void {
  tom.mustGit("push", "-q")
  ana.mustGit("pull", "-q")
  look(ana)
  change(tom)
  commitUnseen(tom)
  tom.mustGit("push", "-q", "--no-verify")
  ana.mustGit("pull", "-q")
}

function commitUnseen(tom: Person): void {
  tom.mustGit("add", "-A")
  tom.mustGit("commit", "-q", "--no-verify", "-m", "by hand")
}

/** @returns what is said, and should not be, or is not */
export function playScene(pair: Pair, name: string): string[] {
  const { alarm, play } = SCENES[name]!
  pair.reset("base")
  pair.said.length = 0
  play(pair)
  const { status, stdout } = pair.ana.coffer(["check", "--json"])
  const { problems } = JSON.parse(stdout) as { problems: { code: string; level: string }[] }
  const codes = problems.filter(({ level }) => level === "error").map(({ code }) => code)
  const get = pair.ana.coffer(["get", "A"])
  if (alarm === undefined) {
    const said = codes.length > 0 || status !== 0 || get.status !== 0 || get.stderr !== ""
    return said ? [`${name}: a false alarm: ${codes.join()} ${get.stderr}`] : []
  }
  const isRaised = codes.includes(alarm) && get.status !== 0
  return isRaised ? [] : [`${name}: no alarm: ${codes.join()}; get: ${get.status} ${get.stderr}`]
}
