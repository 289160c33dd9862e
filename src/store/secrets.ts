/** The everyday operations on secrets: get, list, set, delete, undelete. */

import { CofferError } from "../errors.js"
import { isAtOrBelow, type SecretName } from "../format/names.js"
import type { SecretFile } from "../format/secret-file.js"
import { groupOpener, openGroup } from "./access.js"
import { inOverlap } from "./batches.js"
import { checkCall } from "./call.js"
import {
  deleteSecretIn,
  getFile,
  keepIn,
  nothingBelow,
  notLive,
  purgeSecretIn,
  restoreIn,
  type SetRequest,
  type StepResult,
  setSecretIn,
} from "./draft-secrets.js"
import type { VersionChoice } from "./history.js"
import {
  BATCH,
  openSecret,
  openWith,
  type PathFile,
  parseFiles,
  type ReadSecret,
  readSecret,
  readSecrets,
  type Secret,
  verifyEach,
} from "./reading.js"
import {
  DELETE,
  DELETE_BELOW,
  DELETE_SEVERAL,
  type Deletion,
  GET,
  type GetRequest,
  LIST,
  type NamedVersion,
  parseChoice,
  ROLLBACK,
  SET,
  SET_SEVERAL,
  UNDELETE,
} from "./secret-requests.js"
import type { Store } from "./store.js"
import { change, type Draft, type WriteOptions } from "./transaction.js"
import { namesOf } from "./tree.js"
import { remember, type View, viewStore } from "./view.js"

/** What an operation did to one secret. */
export interface SecretWritten {
  readonly name: SecretName
  readonly version: number
  readonly changed: boolean
  /** Null where nothing changed or the change is only staged. */
  readonly commit: string | null
}

/** What an operation did to several secrets; `secrets` holds those that changed. */
export interface SecretsWritten {
  readonly changed: boolean
  readonly commit: string | null
  readonly secrets: readonly { readonly name: SecretName; readonly version: number }[]
}

/**
 * Reads and opens a secret.
 *
 * @throws CofferError `NOT_FOUND`, also for a deleted one, `NO_IDENTITY`, `NOT_A_MEMBER`, and every refusal
 * of verification.
 * @see docs/threat-model.md for what has been checked before a value is returned
 */
export async function getSecret(store: Store, request: GetRequest): Promise<Secret> {
  checkCall(store, request, GET)
  const { name, version, at }: NamedVersion & { name: SecretName } = request
  if (version !== undefined || at !== undefined) return getVersion(store, name, parseChoice(request))
  const view = await viewStore(store, { use: "open", names: [name] })
  const { file } = requireLive(name, await readSecret(view, name))
  const access = await openGroup(store, view, file.group)
  const { value } = await openSecret(access, file)
  await remember(store, view)
  return { file, value }
}

/** An old version may have lived in other groups: all keyrings are verified. */
async function getVersion(store: Store, name: SecretName, choice: VersionChoice): Promise<Secret> {
  const { historyOf, readVersion } = await import("./history.js")
  const view = await viewStore(store, { use: "open" })
  const secret = await readVersion(await historyOf(store, view), name, choice)
  await remember(store, view)
  return secret
}

/** Opens several secrets, all or nothing; each group's keys are unwrapped once. */
export async function openSecrets(store: Store, view: View, names: Iterable<SecretName>): Promise<Secret[]> {
  const open = groupOpener(store, view)
  const secrets: Secret[] = []
  const wanted = [...names]
  const read = await readSecrets(view, wanted)
  for (const [index, name] of wanted.entries()) {
    const { file } = requireLive(name, read[index])
    secrets.push(await openWith({ open }, file))
  }
  await remember(store, view)
  return secrets
}

/**
 * Every secret's verified file below `prefix` (default: all), sorted by name. Needs no identity. A file that is refused is
 * named in a note.
 *
 * @param request.deleted - tombstones too.
 * @throws CofferError every refusal of the key records, `HISTORY_REWRITTEN`
 */
export async function listSecrets(
  store: Store,
  request: { prefix?: string | undefined; deleted?: boolean | undefined } = {},
): Promise<SecretFile[]> {
  checkCall(store, request, LIST)
  const view = await viewStore(store, { use: "look" })
  return listFiles(store, view, request)
}

/** {@link listSecrets} in a view that is already verified. */
export async function listFiles(
  store: Store,
  view: Pick<View, "tree" | "keyring">,
  { prefix = "", deleted = false }: { prefix?: string | undefined; deleted?: boolean | undefined },
): Promise<SecretFile[]> {
  // One bad file must not hide the others; reading it stays refused.
  const refused = (error: CofferError) => store.note(`warning: ${error.message} (${error.code})`)
  const verify = (batch: readonly PathFile[]) => verifyEach(view.keyring, batch, (_, error) => refused(error))
  const listed: SecretFile[] = []
  for await (const { file } of inOverlap(parseFiles(view.tree, prefix, refused), BATCH, verify)) {
    if (deleted || file.state === "current") listed.push(file)
  }
  return listed
}

/**
 * Stores a value as the next version; unchanged where value and meta are as wanted.
 *
 * @throws CofferError `VERSION_CONFLICT` against `cas`, `NAME_INVALID` beside a name that differs in case alone,
 * `NOT_FOUND` without a value where there is none, `VALUE_INVALID` for meta, `LIMIT_EXCEEDED`
 */
export async function setSecret(store: Store, request: SetRequest & WriteOptions): Promise<SecretWritten> {
  checkCall(store, request, SET)
  return changeOne(
    store,
    request,
    draft => setSecretIn(draft, request),
    ({ name, version }) => `Set ${name} (version ${version})`,
  )
}

/**
 * Stores several values in one commit, all or nothing, and leaves tombstones of what is to be deleted.
 *
 * @throws CofferError as {@link setSecret} and {@link deleteSecret}; `USAGE` for a name that is given twice
 */
export async function setSecrets(
  store: Store,
  request: WriteOptions & { secrets: readonly SetRequest[]; deletions?: readonly Deletion[] | undefined },
): Promise<SecretsWritten> {
  checkCall(store, request, SET_SEVERAL)
  const { secrets, deletions = [] } = request
  refuseTwice([...secrets, ...deletions])
  return changeSeveral(store, request, "Set", async draft => {
    const results: StepResult[] = []
    await draft.prefetch([...secrets, ...deletions].map(({ name }) => name))
    for (const secret of secrets) results.push(await setSecretIn(draft, secret))
    for (const deletion of deletions) results.push(await deleteSecretIn(draft, deletion))
    return results
  })
}

/**
 * Leaves a tombstone, or with `purge` takes away one that HEAD already has.
 *
 * @throws CofferError `NOT_FOUND` where nothing ever was, `VERSION_CONFLICT` against `cas`, `USAGE` for a purge of a secret
 * that is not deleted
 */
export async function deleteSecret(
  store: Store,
  request: WriteOptions & Deletion & { purge?: boolean | undefined },
): Promise<SecretWritten> {
  checkCall(store, request, DELETE)
  const { take, verb } = deletionOf(request)
  return changeOne(
    store,
    request,
    draft => take(draft, request),
    result => describeSeveral(verb, [result]),
  )
}

/**
 * Leaves tombstones in one commit; `purge` takes away tombstones that HEAD already has. A name that is given twice counts
 * once.
 *
 * @throws CofferError as {@link deleteSecret}
 */
export async function deleteSecrets(
  store: Store,
  request: WriteOptions & { deletions: readonly Deletion[]; purge?: boolean | undefined },
): Promise<SecretsWritten> {
  checkCall(store, request, DELETE_SEVERAL)
  const { take, verb } = deletionOf(request)
  return changeSeveral(store, request, verb, async draft => {
    const results = new Map<SecretName, StepResult>()
    await draft.prefetch(request.deletions.map(({ name }) => name))
    for (const deletion of request.deletions) results.set(deletion.name, await take(draft, deletion))
    return [...results.values()]
  })
}

/** The step that takes one secret away, and what a commit message calls it. */
function deletionOf({ purge = false }: { purge?: boolean | undefined }) {
  return purge ? { take: purgeSecretIn, verb: "Purge" } : { take: deleteSecretIn, verb: "Delete" }
}

/**
 * Leaves tombstones of everything that paths name, themselves and below them, in one commit; `purge` takes away the
 * tombstones there that HEAD already has.
 *
 * @param request.paths - "" is everything.
 * @throws CofferError `NOT_FOUND` for a path where nothing ever was, with `purge` also where nothing is deleted
 */
export async function deleteBelow(
  store: Store,
  request: WriteOptions & { paths: readonly string[]; purge?: boolean | undefined },
): Promise<SecretsWritten> {
  checkCall(store, request, DELETE_BELOW)
  const { paths, purge = false } = request
  const { take, verb } = deletionOf(request)
  return changeSeveral(store, request, verb, async draft => {
    const results: StepResult[] = []
    for (const file of await chooseBelow(draft, paths, purge)) {
      const isDone = !purge && file.state === "deleted"
      results.push(await (isDone ? keepIn(draft, file) : take(draft, { name: file.name })))
    }
    return results
  })
}

/** The files at and below the paths, each once; with `purge` tombstones only. */
async function chooseBelow(draft: Draft, paths: readonly string[], purge: boolean): Promise<SecretFile[]> {
  const all = namesOf(await draft.base.paths(""))
  const below = paths.map(path => all.filter(name => isAtOrBelow(name, path)))
  const names = [...new Set(below.flat())]
  await draft.prefetch(names)
  const chosen = new Map<SecretName, SecretFile>()
  for (const name of names) {
    const { file } = (await draft.find(name))!
    if (!purge || file.state === "deleted") chosen.set(name, file)
  }
  const empty = paths.findIndex((_, index) => !below[index]!.some(name => chosen.has(name)))
  if (empty >= 0) throw nothingBelow(paths[empty]!)
  return [...chosen.values()]
}

/**
 * Brings a deleted secret back to its last live value, as a new version; unchanged where it is not deleted.
 *
 * @throws CofferError `NOT_FOUND` where nothing ever was, `HISTORY_MISSING` where this clone lacks that value
 */
export async function undeleteSecret(
  store: Store,
  request: WriteOptions & { name: SecretName },
): Promise<SecretWritten> {
  checkCall(store, request, UNDELETE)
  const { name } = request
  return changeOne(
    store,
    request,
    async draft => {
      const found = await getFile(draft, name)
      if (found.file.state === "current") return keepIn(draft, found.file)
      const { readLastLive } = await import("./history.js")
      return restoreIn(draft, found, await readLastLive(draft, found))
    },
    ({ version }) => `Undelete ${name} (version ${version})`,
  )
}

/**
 * Writes an old value as the next version, without showing it; unchanged where the secret holds it already.
 *
 * @throws CofferError `NOT_FOUND` for a version that never was, `HISTORY_MISSING` for one that this clone lacks,
 * `VERSION_TWICE` for a number that two values bear
 */
export async function rollbackSecret(
  store: Store,
  request: WriteOptions & { name: SecretName; choice: VersionChoice },
): Promise<SecretWritten> {
  checkCall(store, request, ROLLBACK)
  const { name } = request
  const choice = parseChoice(request.choice)
  return changeOne(
    store,
    request,
    async draft => {
      const { readVersion } = await import("./history.js")
      const found = await getFile(draft, name)
      return restoreIn(draft, found, await readVersion(draft, name, choice))
    },
    ({ version }) => `Roll ${name} back (version ${version})`,
  )
}

export function requireLive(name: SecretName, found: ReadSecret | undefined): ReadSecret {
  if (found?.file.state === "current") return found
  throw notLive(name, found?.file)
}

/** An operation of one step. @param describe - the commit's message for the step's result. */
export async function changeOne(
  store: Store,
  options: WriteOptions,
  step: (draft: Draft) => Promise<StepResult>,
  describe: (result: StepResult) => string,
): Promise<SecretWritten> {
  const { result, changed, commit } = await change(store, options, step, describe)
  return { name: result.name, version: result.version, changed, commit }
}

/** An operation of several steps. @param verb - begins the commit's message: `Delete 3 secrets`. */
export async function changeSeveral(
  store: Store,
  options: WriteOptions & { readonly dryRun?: boolean | undefined },
  verb: string,
  steps: (draft: Draft) => Promise<readonly StepResult[]>,
): Promise<SecretsWritten> {
  const describe = (results: readonly StepResult[]) => describeSeveral(verb, results)
  const { result, changed, commit } = await change(store, options, steps, describe)
  const secrets = result.filter(step => step.changed).map(({ name, version }) => ({ name, version }))
  return { changed, commit, secrets }
}

function describeSeveral(verb: string, results: readonly StepResult[]): string {
  const changed = results.filter(step => step.changed)
  const [first] = changed
  if (first !== undefined && changed.length === 1) return `${verb} ${first.name} (version ${first.version})`
  return `${verb} ${changed.length} secrets\n\n${changed.map(step => `${step.name} (version ${step.version})`).join("\n")}`
}

/** Of two steps on one name the later would take the place of the other, which starts from HEAD as well. */
function refuseTwice(steps: readonly Deletion[]): void {
  const seen = new Set<string>()
  for (const { name } of steps) {
    if (seen.has(name))
      throw new CofferError("USAGE", `"${name}" is given twice in one batch`, {
        hint: "leave one of them out; nothing was stored",
      })
    seen.add(name)
  }
}
