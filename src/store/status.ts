/** `coffer status`: one screen about a store, and the exposure list. */

import { CofferError, EXIT_CODES } from "../errors.js"
import { objectOf, optional, TIME } from "../format/given.js"
import type { SecretName } from "../format/names.js"
import { type Exposure, exposureOf } from "../keyring/exposure.js"
import type { Finding } from "../keyring/findings.js"
import type { GroupKeyring } from "../keyring/group.js"
import { checkCall, checkStoreGiven } from "./call.js"
import { counts, type Examination, examineStore, type FailOn, refusalOf, WARNINGS } from "./check.js"
import { ageDays, findSecretDue } from "./due.js"
import { hooksStatus } from "./hooks.js"
import { listFiles } from "./secrets.js"
import { type OpenOptions, openStore, type Store } from "./store.js"
import { newestPin } from "./trust.js"
import { remember, viewStore } from "./view.js"

/** One group on the screen. */
export interface GroupStatus {
  readonly group: string
  readonly members: number
  /** Secrets that hold a value; of them exposed and overdue ones. */
  readonly secrets: number
  /** Id of the newest data key. */
  readonly key: string
  /** Whole days. */
  readonly keyAge: number
  readonly exposed: number
  readonly overdue: number
}

/** What is to be said of a store on one screen. */
export interface StatusReport {
  /** The store's folder in the repository; null, as its id, where it could not be opened. */
  readonly store: string | null
  readonly storeId: string | null
  /** The newest pin; null where the key records were refused. */
  readonly pin: string | null
  /** Whether it was verified with a pin of this machine or of COFFER_PIN. */
  readonly trusted: boolean
  /** Null where there is no git that can be used; `hooksUnknown` says why. */
  readonly hooks: { readonly installed: boolean; readonly live: boolean } | null
  readonly hooksUnknown: string | null
  readonly groups: readonly GroupStatus[]
  readonly problems: readonly Finding[]
  /** Whether one of the problems is an error, or a warning that `failOn` names. */
  readonly failed: boolean
}

/** A value that somebody may know who is no member of its group. */
export interface ExposedSecret {
  readonly name: SecretName
  readonly group: string
  readonly version: number
  readonly by: readonly Exposure[]
}

const STATUS = objectOf<{ at: Date; failOn?: readonly FailOn[] }>({ at: TIME, failOn: optional(WARNINGS) })

/**
 * Everything about a store that can be told without opening a value.
 *
 * @throws CofferError `SETTING_INVALID` for COFFER_PIN, `STORE_CHANGED` and `DAMAGED` for what this machine remembers; what is
 * wrong with the store's files is in the report
 */
export async function reportStatus(
  store: Store,
  request: { at: Date; failOn?: readonly FailOn[] | undefined },
): Promise<StatusReport> {
  checkCall(store, request, STATUS)
  const examination = await examineStore(store, { at: request.at, values: false })
  const { keyring, problems } = examination
  return {
    store: store.folder,
    storeId: store.id,
    pin: keyring === undefined ? null : newestPin(store, keyring),
    trusted: keyring?.pinned ?? false,
    ...(await findHooks(store)),
    groups: [...(keyring?.groups.values() ?? [])].map(group => describeGroup(group, examination, request.at)),
    problems,
    failed: request.failOn !== undefined && problems.some(problem => counts(problem, request.failOn!)),
  }
}

/** {@link reportStatus} for a store that is still to be opened: what stands against that is a problem too. */
export async function openAndReport(
  options: OpenOptions,
  request: { at: Date; failOn?: readonly FailOn[] | undefined },
): Promise<StatusReport> {
  try {
    return await reportStatus(await openStore(options), request)
  } catch (error) {
    const problems = [refusalOf(error)]
    const nothing = {
      store: null,
      storeId: null,
      pin: null,
      trusted: false,
      hooks: null,
      hooksUnknown: null,
      groups: [],
    }
    return { ...nothing, problems, failed: request.failOn !== undefined }
  }
}

/** The exposure list: what should be changed because of who left. @throws CofferError every refusal of the key records */
export async function listExposed(store: Store): Promise<readonly ExposedSecret[]> {
  checkStoreGiven(store)
  const view = await viewStore(store, { use: "look" })
  const exposedTo = exposureOf(view.keyring)
  const exposed: ExposedSecret[] = []
  for (const file of await listFiles(store, view, {})) {
    const by = exposedTo(file)
    if (by.length > 0) exposed.push({ name: file.name, group: file.group, version: file.version, by })
  }
  await remember(store, view)
  return exposed
}

function describeGroup({ group, current }: GroupKeyring, examination: Examination, at: Date): GroupStatus {
  const { keyring, secrets } = examination
  const exposedTo = exposureOf(keyring!)
  const files = secrets
    .map(({ file }) => file)
    .filter(file => file.group === group && file.state === "current")
  const newest = current[0]!
  return {
    group,
    members: newest.record.members.length,
    secrets: files.length,
    key: newest.id,
    keyAge: Math.max(0, ageDays(newest.record.created, at)),
    exposed: files.filter(file => exposedTo(file).length > 0).length,
    overdue: files.filter(file => findSecretDue(file, at) !== undefined).length,
  }
}

async function findHooks(store: Store): Promise<Pick<StatusReport, "hooks" | "hooksUnknown">> {
  if (store.repository === undefined) return { hooks: null, hooksUnknown: "no git repository here" }
  try {
    const git = await store.git()
    const request = { stores: [store.folder], env: store.env }
    const { installed, live } = await hooksStatus(git, request, { run: false })
    return { hooks: { installed, live }, hooksUnknown: null }
  } catch (error) {
    // Where git refuses this repository, it runs no hooks here either.
    if (error instanceof CofferError && error.exit === EXIT_CODES.GIT_FAILED)
      return { hooks: null, hooksUnknown: error.message }
    throw error
  }
}
