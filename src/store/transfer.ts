/** Copying and moving secrets: signed and sealed anew at the new place, exposure and history kept. */

import { CofferError } from "../errors.js"
import { BELOW, type Checks, FLAG, objectOf, oneOf, optional, SECRET, WHOLE } from "../format/given.js"
import { isBelow, isSecretName, parseSecretName, type SecretName } from "../format/names.js"
import type { SecretFile } from "../format/secret-file.js"
import { checkCall, WRITE } from "./call.js"
import {
  checkCas,
  deleteSecretIn,
  holds,
  keepIn,
  nothingBelow,
  placeIn,
  refuseMissing,
  type StepResult,
} from "./draft-secrets.js"
import { readVersion } from "./history.js"
import { openWith, type Secret } from "./reading.js"
import { changeOne, changeSeveral, requireLive, type SecretsWritten, type SecretWritten } from "./secrets.js"
import type { Store } from "./store.js"
import type { Predecessor } from "./succession.js"
import type { Draft, WriteOptions } from "./transaction.js"
import { namesOf } from "./tree.js"

/** What a copy and a move take besides source and target. */
export interface TransferOptions extends WriteOptions {
  /** Only if the target's current version is this. */
  readonly cas?: number | undefined
  /** Replaces a target that holds a value. */
  readonly force?: boolean | undefined
}

type PrefixRequest = TransferOptions & { readonly from: string; readonly to: string }

/** A copy leaves the source as it is, a move leaves a tombstone that names the target. */
export type TransferKind = "copy" | "move"

/** A move takes the source away: no other word may come to it. */
const KIND = oneOf(["copy", "move"])
const OPTIONS: Checks<TransferOptions> = { ...WRITE, cas: optional(WHOLE), force: optional(FLAG) }
const ONE = objectOf<TransferOptions & { from: SecretName; version?: number; to: SecretName }>({
  ...OPTIONS,
  from: SECRET,
  version: optional(WHOLE),
  to: SECRET,
})
const BELOW_PATH = objectOf<PrefixRequest>({ ...OPTIONS, from: BELOW, to: BELOW })

/**
 * Copies one version of a secret (default: the present one), or moves a secret with its history. A copy is unchanged where
 * the target holds that content already, a move where it has been made; else a move always writes the next version.
 *
 * @throws CofferError `NOT_FOUND`, `EXISTS`, `VERSION_CONFLICT`, `USAGE` for a name onto itself
 */
export async function transferSecret(
  store: Store,
  kind: TransferKind,
  request: TransferOptions & { from: SecretName; version?: number | undefined; to: SecretName },
): Promise<SecretWritten> {
  KIND(kind, "kind")
  checkCall(store, request, ONE)
  return changeOne(
    store,
    request,
    draft => transferIn(draft, kind, request),
    ({ version }) => `${verbOf(kind)} ${request.from} to ${request.to} (version ${version})`,
  )
}

/**
 * The same for everything below a path, in one commit. What lies below the target already is not part of it: it stays
 * as it is where the target is inside the path.
 *
 * @param request.from - a path; "" is everything. `to` in the same way.
 * @throws CofferError `USAGE` for a path onto itself, and where a secret would go to the place of one that moves too
 */
export async function transferPrefix(
  store: Store,
  kind: TransferKind,
  request: PrefixRequest,
): Promise<SecretsWritten> {
  KIND(kind, "kind")
  checkCall(store, request, BELOW_PATH)
  return changeSeveral(store, request, verbOf(kind), async draft => {
    const results: StepResult[] = []
    for (const step of await planPrefix(draft, kind, request))
      results.push(await transferIn(draft, kind, { ...step, force: request.force, recursive: true }))
    return results
  })
}

interface Step {
  readonly from: SecretName
  readonly to: SecretName
}

async function planPrefix(draft: Draft, kind: TransferKind, { from, to }: PrefixRequest): Promise<Step[]> {
  if (from === to) throw ontoItself(kind, from)
  const isPart = (name: SecretName) => isBelow(name, from) && !(isBelow(to, from) && isBelow(name, to))
  const names = namesOf(await draft.base.paths(from)).filter(isPart)
  if (names.length === 0) throw nothingBelow(from)
  const targets = names.map(name => rebase(name, from, to))
  await draft.prefetch([...names, ...targets.filter(isSecretName)])
  const live: Step[] = []
  const done: Step[] = []
  for (const [index, name] of names.entries()) {
    const { file } = (await draft.find(name))!
    const target = targets[index]!
    if (file.state === "current") live.push({ from: name, to: parseSecretName(target) })
    else if (kind === "move" && isSecretName(target) && isMoved(file, await draft.find(target)))
      done.push({ from: name, to: target })
  }
  if (live.length === 0 && done.length === 0) throw allDeleted(from)
  if (kind === "move") refuseChains(live)
  return [...live, ...done]
}

function allDeleted(path: string): CofferError {
  return new CofferError("NOT_FOUND", `everything below "${path || "."}" is deleted`, {
    hint: `coffer list --deleted${path === "" ? "" : ` ${path}`}`,
  })
}

/** Whether it is a tombstone of a move to where the target is. */
function isMoved(file: SecretFile, target: Predecessor | undefined): boolean {
  if (file.state !== "deleted" || target?.file.state !== "current") return false
  return file.meta.get("movedTo") === target.file.name
}

/** The name relative to one path as it is below another. */
function rebase(name: SecretName, from: string, to: string): string {
  const relative = from === "" ? name : name.slice(from.length + 1)
  return to === "" ? relative : `${to}/${relative}`
}

/** All secrets are read as HEAD has them: one that has to give way to another would be lost, or the other one. */
function refuseChains(steps: readonly Step[]): void {
  const leaving = new Set(steps.map(({ from }) => from))
  const chained = steps.find(({ to }) => leaving.has(to))
  if (chained === undefined) return
  const { from, to } = chained
  throw new CofferError("USAGE", `"${from}" would go to "${to}", which is to be moved itself`, {
    hint: `move "${to}" out of the way first, or name other paths`,
  })
}

function ontoItself(kind: TransferKind, path: string): CofferError {
  const done = kind === "copy" ? "copied" : "moved"
  return new CofferError("USAGE", `"${path || "."}" cannot be ${done} onto itself`, {
    hint: "name another target; coffer rollback NAME@N gives a secret an older value",
  })
}

interface TransferRequest extends Step {
  readonly version?: number | undefined
  readonly cas?: number | undefined
  readonly force?: boolean | undefined
  /** One of many, of which `cas` cannot speak. */
  readonly recursive?: true
}

async function transferIn(draft: Draft, kind: TransferKind, request: TransferRequest): Promise<StepResult> {
  const { from, to } = request
  if (from === to) throw ontoItself(kind, from)
  const found = await draft.find(from)
  const target = await draft.find(to)
  checkCas(to, target, request.cas)
  const targets = target === undefined ? [] : [target]
  if (kind === "copy") {
    const content = await readSource(draft, found, request)
    if (target !== undefined && (await holds(draft, target.file, content))) return keepIn(draft, target.file)
    refuseToReplace(target, request)
    return placeIn(draft, to, content, targets)
  }
  if (found !== undefined && isMoved(found.file, target)) {
    const { changed } = await keepIn(draft, found.file)
    return { name: to, version: target!.file.version, changed }
  }
  const source = found ?? (await refuseMissing(draft, from))
  requireLive(from, source)
  refuseToReplace(target, request)
  const placed = await placeIn(draft, to, await openWith(draft, source.file), [source, ...targets])
  const left = await deleteSecretIn(draft, { name: from, movedTo: to })
  return { ...placed, changed: placed.changed || left.changed }
}

/** @throws CofferError `EXISTS` */
function refuseToReplace(
  target: Predecessor | undefined,
  { cas, force, recursive }: Pick<TransferRequest, "cas" | "force" | "recursive">,
): void {
  if (target?.file.state !== "current" || force === true || cas !== undefined) return
  const { name, version } = target.file
  const orCas = recursive ? "" : `, or --cas ${version}`
  throw new CofferError("EXISTS", `"${name}" exists already, at version ${version}`, {
    hint: `the same command with --force replaces it (its history stays)${orCas}`,
  })
}

async function readSource(
  draft: Draft,
  found: Predecessor | undefined,
  { from, version }: { from: SecretName; version?: number | undefined },
): Promise<Secret> {
  if (version !== undefined) return readVersion(draft, from, { version })
  return openWith(draft, requireLive(from, found ?? (await refuseMissing(draft, from))).file)
}

function verbOf(kind: TransferKind): string {
  return kind === "copy" ? "Copy" : "Move"
}
