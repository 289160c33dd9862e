/** What the hooks and `check --staged` / `--range` have to say. */
import { type Checks, FLAG, objectOf, optional, TIME } from "../format/given.js"
import type { Finding } from "../keyring/findings.js"
import type { Oid } from "../storage/git/git.js"
import { counts, type FailOn, WARNINGS } from "./check.js"

/** What `check` may ask for beyond what the hooks look at. */
export interface GuardDemands {
  /** Every store has to be pinned here: `CHECK_INCOMPLETE` without. */
  readonly requirePin?: boolean | undefined
  /** Warnings that count. Where there are some, stores are looked at whole, as they are at the moment `at`. */
  readonly failOn?: { readonly kinds: readonly FailOn[]; readonly at: Date } | undefined
}

/** The fields of {@link GuardDemands}. */
export const DEMANDS: Checks<GuardDemands> = {
  requirePin: optional(FLAG),
  failOn: optional(objectOf<{ kinds: readonly FailOn[]; at: Date }>({ kinds: WARNINGS, at: TIME })),
}

/** One thing that stands against a commit or a push, or is worth saying about it. */
export interface GuardFinding extends Finding {
  /** Relative to the work tree. */
  readonly path: string
  /** Where it was found, if not in what is about to be committed. */
  readonly commit?: Oid
}

/** What a hook, or `check --staged` and `--range`, came to. */
export interface GuardReport {
  readonly findings: readonly GuardFinding[]
  /** What could not be looked at, and why: always worth saying. */
  readonly notes: readonly string[]
  /** Names of the secrets whose values are too plain to be looked for. */
  readonly notWatched: readonly string[]
  readonly checked: { readonly files: number; readonly commits: number }
  /** Whether anything stands against it: findings of level error, and those that were asked for. */
  readonly failed: boolean
}

/** A report while it is being made. */
export interface Collector {
  readonly findings: GuardFinding[]
  readonly notes: Set<string>
  notWatched: readonly string[]
  files: number
  commits: number
}

export function newCollector(): Collector {
  return { findings: [], notes: new Set(), notWatched: [], files: 0, commits: 0 }
}

/** Refs that are pushed together share commits: what is found twice is said once. */
export function finishReport(
  { findings, notes, notWatched, files, commits }: Collector,
  { failOn }: GuardDemands = {},
): GuardReport {
  const unique = new Map(findings.map(found => [`${found.code} ${found.commit} ${found.message}`, found]))
  return {
    findings: [...unique.values()],
    notes: [...notes],
    notWatched,
    checked: { files, commits },
    failed: findings.some(finding => counts(finding, failOn?.kinds ?? [])),
  }
}
