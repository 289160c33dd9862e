/** Runs one flow to its end by what coffer's own messages say to type, and notes each step. */
import type { Random } from "../keyring/histories.js"
import { type FlowName, GIT_FLOWS, isConflicted } from "./flows-git.js"
import type { Pair, Person } from "./flows-pair.js"

interface Finding {
  readonly code: string
  readonly level: string
  readonly path: string | null
  readonly message: string
  readonly hint: string | null
}

/** What happened, in the order in which it did. */
export interface Settled {
  readonly steps: readonly string[]
  /** Secrets that were said to be in conflict, or that a finding was about. */
  readonly named: ReadonlySet<string>
  /** Files that the last check opened, and found nothing wrong. */
  readonly opened: number
}

interface Flow {
  readonly pair: Pair
  readonly ana: Person
  readonly random: Random
  readonly steps: string[]
  readonly named: Set<string>
}

/** More than any flow needs: what goes on longer does not end. */
const ROUNDS = 12

/** @throws Error where a message leads nowhere */
export function settleFlow(pair: Pair, name: FlowName, random: Random): Settled {
  const flow: Flow = { pair, ana: pair.ana, random, steps: [], named: new Set() }
  if (name === "revert") {
    runGit(flow, "merge")
    mend(flow)
    // What is told is the revert.
    flow.steps.length = 0
  }
  runGit(flow, name)
  return { ...flow, opened: mend(flow) }
}

function runGit(flow: Flow, name: FlowName): void {
  const { start, waits, proceed } = GIT_FLOWS[name]
  const { ana } = flow
  let last = start(flow.pair)
  if (!isConflicted(ana)) note(flow, last.status === 0 ? "clean" : "nothing left to do")
  for (let round = 0; waits(ana); round++) {
    if (round > ROUNDS) throw new Error(`${name} does not end: ${last.stdout}${last.stderr}`)
    if (isConflicted(ana) && !resolveConflicts(flow, name)) return
    last = proceed(ana)
    if (last.status !== 0 && !isConflicted(ana) && !goOn(flow, name, last.stdout + last.stderr)) return
  }
}

/** What git, or coffer's hook, says to do where a step makes no commit. @returns whether git goes on */
function goOn(flow: Flow, name: FlowName, said: string): boolean {
  const { skip } = GIT_FLOWS[name]
  if (/nothing (added )?to commit|is now empty|no changes|working tree clean/i.test(said)) {
    skip?.(flow.ana)
    return skip !== undefined
  }
  if (/git commit --no-verify, then coffer rotate \S+ --finish/.test(said)) {
    note(flow, "commit --no-verify")
    flow.ana.mustGit("commit", "--no-verify", "-m", name)
    return true
  }
  throw new Error(`${name}: ${said}`)
}

/**
 * `coffer resolve`, then a choice for each true conflict.
 *
 * @returns false where a revert would take a keyring back: it is given up
 */
function resolveConflicts(flow: Flow, name: FlowName): boolean {
  const { ana, random } = flow
  const { status, stdout, stderr } = ana.coffer(["resolve", "--json"])
  if (name === "revert" && status === 12) {
    note(flow, refusedAs(stderr))
    ana.mustGit("revert", "--abort")
    note(flow, "revert --abort")
    return false
  }
  if (status !== 0 && status !== 13) throw new Error(`resolve: ${status} ${stderr}`)
  const { resolved, conflicts } = JSON.parse(stdout) as { resolved: string[]; conflicts: { name: string }[] }
  if (resolved.length > 0) note(flow, "resolve")
  for (const conflict of conflicts) {
    flow.named.add(conflict.name)
    ana.must(["resolve", conflict.name, random() < 0.5 ? "--ours" : "--theirs"])
    note(flow, "choose")
  }
  return true
}

function refusedAs(stderr: string): string {
  return `refused (${JSON.parse(stderr.trim().split("\n").at(-1)!).error.code})`
}

/** Whatever `check` finds is put right by the command that its hint names. @returns files that it opens then */
function mend(flow: Flow): number {
  for (let round = 0; round < ROUNDS; round++) {
    const { status, stdout, stderr } = flow.ana.coffer(["check", "--json"])
    if (status !== 0 && status !== 3) throw new Error(`check: ${status} ${stderr}`)
    const { checked, problems } = JSON.parse(stdout) as { checked: { opened: number }; problems: Finding[] }
    const finding = problems.find(({ level, code }) => level === "error" || code === "DIVERGED")
    if (finding === undefined) return checked.opened
    for (const { path } of problems) if (path !== null) flow.named.add(path.replace(/\.yaml$/, ""))
    note(flow, finding.code)
    mendOne(flow, finding)
  }
  throw new Error("what check finds does not end")
}

function mendOne(flow: Flow, { code, path, message, hint }: Finding): void {
  const { ana } = flow
  const [, commit, file] = /git checkout ([0-9a-f]{7}) -- ([^\s,]+)/.exec(hint ?? "") ?? []
  if (code === "DIVERGED") {
    ana.must(["rotate", "--merge", "--accept", "eva", "--accept", "bob"])
    note(flow, "rotate --merge")
  } else if (hint?.includes("--finish")) {
    ana.must(["rotate", "--finish", "--accept", "tom", "--accept", "ana"])
    note(flow, "rotate --finish")
  } else if (commit !== undefined && file !== undefined) {
    ana.mustGit("checkout", commit, "--", file)
    ana.mustGit("commit", "-m", "bring it back")
    note(flow, "git checkout")
    goBack(flow, hint!)
  } else if (path?.startsWith(".coffer/keys/")) {
    // A key record that a revert took away: taking back the revert is what brings it back.
    ana.mustGit("revert", "--no-edit", "HEAD")
    note(flow, "revert the revert")
  } else {
    throw new Error(`${code}: ${message} (${hint})`)
  }
}

/** The command that does what was meant, where the hint names one. */
function goBack(flow: Flow, hint: string): void {
  const [, command, word] = /coffer (rollback|undelete) (\S+)/.exec(hint) ?? []
  if (command === undefined || word === undefined) return
  flow.ana.must([command, word])
  note(flow, command)
}

function note({ steps }: Flow, step: string): void {
  if (steps.at(-1) !== step) steps.push(step)
}
