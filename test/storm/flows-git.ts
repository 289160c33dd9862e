/** The ways in which git brings one branch's changes to another, each up to where a conflict stops it. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import type { Outcome } from "../call.js"
import type { Pair, Person } from "./flows-pair.js"

/** A flow: how it starts, and how it goes on once nothing is in conflict any more. */
interface GitFlow {
  start(pair: Pair): Outcome
  /** Whether git waits for somebody. */
  waits(ana: Person): boolean
  proceed(ana: Person): Outcome
  /** What git tells to do where a step has become empty. */
  skip?(ana: Person): Outcome
}

export type FlowName = "merge" | "rebase" | "cherry-pick" | "stash" | "squash" | "revert"
export const FLOWS: readonly FlowName[] = ["merge", "rebase", "cherry-pick", "stash", "squash", "revert"]

const THEIRS = "origin/main"

const merge: GitFlow = {
  start: ({ ana }) => ana.git("merge", "--no-edit", THEIRS),
  waits: ana => has(ana, "MERGE_HEAD"),
  proceed: ana => ana.git("commit", "--no-edit"),
}

export const GIT_FLOWS: Readonly<Record<FlowName, GitFlow>> = {
  merge,
  rebase: {
    start: ({ ana }) => ana.git("rebase", THEIRS),
    waits: ana => has(ana, "rebase-merge"),
    proceed: ana => ana.git("-c", "core.editor=true", "rebase", "--continue"),
    skip: ana => ana.git("rebase", "--skip"),
  },
  "cherry-pick": {
    start: ({ ana, base }) => ana.git("cherry-pick", `${base}..${THEIRS}`),
    waits: ana => has(ana, "CHERRY_PICK_HEAD") || has(ana, "sequencer"),
    proceed: ana => ana.git("-c", "core.editor=true", "cherry-pick", "--continue"),
    skip: ana => ana.git("cherry-pick", "--skip"),
  },
  // What ana has not committed yet: put aside, tom's taken in, and taken out again.
  stash: {
    start: ({ ana, base }) => {
      ana.mustGit("reset", "-q", "--soft", base)
      ana.mustGit("stash")
      ana.mustGit("merge", "--ff-only", THEIRS)
      return ana.git("stash", "pop")
    },
    waits: ana => ana.git("status", "--porcelain").stdout !== "",
    proceed: ana => commitAll(ana, "what was in the stash"),
  },
  squash: {
    start: ({ ana }) => ana.git("merge", "--squash", THEIRS),
    waits: ana => ana.git("status", "--porcelain").stdout !== "",
    proceed: ana => commitAll(ana, "all of it in one commit"),
  },
  // After a merge that has been settled: everything that tom's branch brought is taken back.
  revert: {
    start: ({ ana, base }) => ana.git("revert", "--no-edit", `${base}..${THEIRS}`),
    waits: ana => has(ana, "REVERT_HEAD") || has(ana, "sequencer"),
    proceed: ana => ana.git("-c", "core.editor=true", "revert", "--continue"),
    skip: ana => ana.git("revert", "--skip"),
  },
}

export function isConflicted(ana: Person): boolean {
  return ana.git("ls-files", "-u").stdout !== ""
}

function has(ana: Person, path: string): boolean {
  return existsSync(join(ana.arena.repository, ".git", path))
}

function commitAll(ana: Person, message: string): Outcome {
  ana.git("add", "-A")
  return ana.git("commit", "-m", message)
}
