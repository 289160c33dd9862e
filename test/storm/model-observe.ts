/** What can be seen of a clone through coffer, compared with what the model says has to be seen. */

import { CofferError } from "../../src/errors.js"
import { parseSecretName } from "../../src/format/names.js"
import { parsePrevious, type SecretFile } from "../../src/format/secret-file.js"
import { printTime } from "../../src/format/times.js"
import {
  checkStore,
  getSecret,
  listExposed,
  listRecipients,
  listSecrets,
  listVersions,
  type Store,
} from "../../src/index.js"
import type { CloneModel } from "./model-clone.js"
import {
  error,
  lostSince,
  type Person,
  type Problem,
  Refused,
  ROOT,
  requireKey,
  requireSound,
  roleIn,
  type View,
  warning,
} from "./model-keyring.js"
import { lostUpdates } from "./model-merge.js"
import { PEOPLE } from "./model-operations.js"
import { type RealClone, timeOf } from "./model-places.js"
import {
  allVersions,
  type Blob,
  exposedTo,
  findFault,
  findVersion,
  isStale,
  pathOf,
  requireOpen,
} from "./model-secrets.js"

/** A disagreement between coffer and the model. */
export class Disagreement extends Error {}

export function compare(what: string, found: unknown, expected: unknown): void {
  const [a, b] = [found, expected].map(value => JSON.stringify(value))
  if (a !== b) throw new Disagreement(`${what}: coffer ${a}, model ${b}`)
}

/** The code something is refused with; else what it gives. */
export async function outcome<T>(work: () => T | Promise<T>): Promise<T | string> {
  try {
    return await work()
  } catch (thrown) {
    if (thrown instanceof Refused) return thrown.code
    if (thrown instanceof CofferError) return thrown.code
    throw thrown
  }
}

/** Learns what coffer called the records that the model expects, and that there are no others. */
export function learnRecords(real: RealClone, model: CloneModel): void {
  const all = [...model.head.records]
  for (const group of new Set(all.map(rec => rec.group))) {
    const own = all.filter(rec => rec.group === group)
    const found = real.records(group)
    const unknown = found.filter(id => !own.some(rec => rec.label === id))
    const [unnamed, second] = own.filter(rec => rec.label === "")
    if (second !== undefined) throw new Error("two records of a group in one operation")
    if (unnamed !== undefined) unnamed.label = unknown.pop() ?? ""
    compare(`records of ${group} that are not expected`, unknown, [])
    compare(`records of ${group}`, found.sort(), own.map(({ label }) => label).sort())
    for (const { label, number } of own) compare("a record's number", Number(label.split("-")[0]), number)
  }
}

/** Everything that needs no value, after each step. */
export async function observe(real: RealClone, model: CloneModel, by: Person): Promise<void> {
  const seen = model.look()
  const at = timeOf(real.minute)
  const store = await real.peek(by)
  const problems = expectProblems(model, seen, by)
  const report = await checkStore(store, { at })
  const found = report.problems.map(({ code, path }) => describeProblem({ code, path: path ?? "" }))
  compare("check", [...new Set(found)].sort(), problems)
  const listing = await outcome(async () => (await listSecrets(store, { deleted: true })).map(describeFile))
  const sound = [...model.head.secrets.values()].filter(
    blob => seen.groups.size > 0 && findFault(seen, blob) === undefined,
  )
  const expected = await outcome(() => {
    requireSound(seen)
    return sound.map(describeBlob).sort(byName)
  })
  compare("list", typeof listing === "string" ? listing : [...listing].sort(byName), expected)
  const exposed = await outcome(async () =>
    (await listExposed(store)).map(
      ({ name, by: readers }) => `${name}: ${readers.map(({ member }) => member)}`,
    ),
  )
  const expectedExposed = await outcome(() => {
    requireSound(seen)
    const known = sound.map(blob => ({ name: blob.name, readers: exposedTo(seen, blob) }))
    return known.filter(({ readers }) => readers.length > 0).map(({ name, readers }) => `${name}: ${readers}`)
  })
  compare("exposure", sortList(exposed), sortList(expectedExposed))
  if (typeof expected !== "string") model.remember(seen)
  await observeMembers(store, model)
}

async function observeMembers(store: Store, model: CloneModel): Promise<void> {
  const found = await outcome(async () => {
    const groups = await listRecipients(store)
    return groups.map(({ group, members }) => [
      group,
      members.map(({ name, role }) => `${name}:${role}`).sort(),
    ])
  })
  const seen = model.look()
  const expected = await outcome(() => {
    requireSound(seen)
    return [...seen.groups.values()].map(({ group, current }) => {
      const roles = new Map([...current].reverse().flatMap(tip => [...tip.members]))
      for (const tip of current) for (const [name, role] of tip.members) roles.set(name, role)
      return [group, [...roles].map(([name, role]) => `${name}:${role}`).sort()]
    })
  })
  compare("members", found, expected)
}

const sortList = (list: string[] | string) => (typeof list === "string" ? list : [...list].sort())
const byName = (a: readonly string[], b: readonly string[]) => (a[0]! < b[0]! ? -1 : 1)

function describeProblem({ code, path }: { code: string; path: string }): string {
  return code === "FORKED" ? code : `${code} ${path}`
}

function describeFile(file: SecretFile): string[] {
  const previous = file.previous.map(entry => parsePrevious(entry).version)
  const { name, group, version, state, author, signer, created, key } = file
  return [
    name,
    group,
    `${version} ${state} ${author} ${signer} ${created} ${key}`,
    `${[...file.meta]}`,
    `${file.valueKeys}`,
    `${previous}`,
  ]
}

function describeBlob(blob: Blob): string[] {
  const { name, group, version, state, author, signer, created, key } = blob
  const meta = [...blob.meta].sort(([a], [b]) => (a < b ? -1 : 1))
  const valueKeys = blob.valueKeys.map(rec => `${rec.group}/${rec.label}`)
  const text = `${version} ${state} ${author} ${signer} ${printTime(timeOf(created))} ${key.label}`
  return [name, group, text, `${meta}`, `${valueKeys}`, `${blob.previous.map(before => before.version)}`]
}

function expectProblems(model: CloneModel, seen: View, by: Person): string[] {
  const problems: Problem[] = [...seen.problems]
  if (seen.groups.has(ROOT)) {
    for (const blob of model.head.secrets.values()) problems.push(...expectFileProblems(seen, blob, by))
    if (lostSince(seen.groups.get(ROOT)!, model.pin)) problems.push(warning("PIN_OLD", ""))
    for (const group of seen.groups.values())
      if (group.listed.some(rec => lostSince(group, rec))) problems.push(warning("ANCHOR_OLD", ""))
    for (const name of lostUpdates(model.head)) problems.push(error("VERSION_TWICE", pathOf(name)))
    for (const { name, code } of model.losses(seen)) problems.push(error(code, pathOf(name)))
  }
  return [...new Set(problems.map(describeProblem))].sort()
}

function expectFileProblems(seen: View, blob: Blob, by: Person): Problem[] {
  const path = pathOf(blob.name)
  const fault = findFault(seen, blob)
  if (fault !== undefined) return [error(fault, path)]
  const group = seen.groups.get(blob.group)!
  const problems: Problem[] = []
  if (exposedTo(seen, blob).length > 0) problems.push(warning("EXPOSED", path))
  if (isStale(group, blob)) problems.push(warning("STALE", path))
  try {
    roleIn(group, by)
  } catch {
    return problems
  }
  try {
    requireKey(group, by, blob.key)
  } catch (thrown) {
    problems.push(error((thrown as Refused).code, path))
  }
  return problems
}

/** The value that somebody reads, or what he is refused with. */
export async function observeValue(
  real: RealClone,
  model: CloneModel,
  name: string,
  by: Person,
): Promise<void> {
  const found = await outcome(async () =>
    textOf(await getSecret(await real.peek(by), { name: parseSecretName(name) })),
  )
  compare(`get ${name} as ${by}`, found, await outcome(() => `value ${model.read(name, by).value}`))
}

const textOf = ({ value }: { value: Uint8Array }) => `value ${Buffer.from(value).toString()}`

/** Every version of a secret: those listed, and the values that can be had. */
export async function observeVersions(
  real: RealClone,
  model: CloneModel,
  name: string,
  by: Person,
): Promise<void> {
  const store = await real.peek(by)
  const wanted = parseSecretName(name)
  const seen = model.look()
  const current = model.head.secrets.get(name)
  const expected = await outcome(() => {
    requireReadable(model, seen)
    const { distinct, lost } = allVersions(seen, requireFile(seen, current), model.logged(name))
    return {
      lost,
      versions: distinct.map(({ version, state, author }) => `${version} ${state} ${author}`).sort(),
    }
  })
  const found = await outcome(async () => {
    const { lost, versions } = await listVersions(store, { name: wanted })
    return {
      lost,
      versions: versions.map(({ file }) => `${file.version} ${file.state} ${file.author}`).sort(),
    }
  })
  compare(`versions ${name}`, found, expected)
  for (let version = 1; version <= (current?.version ?? 0); version++) {
    const read = await outcome(async () => textOf(await getSecret(store, { name: wanted, version })))
    const value = await outcome(() => {
      requireReadable(model, seen, name)
      const old = findVersion(seen, requireFile(seen, current), model.logged(name), version)
      requireOpen(seen, by, old)
      return `value ${old.value}`
    })
    compare(`get ${name}@${version} as ${by}`, read, value)
  }
}

/** @param all - whether a loss of any secret counts: old versions may have had any name. */
function requireReadable(model: CloneModel, seen: View, all?: string): void {
  requireSound(seen)
  const [loss] = all === undefined ? [] : model.losses(seen)
  if (loss !== undefined) throw new Refused(loss.code)
}

function requireFile(seen: View, current: Blob | undefined): Blob {
  const fault = current && findFault(seen, current)
  if (current === undefined) throw new Refused("NOT_FOUND")
  if (fault !== undefined) throw new Refused(fault)
  return current
}

/** The end of a sequence: every secret as the owner and as somebody else sees it, and all versions of half of them. */
export async function observeAll(real: RealClone, model: CloneModel, by: Person): Promise<void> {
  for (const [index, name] of [...model.head.secrets.keys()].entries()) {
    for (const person of [by, PEOPLE[(real.minute + index) % PEOPLE.length]!])
      await observeValue(real, model, name, person)
    if ((real.minute + index) % 2 === 0) await observeVersions(real, model, name, by)
  }
  compare("git status", real.must("status", "--porcelain"), "")
  const { status, out } = real.git("fsck", "--strict", "--no-dangling", "--no-progress")
  if (status !== 0) throw new Disagreement(`git fsck: ${out}`)
}
