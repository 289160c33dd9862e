/** Steps on one secret inside an operation: set, delete, restore. Operations are made of these. */

import { decodeUtf8, equalBytes } from "../encoding.js"
import { CofferError, hasCode } from "../errors.js"
import { BYTES, type Checks, optional, SECRET, TEXTS_BY_KEY, WHOLE } from "../format/given.js"
import { LIMITS } from "../format/limits.js"
import { checkMeta } from "../format/meta.js"
import { pathOf, type SecretName } from "../format/names.js"
import { printSecretFile, type SecretFile, writerOf } from "../format/secret-file.js"
import type { GroupAccess } from "./access.js"
import { openSecret, type Secret } from "./reading.js"
import { openFile, type SealKey, sealVersion } from "./seal.js"
import { enterGroup, type Predecessor, succeed } from "./succession.js"
import type { Draft } from "./transaction.js"
import { inConflict } from "./tree.js"

/** One secret after a step; `changed` is false where it already was as wanted. */
export interface StepResult {
  readonly name: SecretName
  readonly version: number
  readonly changed: boolean
}

/** A value to store. Left out: value, type or meta stay as they are. */
export interface SetRequest {
  readonly name: SecretName
  /** At most 1 MiB. */
  readonly value?: Uint8Array | undefined
  /** Public entries to add or replace, 32 of at most 1 KiB each; an empty value removes one. */
  readonly meta?: ReadonlyMap<string, string> | undefined
  /** Only if the current version is this; 0: only if there never was one. */
  readonly cas?: number | undefined
}

/** The fields of {@link SetRequest}. */
export const SET_FIELDS: Checks<SetRequest> = {
  name: SECRET,
  value: optional(BYTES),
  meta: optional(TEXTS_BY_KEY),
  cas: optional(WHOLE),
}

/** What a version holds. */
interface Content {
  readonly state: "current" | "deleted"
  readonly type: "text" | "binary"
  readonly value: Uint8Array
  readonly meta: ReadonlyMap<string, string>
  readonly valueKeys: readonly string[]
}

/** Stores a value as the next version. @throws CofferError `VERSION_CONFLICT`, `NAME_INVALID`, `VALUE_INVALID` */
export async function setSecretIn(draft: Draft, request: SetRequest): Promise<StepResult> {
  const { name } = request
  if (request.meta?.has("movedTo")) throw movedByHand(name)
  const access = await draft.openForWriting(draft.groupOf(name))
  const found = await draft.find(name)
  checkCas(name, found, request.cas)
  if (found === undefined) await draft.addName(name)
  const live = found?.file.state === "current" ? found.file : undefined
  const before = live === undefined ? undefined : (await openSecret(access, live)).value
  const value = request.value ?? before
  if (value === undefined) throw notLive(name, (found ?? (await refuseMissing(draft, name))).file)
  checkValueSize(name, value)
  const meta = mergeMeta(found?.file.meta, request.meta)
  const same = live !== undefined && before !== undefined && equalBytes(before, value)
  if (same && equalMeta(live.meta, meta)) return keepIn(draft, live)
  return putVersion(draft, access, name, found === undefined ? [] : [found], {
    state: "current",
    type: typeOf(value),
    value,
    meta,
    // The same value stays exposed to whoever could read it before.
    valueKeys: same ? live.valueKeys : [`${access.group}/${access.sealKey.id}`],
  })
}

/** Leaves a tombstone. @throws CofferError `NOT_FOUND`, `VERSION_CONFLICT` */
export async function deleteSecretIn(
  draft: Draft,
  request: { name: SecretName; cas?: number | undefined; movedTo?: SecretName },
): Promise<StepResult> {
  const { name } = request
  const access = await draft.openForWriting(draft.groupOf(name))
  const found = await getFile(draft, name)
  checkCas(name, found, request.cas)
  if (found.file.state === "deleted") return keepIn(draft, found.file)
  const meta = new Map(found.file.meta)
  if (request.movedTo !== undefined) {
    // All notes went along: of as many as there can be, one makes room here.
    if (meta.size >= LIMITS.metaEntries) meta.delete([...meta.keys()].at(-1)!)
    meta.set("movedTo", request.movedTo)
  }
  return putVersion(draft, access, name, [found], {
    state: "deleted",
    type: "text",
    value: new Uint8Array(0),
    meta,
    valueKeys: found.file.valueKeys,
  })
}

/**
 * Removes the file of a tombstone that HEAD already has: numbering ends there.
 *
 * @throws CofferError `NOT_FOUND`, `VERSION_CONFLICT`, `USAGE` for a live secret
 */
export async function purgeSecretIn(
  draft: Draft,
  { name, cas }: { name: SecretName; cas?: number | undefined },
): Promise<StepResult> {
  await draft.openForWriting(draft.groupOf(name))
  const found = await getFile(draft, name)
  checkCas(name, found, cas)
  if (found.file.state !== "deleted") {
    throw new CofferError(
      "USAGE",
      `"${name}" is not deleted: only a tombstone that is committed can be purged`,
      {
        hint: `coffer delete ${name}, then coffer delete --purge ${name}`,
      },
    )
  }
  draft.putRemoval(name)
  const staged = await draft.findStaged(name)
  return { name, version: found.file.version, changed: staged?.is !== "removed" }
}

/** Leaves a secret as HEAD has it, which is as it is wanted. @throws CofferError `CONFLICTED` */
export async function keepIn(draft: Draft, file: SecretFile): Promise<StepResult> {
  const { name, version } = file
  const staged = await draft.findStaged(name)
  // Settling a conflict by the way would lose the other side.
  if (staged?.is === "conflicted") throw inConflict(pathOf(name))
  draft.keepSecret(file)
  return { name, version, changed: staged !== undefined }
}

/** Makes a secret hold what `source`, another version of it, does; it is left as it is where it does already. */
export async function restoreIn(draft: Draft, current: Predecessor, source: Secret): Promise<StepResult> {
  if (await holds(draft, current.file, source)) return keepIn(draft, current.file)
  return placeIn(draft, current.file.name, source, [current])
}

/** Writes what `source`, another version or another secret, holds as the next version of `name`, the one after all `predecessors`. */
export async function placeIn(
  draft: Draft,
  name: SecretName,
  source: Secret,
  predecessors: readonly Predecessor[],
): Promise<StepResult> {
  const access = await draft.openForWriting(draft.groupOf(name))
  if (!predecessors.some(({ file }) => file.name === name)) await draft.addName(name)
  return putVersion(draft, access, name, predecessors, {
    state: "current",
    type: source.file.type,
    value: source.value,
    meta: source.file.meta,
    valueKeys: enterGroup(source.file.valueKeys, access.group, access.sealKey.id),
  })
}

/** Whether a secret has a value, and it and its remarks are those of `source`. */
export async function holds(draft: Draft, file: SecretFile, source: Secret): Promise<boolean> {
  if (file.state !== "current") return false
  const access = await draft.openForWriting(file.group)
  return (
    file.type === source.file.type &&
    equalMeta(file.meta, source.file.meta) &&
    equalBytes((await openSecret(access, file)).value, source.value)
  )
}

/** Seals `content` as the version after `predecessors`, the most direct one first. */
async function putVersion(
  draft: Draft,
  access: GroupAccess,
  name: SecretName,
  predecessors: readonly Predecessor[],
  content: Content,
): Promise<StepResult> {
  checkMeta(content.meta, name)
  const succession = succeed(predecessors, draft.at)
  const header = {
    store: draft.store.id,
    group: access.group,
    name,
    version: succession.version,
    state: content.state,
    type: content.type,
    valueKeys: content.valueKeys,
    created: succession.created,
    previous: succession.previous,
    meta: content.meta,
  }
  const seal = () => sealVersion(header, content.value, access.sealKey, access.signer)
  const staged = await draft.findStaged(name)
  const { version } = succession
  if (staged?.is !== "verified") {
    draft.sealSecret(name, seal, access)
    return { name, version, changed: true }
  }
  const file = await seal()
  const isStaged = saysTheSame(staged.file, { file, value: content.value }, access.sealKey)
  draft.putSecret(isStaged ? staged.file : file, access)
  return { name, version, changed: !isStaged }
}

/** Whether two files differ only in what each sealing draws anew, and in the time. */
function saysTheSame(
  staged: SecretFile,
  { file, value: wanted }: { file: SecretFile; value: Uint8Array },
  { seal }: SealKey,
): boolean {
  const { created, digest, signature, nonce, value } = staged
  const alike = printSecretFile({ ...file, created, digest, signature, nonce, value })
  if (!equalBytes(alike, printSecretFile(staged))) return false
  try {
    return equalBytes(openFile(staged, seal).value, wanted)
  } catch (error) {
    if (hasCode(error, "TAMPERED")) return false
    throw error
  }
}

/** The file that HEAD has of a secret. @throws CofferError `GIT_DIRTY` where one is only staged, `NOT_FOUND` */
export async function getFile(draft: Draft, name: SecretName): Promise<Predecessor> {
  return (await draft.find(name)) ?? refuseMissing(draft, name)
}

/** What HEAD does not have can be staged, and is listed then. @throws CofferError `GIT_DIRTY`, `NOT_FOUND` */
export async function refuseMissing(draft: Draft, name: SecretName): Promise<never> {
  const { commit } = await draft.git.head()
  await draft.git.requireClean(commit, [`${draft.folder}/${pathOf(name)}`])
  throw notFound(name)
}

export function notFound(name: string, why = ""): CofferError {
  return new CofferError("NOT_FOUND", `there is no secret "${name}"${why}`, {
    hint: "coffer list shows what there is",
  })
}

/** Nothing was ever below a path; "" is the top. */
export function nothingBelow(path: string): CofferError {
  return new CofferError("NOT_FOUND", `there is no secret below "${path || "."}"`, { hint: "coffer list" })
}

/** The error for a secret that holds no value: it never was there, or a tombstone stands in its place. */
export function notLive(name: SecretName, tombstone: SecretFile | undefined): CofferError {
  if (tombstone === undefined) return notFound(name)
  const movedTo = tombstone.meta.get("movedTo")
  return new CofferError(
    "NOT_FOUND",
    `"${name}" was deleted by ${writerOf(tombstone)}, ${tombstone.created}`,
    {
      hint:
        movedTo === undefined
          ? `coffer undelete ${name}, or coffer versions ${name}`
          : `coffer get ${movedTo}`,
    },
  )
}

export function checkCas(name: SecretName, found: Predecessor | undefined, cas: number | undefined): void {
  const version = found?.file.version ?? 0
  if (cas === undefined || cas === version) return
  const is = version === 0 ? "is new" : `is at version ${version}`
  const look = found?.file.state === "deleted" ? "versions" : "get"
  throw new CofferError("VERSION_CONFLICT", `"${name}" ${is}, not at version ${cas}`, {
    hint:
      version === 0
        ? "again with --cas 0, which is for what is new"
        : `coffer ${look} ${name}, then again with --cas ${version}`,
  })
}

function checkValueSize(name: SecretName, value: Uint8Array): void {
  if (value.length <= LIMITS.valueBytes) return
  throw new CofferError("LIMIT_EXCEEDED", `the value of "${name}" is larger than 1 MiB`, {
    hint: "keep large files elsewhere, encrypted, and the key to them here",
  })
}

// A NUL cannot stand in an environment variable or a YAML map: such a value is binary for every consumer.
function typeOf(value: Uint8Array): "text" | "binary" {
  return decodeUtf8(value) === undefined || value.includes(0) ? "binary" : "text"
}

function mergeMeta(
  before: ReadonlyMap<string, string> | undefined,
  changes: ReadonlyMap<string, string> | undefined,
): ReadonlyMap<string, string> {
  const meta = new Map(before)
  meta.delete("movedTo")
  for (const [key, value] of changes ?? []) {
    if (value === "") meta.delete(key)
    else meta.set(key, value)
  }
  return new Map([...meta].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** A tombstone that keeps it would say that the secret has gone there, and that moving it is done. */
function movedByHand(name: SecretName): CofferError {
  return new CofferError("VALUE_INVALID", `meta of "${name}": "movedTo" is written by coffer move alone`, {
    hint: `coffer move ${name} NAME`,
  })
}

function equalMeta(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value)
}
