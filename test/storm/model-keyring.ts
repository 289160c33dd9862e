/** What a user may expect of key records: which count, who may do what with them, who could read. */

export type Person = string
export type Role = "admin" | "writer" | "rotator" | "reader"
export const ROOT = "default"

/** An expected refusal. */
export class Refused extends Error {
  readonly code: string
  constructor(code: string) {
    super(code)
    this.code = code
  }
}

/** One key record. Identity is the object; `label` is the id that coffer drew for it. */
export interface Rec {
  readonly group: string
  readonly number: number
  readonly parents: readonly Rec[]
  /** Itself and all records before it. */
  readonly ancestors: ReadonlySet<Rec>
  readonly reason: string
  readonly members: ReadonlyMap<Person, Role>
  readonly oldest: number
  readonly author: Person
  /** Of the root group: what it lists for the others. */
  readonly listed: ReadonlyMap<string, Rec>
  label: string
}

export interface NextRec {
  readonly group: string
  readonly reason: string
  readonly author: Person
  readonly members: ReadonlyMap<Person, Role>
  readonly listed?: ReadonlyMap<string, Rec> | undefined
  readonly retire?: boolean
}

/** Older data keys stay usable only where nobody loses anything. */
export function makeRec(next: NextRec, parents: readonly Rec[]): Rec {
  const number = 1 + Math.max(0, ...parents.map(parent => parent.number))
  const [only, second] = parents
  const keeps =
    only !== undefined &&
    second === undefined &&
    [...only.members].every(([name, role]) => next.members.get(name) === role)
  const ancestors = new Set(parents.flatMap(parent => [...parent.ancestors]))
  const rec: Rec = {
    group: next.group,
    number,
    parents,
    ancestors,
    reason: next.reason,
    members: next.members,
    oldest: keeps && next.retire !== true ? only.oldest : number,
    author: next.author,
    listed: next.listed ?? only?.listed ?? new Map(),
    label: "",
  }
  ancestors.add(rec)
  return rec
}

export interface Problem {
  readonly code: string
  readonly path: string
  readonly isError: boolean
}

/** The records of one group that count in one tree. */
export interface GroupView {
  readonly group: string
  readonly records: readonly Rec[]
  /** Newest first. */
  readonly current: readonly Rec[]
  readonly behind: boolean
  readonly listed: readonly Rec[]
}

export interface View {
  readonly groups: ReadonlyMap<string, GroupView>
  readonly listed: ReadonlyMap<string, readonly Rec[]>
  readonly problems: readonly Problem[]
}

/** What a clone trusts. */
export interface Trust {
  readonly pin: Rec
  readonly newest: ReadonlyMap<string, Rec>
}

/** @param below - only these groups, and whatever lies in their folders, are looked at besides the root group. */
export function view(all: Iterable<Rec>, trust: Trust, below?: readonly string[]): View {
  const isWanted = (group: string) =>
    group === ROOT ||
    below === undefined ||
    below.some(folder => group === folder || group.startsWith(`${folder}/`))
  const records = [...all].filter(rec => isWanted(rec.group))
  const problems: Problem[] = []
  const groups = new Map<string, GroupView>()
  const listed = new Map<string, Rec[]>()
  const judge = (group: string, hashes: readonly Rec[]) => {
    const own = records.filter(rec => rec.group === group)
    const judged = judgeGroup(group, own, { ...trust, listed: hashes }, problems)
    if (judged !== undefined) groups.set(group, judged)
    return judged
  }
  const root = judge(ROOT, [])
  for (const { listed: lists } of root?.current ?? []) {
    for (const [group, rec] of lists) listed.set(group, [...new Set([...(listed.get(group) ?? []), rec])])
  }
  if (root === undefined) return { groups, listed, problems }
  const foreign = new Set(records.map(rec => rec.group).filter(group => group !== ROOT && !listed.has(group)))
  for (const group of foreign) problems.push(error("GROUP_NOT_LISTED", firstPath(records, group)))
  for (const group of [...listed.keys()].sort()) {
    if (below === undefined || below.includes(group)) judge(group, listed.get(group)!)
  }
  return { groups, listed, problems }
}

function firstPath(records: readonly Rec[], group: string): string {
  return records
    .filter(rec => rec.group === group)
    .map(recordPath)
    .sort()[0]!
}

function judgeGroup(
  group: string,
  records: readonly Rec[],
  trust: Trust & { listed: readonly Rec[] },
  problems: Problem[],
): GroupView | undefined {
  const newest = trust.newest.get(group)
  const required = [...(group === ROOT ? [trust.pin] : []), ...(newest === undefined ? [] : [newest])]
  const all = new Set([...records, ...(newest?.ancestors ?? [])])
  const behind = newest !== undefined && !records.includes(newest)
  const { listed } = trust
  const isAnchored = (tip: Rec) =>
    required.every(rec => tip.ancestors.has(rec)) &&
    (listed.length === 0 || listed.some(rec => tip.ancestors.has(rec)))
  const anchored = tipsOf(all).filter(isAnchored)
  const yields = (tip: Rec) => anchored.filter(other => other !== tip && yieldsTo(tip, other))
  const isMutual = (tip: Rec) => anchored.includes(tip) && yields(tip).some(other => yieldsTo(other, tip))
  // A record that something known follows is no line of its own: an older tree merely ends in it.
  const isRefused = (tip: Rec) => tipsOf(all).includes(tip) && yields(tip).length > 0
  const current = tipsOf(records).filter(tip => !isRefused(tip))
  if (anchored.length === 0 || tipsOf(all).some(isMutual) || current.length === 0) {
    problems.push(error("FORKED", "*"))
    return undefined
  }
  const refused = tipsOf(records).filter(tip => !current.includes(tip))
  for (const tip of refused) problems.push(warning("FORK_REFUSED", recordPath(tip)))
  if (current.length > 1) problems.push(warning("DIVERGED", recordPath(current[0]!)))
  if (behind) problems.push(warning("BEHIND", recordPath(current[0]!)))
  return { group, records, current, behind, listed }
}

/** Records that none follows, newest first. */
function tipsOf(records: Iterable<Rec>): readonly Rec[] {
  const all = [...records]
  const inner = new Set(all.flatMap(rec => rec.parents))
  return all
    .filter(rec => !inner.has(rec))
    .sort((a, b) => b.number - a.number || (a.label < b.label ? 1 : -1))
}

/** A line gives way where somebody signed it who lost that right in the other, or where no admin did. */
function yieldsTo(b: Rec, a: Rec): boolean {
  const own = (tip: Rec, other: Rec) => [...tip.ancestors].filter(rec => !other.ancestors.has(rec))
  const had = new Set([...a.ancestors].flatMap(rightsIn))
  const has = new Set(rightsIn(a))
  const isLost = (rec: Rec) => had.has(signedAs(rec)) && !has.has(signedAs(rec))
  if (own(b, a).some(rec => isLost(rec) && !isTakenBack(rec, own(a, b), own(b, a)))) return true
  const isByAdmin = (rec: Rec) => signedAs(rec).startsWith("admin ")
  return !own(b, a).some(isByAdmin) && own(a, b).some(isByAdmin)
}

/** He had lost the right for both lines to see, and was given it again on one; the other had nothing to do with it. */
function isTakenBack(signed: Rec, other: readonly Rec[], own: readonly Rec[]): boolean {
  const right = signedAs(signed)
  const has = (rec: Rec) => rightsIn(rec).includes(right)
  const without = (rec: Rec) => !has(rec) && !rec.parents.some(has)
  const since = (rec: Rec): boolean => rec.parents.filter(has).every(at => own.includes(at) && since(at))
  return other.every(without) && since(signed)
}

function signedAs({ author, members, parents }: Rec): string {
  const roles = (parents.length === 0 ? [members] : parents.map(parent => parent.members)).map(list =>
    list.get(author),
  )
  return roles.every(role => role === "admin") ? `admin ${author}` : `rotator ${author}`
}

function rightsIn({ members }: Rec): string[] {
  return [...members].flatMap(([name, role]) => {
    if (role === "admin") return [`admin ${name}`, `rotator ${name}`]
    return role === "rotator" ? [`rotator ${name}`] : []
  })
}

export const error = (code: string, path: string): Problem => ({ code, path, isError: true })
export const warning = (code: string, path: string): Problem => ({ code, path, isError: false })

function recordPath({ group, label }: Rec): string {
  return `.coffer/keys/${group}/${label}.yaml`
}

/** @throws Refused what any use of the view is refused with. */
export function requireSound({ problems }: View): void {
  const refusal = problems.find(({ isError }) => isError)
  if (refusal !== undefined) throw new Refused(refusal.code)
}

export function requireWritable(seen: View, merging: boolean): void {
  requireSound(seen)
  const groups = [...seen.groups.values()]
  if (groups.some(({ behind }) => behind)) throw new Refused("BEHIND")
  if (!merging && groups.some(({ current }) => current.length > 1)) throw new Refused("DIVERGED")
}

/** The longest listed path above a name, else the root group. */
export function groupOf(name: string, { listed }: Pick<View, "listed">): string {
  const above = [...listed.keys()].filter(group => name.startsWith(`${group}/`))
  return above.sort((a, b) => b.length - a.length)[0] ?? ROOT
}

/** A person's role in a group. @throws Refused `REMOVED`, `NOT_A_MEMBER` */
export function roleIn({ current }: GroupView, by: Person): Role {
  const role = current.map(tip => tip.members.get(by)).find(found => found !== undefined)
  if (role !== undefined) return role
  const was = current.some(tip => [...tip.ancestors].some(rec => rec.members.has(by)))
  throw new Refused(was ? "REMOVED" : "NOT_A_MEMBER")
}

export const canWrite = (role: Role | undefined) => role === "admin" || role === "writer"

/** @throws Refused where the data key cannot be reached */
export function requireKey({ current }: GroupView, by: Person, key: Rec): void {
  const holders = current.filter(tip => tip.ancestors.has(key))
  if (holders.length === 0) throw new Refused("KEY_UNKNOWN")
  // Either in a record now, or in one between the key and now: each hands on all keys before it.
  const isIn = (rec: Rec) => rec.ancestors.has(key) && rec.members.has(by)
  if (!holders.some(tip => [...tip.ancestors].some(isIn))) throw new Refused("HISTORY_CUT")
}

/** Who could sign records in `anchor` or since and cannot now. */
export function lostSince({ current }: GroupView, anchor: Rec): boolean {
  const has = new Set(current.flatMap(rightsIn))
  const since = current.flatMap(tip => [...tip.ancestors]).filter(rec => rec.ancestors.has(anchor))
  return since.some(rec => rightsIn(rec).some(right => !has.has(right)))
}

/** What the root group should list. */
export function renewedListing(seen: View): Map<string, Rec> {
  return new Map(
    [...seen.listed].map(([group, [listed]]) => {
      const found = seen.groups.get(group)
      const isOld = found?.current.length === 1 && lostSince(found, listed!)
      return [group, isOld ? found.current[0]! : listed!]
    }),
  )
}

/** The view once `rec` follows all current records of its group. */
export function withRec(seen: View, rec: Rec): View {
  const before = seen.groups.get(rec.group)
  const after: GroupView = {
    group: rec.group,
    records: [...(before?.records ?? []), rec],
    current: [rec],
    behind: false,
    listed: before?.listed ?? [rec],
  }
  const listed =
    rec.group === ROOT ? new Map([...rec.listed].map(([group, listing]) => [group, [listing]])) : seen.listed
  return { ...seen, groups: new Map(seen.groups).set(rec.group, after), listed }
}
