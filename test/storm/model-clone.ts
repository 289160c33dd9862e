/** A clone as the model has it: branches, what it has seen and trusts, and how one operation becomes a commit. */
import {
  canWrite,
  type GroupView,
  groupOf,
  type Person,
  type Rec,
  Refused,
  requireSound,
  requireWritable,
  roleIn,
  type Trust,
  type View,
  view,
} from "./model-keyring.js"
import { type Blob, findFault, findLoss, findOldFault, pathOf, requireOpen } from "./model-secrets.js"

export interface Commit {
  readonly parents: readonly Commit[]
  readonly ancestors: ReadonlySet<Commit>
  readonly secrets: ReadonlyMap<string, Blob>
  readonly records: ReadonlySet<Rec>
}

export function makeCommit(
  parents: readonly Commit[],
  secrets: ReadonlyMap<string, Blob>,
  records: ReadonlySet<Rec>,
): Commit {
  const ancestors = new Set(parents.flatMap(parent => [...parent.ancestors]))
  const commit = { parents, ancestors, secrets, records }
  ancestors.add(commit)
  return commit
}

/** Where two lines parted: in these flows always one commit. */
export function mergeBase(a: Commit, b: Commit): Commit {
  const common = [...a.ancestors].filter(commit => b.ancestors.has(commit))
  const inner = new Set(common.flatMap(commit => [...commit.ancestors].filter(other => other !== commit)))
  const [base, second] = common.filter(commit => !inner.has(commit))
  if (base === undefined || second !== undefined) throw new Error("the model expects one merge base")
  return base
}

/** Names in the order of their paths, as git and coffer walk them. */
export function inPathOrder(names: Iterable<string>): string[] {
  return [...names].sort((a, b) => (pathOf(a) < pathOf(b) ? -1 : 1))
}

/** Names of the groups that a secret could belong to. */
export function foldersOf(name: string): string[] {
  const segments = name.split("/")
  return segments.slice(1).map((_, index) => segments.slice(0, index + 1).join("/"))
}

export class CloneModel {
  readonly pin: Rec
  readonly branches: Map<string, Commit>
  branch = "main"
  newest = new Map<string, Rec>()
  readonly seen = new Map<string, Commit>()

  constructor(pin: Rec, start: Commit) {
    this.pin = pin
    this.branches = new Map([["main", start]])
  }

  get head(): Commit {
    return this.branches.get(this.branch)!
  }
  get trust(): Trust {
    return { pin: this.pin, newest: this.newest }
  }

  look(below?: readonly string[]): View {
    return view(this.head.records, this.trust, below)
  }

  /** What has been lost since the branch was seen last, in path order. */
  losses(seenNow: View): { name: string; code: string }[] {
    const seen = this.seen.get(this.branch)
    if (seen === undefined || seen === this.head) return []
    return inPathOrder(seen.secrets.keys()).flatMap(name => {
      const [before, present] = [seen.secrets.get(name)!, this.head.secrets.get(name)!]
      const code = before === present ? undefined : findLoss(before, present)
      if (code === undefined) return []
      // A tombstone in between that was purged, for all that can be told, excuses a number that starts anew.
      const [last] = [...this.logged(name, seen)]
        .filter(blob => blob.version > before.version && findOldFault(seenNow, blob) === undefined)
        .sort((a, b) => b.version - a.version)
      const isExcused = last?.state === "deleted" && findLoss(last, present) === undefined
      return isExcused ? [] : [{ name, code }]
    })
  }

  /** Every file that stood at a name's path in this branch's history. */
  logged(name: string, since?: Commit): Set<Blob> {
    const commits = [...this.head.ancestors].reverse().filter(commit => since?.ancestors.has(commit) !== true)
    return new Set(commits.map(({ secrets }) => secrets.get(name)).filter(blob => blob !== undefined))
  }

  /** After a view was used: newest records only ever move on; a branch counts as seen unless something is lost. */
  remember(seenNow: View): void {
    for (const { group, current, behind } of seenNow.groups.values()) {
      const [tip, second] = current
      const known = this.newest.get(group)
      if (second !== undefined || behind || (known !== undefined && !tip!.ancestors.has(known))) continue
      this.newest.set(group, tip!)
    }
    if (this.losses(seenNow).length === 0) this.seen.set(this.branch, this.head)
  }

  move(to: Commit): void {
    this.branches.set(this.branch, to)
  }

  /** @throws Refused as reading a value is refused */
  read(name: string, by: Person, conflicted: ReadonlySet<string> = new Set()): Blob {
    const seenNow = this.look(foldersOf(name))
    requireSound(seenNow)
    const loss = this.losses(seenNow).find(lost => lost.name === name)
    if (loss !== undefined) throw new Refused(loss.code)
    if (conflicted.has(name)) throw new Refused("CONFLICTED")
    const blob = this.head.secrets.get(name)
    const fault = blob && findFault(seenNow, blob)
    if (fault !== undefined) throw new Refused(fault)
    if (blob?.state !== "current") throw new Refused("NOT_FOUND")
    requireOpen(seenNow, by, blob)
    this.remember(seenNow)
    return blob
  }

  /** `trust accept --all`. */
  accept(): void {
    const fresh = view(this.head.records, { pin: this.pin, newest: new Map() })
    requireSound(fresh)
    this.newest = new Map()
    this.seen.set(this.branch, this.head)
    this.remember(fresh)
  }

  /**
   * One writing operation.
   *
   * @returns whether it changed anything. @throws Refused
   */
  write(how: { by: Person; at: number; merging?: boolean }, plan: (draft: Draft) => void): boolean {
    const seenNow = this.look()
    requireSound(seenNow)
    const [loss] = this.losses(seenNow)
    if (loss !== undefined) throw new Refused(loss.code)
    requireWritable(seenNow, how.merging ?? false)
    this.seen.set(this.branch, this.head)
    const draft = new Draft(this, seenNow, how)
    plan(draft)
    if (draft.secrets.size === 0 && draft.records.length === 0) return false
    const secrets = new Map([...this.head.secrets, ...draft.secrets])
    const records = new Set([...this.head.records, ...draft.records])
    // Who is taken back with the key he had brings his refused line back.
    requireWritable(view(records, this.trust), how.merging ?? false)
    this.move(makeCommit([this.head], secrets, records))
    this.remember(this.look())
    return true
  }
}

/** The files of one operation while it is being put together. */
export class Draft {
  readonly clone: CloneModel
  readonly view: View
  readonly by: Person
  readonly at: number
  readonly secrets = new Map<string, Blob>()
  readonly records: Rec[] = []

  constructor(clone: CloneModel, seenNow: View, { by, at }: { by: Person; at: number }) {
    this.clone = clone
    this.view = seenNow
    this.by = by
    this.at = at
  }

  group(name: string): GroupView {
    const found = this.view.groups.get(name)
    if (found === undefined) throw new Refused("NOT_FOUND")
    return found
  }

  /** @returns the newest data key of the group that a name belongs to. @throws Refused */
  keyForWriting(name: string): Rec {
    const group = this.group(groupOf(name, this.view))
    if (!canWrite(roleIn(group, this.by))) throw new Refused("ROLE_MISSING")
    return group.current[0]!
  }

  /** @throws Refused for a file that does not count */
  find(name: string): Blob | undefined {
    const blob = this.clone.head.secrets.get(name)
    const fault = blob && findFault(this.view, blob)
    if (fault !== undefined) throw new Refused(fault)
    return blob
  }

  /** Names below a path, in path order. */
  names(prefix = ""): string[] {
    const all = inPathOrder(this.clone.head.secrets.keys())
    return prefix === "" ? all : all.filter(name => name.startsWith(`${prefix}/`))
  }
}
