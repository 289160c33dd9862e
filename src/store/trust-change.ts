/** What `coffer trust` does: tell the pin, take a change on purpose, forget a store. */

import { CofferError, hasCode } from "../errors.js"
import { listOf, objectOf, optional, SECRET } from "../format/given.js"
import { parseKeyRecord, recordId, recordPath } from "../format/key-record.js"
import type { SecretName } from "../format/names.js"
import { holdersOf } from "../keyring/group.js"
import { type Keyring, verifyKeyring } from "../keyring/verify.js"
import { forgetStore, knownStore, type LocalState, WRITE_PATIENCE_MS } from "../storage/local-state.js"
import { writeSeen } from "../storage/seen.js"
import { checkCall, checkStoreGiven } from "./call.js"
import type { Loss } from "./compare-commits.js"
import { findSurroundings, locateStore } from "./locate.js"
import { readRecords } from "./records.js"
import { keyringChange, rememberedAt } from "./remembered.js"
import { findBranch, reportBranch } from "./rollback.js"
import { checkOptions, type OpenOptions, type Store } from "./store.js"
import { choosePin, confirmPin, newestPin, type PinChoice } from "./trust.js"
import { viewStore } from "./view.js"

/** What is trusted of a store on this machine. */
export interface TrustReport {
  readonly storeId: string
  /** The newest pin: what `COFFER_PIN` is best set to. */
  readonly pin: string
  /** Whether this call was verified with a pin. */
  readonly pinned: boolean
  readonly from: PinChoice["from"]
}

/** What of a store is pinned here. @throws CofferError `PIN_MISMATCH` and every other refusal of the key records */
export async function showTrust(store: Store): Promise<TrustReport> {
  checkStoreGiven(store)
  const { from } = choosePin(store, "look")
  const { keyring } = await viewStore(store, { use: "look" })
  return {
    storeId: store.id,
    pin: newestPin(store, keyring),
    pinned: keyring.pinned,
    from,
  }
}

/**
 * The newest pin of a store that is pinned here; a person is asked first where it is not.
 *
 * @throws CofferError `UNPINNED` and every refusal of verification
 */
export async function printStorePin(store: Store): Promise<string> {
  checkStoreGiven(store)
  const { keyring } = await viewStore(store, { use: "open", names: [] })
  return newestPin(store, keyring)
}

const ACCEPT = objectOf<{ names?: unknown }>({ names: optional(listOf(SECRET)) })

/**
 * Takes what is out of order for good: for the named secrets as they are now, or (`names` absent) for
 * everything, key records included.
 *
 * @throws CofferError `UNPINNED`, `PIN_MISMATCH` and other refusals that no acceptance lifts; `NOT_FOUND` if
 * nothing about a name is out of order
 */
export async function acceptChanges(
  store: Store,
  request: { names?: readonly SecretName[] | undefined },
): Promise<{ storeId: string; accepted: readonly string[] }> {
  checkCall(store, request, ACCEPT)
  const accepted =
    request.names === undefined ? await acceptAll(store) : await acceptNames(store, request.names)
  return { storeId: store.id, accepted }
}

/**
 * Forgets pin, records and everything else this machine knows of the store in this folder.
 *
 * @throws CofferError `STORE_LOCKED`, `IO_FAILED`
 */
export function resetTrust(store: Store): { storeId: string; accepted: readonly string[] } {
  checkStoreGiven(store)
  if (store.stateLocation !== undefined)
    forgetStore(store.stateLocation, { id: store.id, folder: store.folder })
  return { storeId: store.id, accepted: [] }
}

/**
 * {@link resetTrust} for a store whose files are gone: another one could not be made in its folder.
 *
 * @returns undefined where none is known in that folder
 */
export async function resetGoneStore(
  options: OpenOptions,
): Promise<{ storeId: string; accepted: readonly string[] } | undefined> {
  checkOptions(options)
  const { repository } = findSurroundings(options)
  const { folder } = await locateStore(options, repository?.workTree)
  const location = repository && rememberedAt(options.env, repository.commonDir)
  const id = location && knownStore(location, folder)
  if (location === undefined || id === undefined) return undefined
  forgetStore(location, { id, folder })
  return { storeId: id, accepted: [] }
}

async function acceptAll(store: Store): Promise<readonly string[]> {
  const choice = choosePin(store, "open")
  // The remembered records are what is being given up; what they verified stays verified.
  const known = { ...store.state(), newest: new Map<string, readonly string[]>() }
  const files = await readRecords(store.tree)
  const keyring = verifyKeyring({ store: store.id, files, pin: choice.pin, known, behind: new Set() })
  if (choice.pin === undefined) await confirmPin(store, choice, keyring, "open")
  const losses = await findLosses(store, keyring)
  const givenUp = givenUpNewest(store.state(), keyring)
  store.updateState({ ...keyringChange(keyring), accept: true })
  await acceptBranch(store)
  return [...new Set([...losses.map(loss => loss.name ?? loss.path), ...givenUp])]
}

/** Paths of the newest key records known on this machine that no line of a tree holds which counts there. */
function givenUpNewest({ newest, records }: LocalState, { groups }: Keyring): readonly string[] {
  return [...newest].flatMap(([group, tips]) =>
    tips
      .filter(sha256 => !groups.has(group) || holdersOf(groups.get(group)!, sha256).length === 0)
      .map(sha256 => recordPath(group, recordId(parseKeyRecord(records.get(sha256)!)))),
  )
}

async function findLosses(store: Store, keyring: Keyring): Promise<readonly Loss[]> {
  try {
    return (await reportBranch(store, keyring)).losses
  } catch (error) {
    // A damaged record of what was seen: it is written anew below, which is the way out its error names.
    if (hasCode(error, "DAMAGED", "NEWER_FORMAT")) return []
    throw error
  }
}

/** The branch counts as seen where it stands, whatever it was compared with before. */
async function acceptBranch(store: Store): Promise<void> {
  const head = await findBranch(store)
  if (head === undefined || head.commit === null) return
  const upstream = (await (await store.git()).branchUpstream())?.commit
  writeSeen(
    store.repository!.commonDir,
    { store: store.id, ref: head.ref },
    { commit: head.commit, upstream, accepted: new Map() },
    { patienceMs: WRITE_PATIENCE_MS, repair: true },
  )
}

async function acceptNames(store: Store, names: readonly SecretName[]): Promise<readonly string[]> {
  const { keyring } = await viewStore(store, { use: "look" })
  const { position, losses } = await reportBranch(store, keyring)
  const accepted = new Map(position?.seen?.accepted)
  for (const name of names) {
    const loss = losses.find(candidate => candidate.name === name)
    if (position?.commit == null || loss?.state === undefined) throw nothingToAccept(name)
    accepted.set(name, loss.state)
  }
  writeSeen(
    store.repository!.commonDir,
    { store: store.id, ref: position!.ref },
    { ...position!.seen!, accepted },
    { patienceMs: WRITE_PATIENCE_MS },
  )
  return [...new Set(names)]
}

function nothingToAccept(name: SecretName): CofferError {
  return new CofferError("NOT_FOUND", `nothing about "${name}" is out of order here`, {
    hint: "coffer check says what is; coffer trust accept --all takes all of it",
  })
}
