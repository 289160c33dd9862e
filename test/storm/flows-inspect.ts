/** What has to hold after every flow, whatever its outcome. */
import { CANARY } from "./arena.js"
import { type Case, type Written, writtenBy } from "./flows-cases.js"
import { firstOf, type Pair, type Person } from "./flows-pair.js"
import type { Settled } from "./flows-settle.js"

/** @returns what does not hold */
export function inspectFlow(pair: Pair, { ours, theirs }: Case, settled: Settled): string[] {
  const failures: string[] = []
  const { ana } = pair
  if (ana.git("status", "--porcelain").stdout !== "") failures.push("something is left uncommitted")
  // The last thing that was done is a check that found nothing wrong: it has to have opened every file.
  const files = ana.mustGit("ls-files", "secrets/*.yaml", ":!secrets/.coffer").split("\n").length
  if (settled.opened < files) failures.push(`${settled.opened} of ${files} files open`)
  const written = [...writtenBy(ours), ...writtenBy(theirs)]
  const values = JSON.parse(ana.must(["export", "-p", ".", "--format", "json"]).stdout) as Values
  failures.push(...findStrays(values, written))
  for (const { name, value } of written) {
    if (!settled.named.has(name) && !Object.values(values).includes(value) && !isInHistory(ana, name, value))
      failures.push(`lost, and nobody said so: what was written to ${name}`)
  }
  failures.push(...findLeaks(pair), ...publish(pair))
  return failures
}

/** Present values by name. */
type Values = Readonly<Record<string, string>>

/** Secrets that hold what was written to another one: git pairs files that look alike. Y and Z are where A moves to. */
function findStrays(values: Values, written: readonly Written[]): string[] {
  return Object.entries(values)
    .filter(([name]) => name.length === 1)
    .filter(([name, value]) => {
      const source = name === "Y" || name === "Z" ? "A" : name
      const own = written.filter(other => other.name === source).map(other => other.value)
      return ![firstOf(source), ...own].includes(value)
    })
    .map(([name]) => `${name} holds what was never written to it`)
}

/** Whether it is an older version, here or where the secret was moved to. */
function isInHistory(ana: Person, name: string, value: string): boolean {
  return [name, "Y", "Z"].some(place => versionsOf(ana, place).includes(value))
}

/** Values of all versions that are named and open. */
function versionsOf(ana: Person, name: string): string[] {
  const { status, stdout } = ana.coffer(["versions", name, "--json"])
  if (status !== 0) return []
  const { versions } = JSON.parse(stdout) as { versions: { label: string; state: string }[] }
  return versions
    .filter(({ state }) => state === "current")
    .map(({ label }) => ana.coffer(["get", `${name}@${label}`]).stdout)
}

/** A value in the work tree, on a terminal, in what git shows, in a note, or anywhere in git's objects. */
function findLeaks({ ana, tom, base, said }: Pair): string[] {
  const shown = [ana, tom].flatMap(({ arena }) => [
    ["git diff", arena.tryGit("diff", base, "HEAD").stdout],
    ["git log -p", arena.tryGit("log", "-p", "--all", "--notes=*").stdout],
    ["git blame", arena.tryGit("blame", "secrets/B.yaml").stdout],
    ["git's objects", arena.tryGit("cat-file", "--batch-all-objects", "--batch").stdout],
  ])
  return [...shown, ["the terminal", said.join("\n")]]
    .filter(([, text]) => text!.includes(CANARY))
    .map(([where]) => `a value stands in ${where}`)
    .concat(ana.arena.plaintext().map(path => `a value stands in ${path}`))
}

/** What came of it is taken up by the other one without any alarm: on his branch, or on one that does not follow it. */
function publish({ ana, tom }: Pair): string[] {
  ana.mustGit("push", "-q", "origin", "HEAD:refs/heads/result")
  tom.mustGit("fetch", "-q")
  const follows = tom.git("merge-base", "--is-ancestor", "HEAD", "origin/result").status === 0
  if (follows) tom.mustGit("merge", "-q", "--ff-only", "origin/result")
  else tom.mustGit("switch", "-q", "--track", "origin/result")
  const { status, stdout, stderr } = tom.coffer(["check"])
  return status === 0 ? [] : [`tom's check: ${stdout}${stderr}`]
}
