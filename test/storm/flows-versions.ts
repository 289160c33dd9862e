/** Whether `coffer versions` still has its numbers, and the right reason, after history was changed. */
import { execFileSync } from "node:child_process"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { Arena, CANARY } from "./arena.js"
import type { Pair, Person } from "./flows-pair.js"

interface Told {
  /** Labels, newest first; the present one in brackets. */
  readonly versions: string
  readonly lost: string
  readonly why: string | undefined
}

interface Rewriting {
  readonly told: Told
  /** @returns where `coffer versions A` is asked */
  play(pair: Pair): Arena
}

const set = (person: Person, ...values: string[]) => {
  for (const value of values) person.must(["set", "A"], `${CANARY} ${value}`)
}
const remoteOf = ({ ana }: Pair) => join(ana.arena.root, "remote.git")

/** Four versions on a branch, of which main gets what it ended with. */
function squash({ ana }: Pair): void {
  ana.mustGit("switch", "-qc", "topic")
  set(ana, "second", "third", "fourth")
  ana.mustGit("switch", "-q", "main")
  ana.mustGit("merge", "-q", "--squash", "topic")
  ana.mustGit("commit", "-qm", "squashed")
  ana.mustGit("push", "-q", "origin", "main")
}

/** The remote's history in a repository whose objects have longer names. */
function convert(pair: Pair): Arena {
  const converted = new Arena("system", { root: pair.ana.arena.root, person: "converted" })
  const env = converted.env()
  mkdirSync(converted.repository)
  execFileSync("git", ["init", "-q", "-b", "main", "--object-format=sha256"], {
    cwd: converted.repository,
    env,
  })
  const maxBuffer = 1 << 28
  const stream = execFileSync("git", ["fast-export", "--all"], { cwd: remoteOf(pair), env, maxBuffer })
  const input = { input: stream, cwd: converted.repository, env }
  execFileSync("git", ["fast-import", "--quiet"], input)
  converted.git("reset", "-q", "--hard", "main")
  return converted
}

function filterBranch({ ana, base }: Pair, ...filter: string[]): void {
  execFileSync("git", ["filter-branch", "-f", ...filter, `${base}..main`], {
    cwd: ana.arena.repository,
    env: { ...ana.arena.env(), FILTER_BRANCH_SQUELCH_WARNING: "1" },
    stdio: "pipe",
  })
  ana.mustGit("push", "-qf", "--no-verify", "origin", "main")
}

const all: Told = { versions: "[3] 2 1", lost: "", why: undefined }

export const REWRITINGS: Readonly<Record<string, Rewriting>> = {
  "squash, then a fresh clone": {
    told: { versions: "[4] 1", lost: "2 3", why: "squashed" },
    play(pair) {
      squash(pair)
      return pair.ana.arena.clone("fresh")
    },
  },
  "a clone of depth 1": {
    told: { versions: "[3]", lost: "1 2", why: "shallow" },
    play(pair) {
      set(pair.ana, "second", "third")
      pair.ana.mustGit("push", "-q")
      return pair.ana.arena.clone("fresh", "--depth=1")
    },
  },
  "filter-branch of messages": {
    told: all,
    play(pair) {
      set(pair.ana, "second", "third")
      filterBranch(pair, "--msg-filter", "sed s/Set/Put/")
      return pair.ana.arena.clone("fresh")
    },
  },
  "filter-branch that leaves a commit out": {
    told: { versions: "[3] 1", lost: "2", why: "squashed" },
    play(pair) {
      set(pair.ana, "second", "third")
      const drop =
        'if git log -1 --format=%s $GIT_COMMIT | grep -q "version 2"; then skip_commit "$@"; else git commit-tree "$@"; fi'
      filterBranch(pair, "--commit-filter", drop)
      return pair.ana.arena.clone("fresh")
    },
  },
  "conversion to SHA-256": {
    told: all,
    play(pair) {
      set(pair.ana, "second", "third")
      pair.ana.mustGit("push", "-q")
      return convert(pair)
    },
  },
  "conversion to SHA-256 after a squash": {
    told: { versions: "[4] 1", lost: "2 3", why: "converted" },
    play(pair) {
      squash(pair)
      return convert(pair)
    },
  },
  revert: {
    told: { versions: "3 2 [1]", lost: "", why: undefined },
    play({ ana }) {
      set(ana, "second", "third")
      ana.mustGit("revert", "--no-edit", "HEAD", "HEAD~1")
      return ana.arena
    },
  },
  "revert, brought back, rolled back": {
    told: { versions: "[4] 3 2 1", lost: "", why: undefined },
    play({ ana }) {
      set(ana, "second", "third")
      ana.mustGit("revert", "--no-edit", "HEAD")
      ana.mustGit("checkout", "-q", "HEAD~1", "--", "secrets/A.yaml")
      ana.mustGit("commit", "-qm", "brought back")
      ana.must(["rollback", "A@2"])
      return ana.arena
    },
  },
}

/** @returns what is told wrongly */
export function playRewriting(pair: Pair, name: string): string[] {
  const { told, play } = REWRITINGS[name]!
  pair.reset("base")
  const arena = play(pair)
  const { stdout, stderr, status } = arena.run({}, "versions", "A", "--json")
  if (status !== 0) return [`${name}: ${stderr}`]
  const answer = JSON.parse(stdout) as {
    versions: { label: string; current: boolean }[]
    lost: number[]
    why: string | null
  }
  const found: Told = {
    versions: answer.versions.map(({ label, current }) => (current ? `[${label}]` : label)).join(" "),
    lost: answer.lost.join(" "),
    why: answer.why?.split(":")[0],
  }
  const same = JSON.stringify(found) === JSON.stringify(told)
  return same ? [] : [`${name}: told ${JSON.stringify(found)}, not ${JSON.stringify(told)}`]
}
