/**
 * Finds values that a merge dropped: `-Xours`, a hosted merge or a hand that took one side leave no
 * conflict and no trace in the result.
 *
 * @see DESIGN §3.5
 */
import { nameOfPath } from "../format/names.js"
import { findSecretFile, type SecretFile, writerOf } from "../format/secret-file.js"
import type { Finding } from "../keyring/findings.js"
import type { Git, Oid } from "../storage/git/git.js"

/** A merge: what it joins, and what came of it (`index` before it is committed). */
export interface Merge {
  readonly parents: readonly Oid[]
  readonly result: Oid | "index"
}

/**
 * Compares each side of a merge with its result: a value that a side wrote since the sides parted has to be
 * the result's, or named in the result's `previous`. Needs no key.
 */
export async function findLostUpdates(git: Git, folder: string, merge: Merge): Promise<Finding[]> {
  const findings = new Map<string, Finding>()
  const [first, ...others] = merge.parents
  for (const other of others) {
    const base = (await git.mergeBase(first!, other)) ?? null
    for (const side of [first!, other]) {
      for (const finding of await auditSide(git, folder, { base, side, result: merge.result })) {
        findings.set(finding.path ?? "", finding)
      }
    }
  }
  return [...findings.values()]
}

interface Side {
  readonly base: Oid | null
  readonly side: Oid
  readonly result: Oid | "index"
}

async function auditSide(git: Git, folder: string, { base, side, result }: Side): Promise<Finding[]> {
  const changed = await git.changes(base, side, folder)
  const differs = new Map((await git.changes(side, result, folder)).map(change => [change.path, change]))
  // A file that the merge took from this side as it is cannot have lost anything of it.
  const touched = changed.filter(({ path, to }) => to !== undefined && differs.has(path))
  const oids = touched.flatMap(({ path, from, to }) => [from?.oid, to?.oid, differs.get(path)?.to?.oid])
  const files = await parseBlobs(git, new Set(oids.filter(oid => oid !== undefined)))
  const findings: Finding[] = []
  for (const { path, from, to } of touched) {
    const inStore = path.slice(folder.length + 1)
    const before = from && files.get(from.oid)
    const wrote = files.get(to!.oid)
    const after = differs.get(path)
    const kept = after?.to && files.get(after.to.oid)
    // An unreadable result is refused as a file; a conflicted one is not decided yet.
    const isOpen = after?.conflicted === true || (after?.to !== undefined && kept === undefined)
    if (nameOfPath(inStore) === undefined || wrote === undefined || isOpen) continue
    if (before !== undefined && sameValue(before, wrote)) continue
    if (!holds(kept, wrote, to!.oid)) findings.push(lostUpdate(inStore, wrote, side))
  }
  return findings
}

/** Whether the result is that value, or was written by somebody who saw it. */
function holds(kept: SecretFile | undefined, wrote: SecretFile, oid: Oid): boolean {
  if (kept === undefined) return wrote.state === "deleted"
  return sameValue(kept, wrote) || kept.previous.includes(`${wrote.version}-${oid}`)
}

function sameValue(a: SecretFile, b: SecretFile): boolean {
  return a.name === b.name && a.version === b.version && a.digest === b.digest
}

/** The secret files among these blobs; what is none is left out. */
export async function parseBlobs(git: Git, oids: ReadonlySet<Oid>): Promise<ReadonlyMap<Oid, SecretFile>> {
  const files = new Map<Oid, SecretFile>()
  if (oids.size === 0) return files
  for await (const { oid, bytes } of git.blobs(oids)) {
    // What is no secret's file, the check of the file itself says.
    const file = findSecretFile(bytes)
    if (file !== undefined) files.set(oid, file)
  }
  return files
}

function lostUpdate(path: string, wrote: SecretFile, side: Oid): Finding {
  const what = wrote.state === "deleted" ? "deletion" : `version ${wrote.version}`
  return {
    code: "VERSION_TWICE",
    level: "error",
    path,
    message: `the merge dropped the ${what} of "${wrote.name}" that ${writerOf(wrote)} wrote, ${wrote.created} (side ${side.slice(0, 7)})`,
    hint: `coffer set ${wrote.name} writes the right value as a new version; the dropped one is in git log`,
  }
}
