/** A new store in a repository: identity, first key record, hooks, one commit, and the pin to trust it by. */

import { readdirSync } from "node:fs"
import { join } from "node:path"
import { newStoreId } from "../crypto/random.js"
import { encodeUtf8 } from "../encoding.js"
import { CofferError } from "../errors.js"
import { checkCard, printCard } from "../format/card.js"
import { type Check, FUNCTION, MEMBER, objectOf, TEXT } from "../format/given.js"
import { isMemberName, parseMemberName, ROOT_GROUP } from "../format/names.js"
import { gitPath } from "../format/shell.js"
import { GIT_ATTRIBUTES, printStoreFile, STORE_FILE_PATH } from "../format/store-file.js"
import { type NewRecord, nextRecord } from "../keyring/extend.js"
import { printPin } from "../keyring/pin.js"
import type { Git } from "../storage/git/git.js"
import { openGit } from "../storage/git/open.js"
import { gitPreference } from "../storage/git-preference.js"
import {
  createIdentityFile,
  defaultIdentityFile,
  type Identity,
  loadIdentities,
} from "../storage/identities.js"
import { IDENTITY } from "../storage/identity-lines.js"
import { knownStore } from "../storage/local-state.js"
import { findRepository } from "../storage/repository.js"
import { WRITE } from "./call.js"
import { DEFAULT_FOLDER, existingPart, isStore, locateStore, type Place, SETTINGS_PATH } from "./locate.js"
import { rememberedAt } from "./remembered.js"
import { checkOptions, type OpenOptions } from "./store.js"
import type { WriteOptions } from "./transaction.js"
import { givenPin } from "./trust.js"

/** A member's identity on this machine, made if there was none. */
export interface OwnIdentity {
  readonly identity: Identity
  /** Where its private line is; undefined where it came through COFFER_IDENTITY. */
  readonly file: string | undefined
  readonly created: boolean
}

/** A store that was made. */
export interface NewStore {
  readonly folder: string
  readonly storeId: string
  readonly member: string
  readonly pin: string
  readonly commit: string | null
  /** The folder of another store, which stays the one that is found where none is named. */
  readonly beside: string | undefined
  /** The settings that name the folder are not in git: who clones the repository finds no store. */
  readonly unshared: boolean
}

const SIGNING_IDENTITY: Check = (value, field) => {
  IDENTITY(value, field)
  SIGNER((value as Identity).signingKey, "signingKey")
}
const SIGNER = objectOf<Identity["signingKey"]>({
  publicKey: TEXT,
  sign: FUNCTION,
  signLater: FUNCTION,
})
const CREATE = objectOf<WriteOptions & { identity: Identity; member: string }>({
  ...WRITE,
  identity: SIGNING_IDENTITY,
  member: MEMBER,
})

/**
 * Creates a store with the caller as its only member and admin.
 *
 * @throws CofferError `NAME_INVALID`, `USAGE` for a folder that git ignores or that holds other files, `EXISTS`, `GIT_…`;
 *   `STORE_CHANGED`, `PIN_MISMATCH` where this machine or COFFER_PIN knows another store
 */
export async function createStore(
  options: OpenOptions,
  request: WriteOptions & { identity: Identity; member: string },
): Promise<NewStore> {
  checkOptions(options)
  CREATE(request, "request")
  checkCard({ recipient: request.identity.recipient, signingKey: request.identity.signingKey.publicKey })
  const git = await openGit(options.directory, options.env, gitPreference(options))
  const place = await locateStore(options, git.workTree)
  await refuseUnfit(git, place)
  refuseOtherStore(options, git, place)
  const storeId = newStoreId()
  const first = await firstRecord(storeId, request)
  const { folder } = place
  const beside = otherStore(place)
  const files = storeFiles(storeId, first, place, beside)
  const commit = await git.exclusively(async locked => {
    if (request.commit === false) {
      await locked.stage({ files })
      return null
    }
    const { commit: base } = await locked.head()
    const message = request.message ?? `Create the secrets store in ${folder}`
    return locked.commit({ base, files, message, at: request.at, verify: request.verify ?? true })
  })
  const unshared =
    folder === place.settings?.store && folder !== DEFAULT_FOLDER && !(await git.isTracked(SETTINGS_PATH))
  return {
    folder,
    storeId,
    member: request.member,
    pin: printPin(storeId, first.node),
    commit,
    beside,
    unshared,
  }
}

/** Your identity, or a new one in the default file. @throws CofferError `IDENTITY_INVALID`, `IO_FAILED` */
export async function ensureIdentity(options: OpenOptions): Promise<OwnIdentity> {
  checkOptions(options)
  const workTree = findRepository(options.directory)?.workTree
  const { identities } = await loadIdentities({
    env: options.env,
    files: options.identityFiles ?? [],
    workTree,
  })
  const [first] = identities
  if (first !== undefined) return { identity: first, file: first.file, created: false }
  const file = defaultIdentityFile(options.env)
  return { identity: await createIdentityFile(file), file, created: true }
}

/** A member name from `--name`, or made from git's author. @throws CofferError `NAME_INVALID`, `USAGE` where neither gives one */
export async function memberName(wanted: string | undefined, git: Git | undefined): Promise<string> {
  if (wanted !== undefined) return parseMemberName(wanted)
  const author = await git?.author().catch(() => undefined)
  const candidates = [author?.email.split("@")[0], author?.name.split(" ")[0]]
  const name = candidates
    .map(text => text?.toLowerCase().replace(/[^a-z0-9._+-]/g, ""))
    .find(text => isMemberName(text ?? ""))
  if (name !== undefined) return name
  throw new CofferError("USAGE", "there is no name for you here: git knows no author", {
    hint: "coffer init --name ana",
  })
}

/** The line that an admin has to run so that this identity can read and write. */
export function addCommand(name: string, identity: Identity): string {
  return `coffer recipients add ${name} '${printCard(identity.card)}'`
}

/** Refuses a folder that no store can be in, before there is a repository. @throws CofferError `USAGE`, `SETTING_…` */
export async function checkStorePlace(options: OpenOptions): Promise<void> {
  const workTree = findRepository(options.directory)?.workTree
  const { root, folder } = await locateStore(options, workTree ?? options.directory)
  if (isStore(root) || findRepository(existingPart(root))?.workTree === workTree) return
  throw new CofferError("USAGE", `"${folder}" belongs to another repository`, { hint: ELSEWHERE })
}

const ELSEWHERE = "name another folder: coffer init --store vault"

async function refuseUnfit(git: Git, { root, folder }: Place): Promise<void> {
  if (isStore(root))
    throw new CofferError("EXISTS", `there is a store in "${folder}" already`, { hint: "coffer status" })
  if (await git.isTracked(`${folder}/${STORE_FILE_PATH}`)) {
    throw new CofferError("EXISTS", `git has a store in "${folder}" that is gone from the work tree`, {
      hint: `git checkout HEAD -- ${gitPath(folder)} brings it back`,
    })
  }
  if (await git.isIgnored(`${folder}/${STORE_FILE_PATH}`)) {
    throw new CofferError("USAGE", `git ignores "${folder}": its secrets would never be committed`, {
      hint: ELSEWHERE,
    })
  }
  if (listFolder(root).length > 0) {
    throw new CofferError("USAGE", `"${folder}" holds other files: a store is a folder of its own`, {
      hint: ELSEWHERE,
    })
  }
}

/** A new store beside one that is trusted here would be refused by every command after this one. */
function refuseOtherStore({ env }: OpenOptions, git: Git, { folder }: Place): void {
  const location = rememberedAt(env, git.commonDir)
  if (location !== undefined && knownStore(location, folder) !== undefined) {
    throw new CofferError("STORE_CHANGED", `the store in "${folder}" that is known here is gone`, {
      hint: `git log --all -- ${gitPath(folder)} shows where it is; for a new one in its place: coffer trust reset, then coffer init`,
    })
  }
  if (givenPin(env)?.pin === undefined) return
  throw new CofferError("PIN_MISMATCH", "COFFER_PIN names a store, and there is none here", {
    hint: "git pull, or name its folder with --store; to make a new one, unset COFFER_PIN",
  })
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function firstRecord(
  storeId: string,
  request: WriteOptions & { identity: Identity; member: string },
): Promise<NewRecord> {
  const { identity, member, at } = request
  const signingKey = identity.signingKey
  return nextRecord({
    store: storeId,
    group: ROOT_GROUP,
    reason: "init",
    members: [
      { name: member, role: "admin", recipient: identity.recipient, signingKey: signingKey.publicKey },
    ],
    policy: {},
    groups: new Map(),
    author: member,
    signingKey,
    at,
  })
}

function storeFiles(
  storeId: string,
  first: NewRecord,
  { folder, settings }: Place,
  beside: string | undefined,
): ReadonlyMap<string, Uint8Array> {
  const files = new Map([
    [`${folder}/.gitattributes`, encodeUtf8(GIT_ATTRIBUTES)],
    [`${folder}/${STORE_FILE_PATH}`, printStoreFile({ store: storeId })],
    [`${folder}/${first.node.path}`, first.node.bytes],
  ])
  // Later commands have to find a store that is not in the default folder, whoever runs them; the one they find already stays.
  if (folder !== (settings?.store ?? DEFAULT_FOLDER) && beside === undefined) {
    if (settings !== undefined) throw otherFolder()
    files.set(SETTINGS_PATH, encodeUtf8(`store: ${JSON.stringify(folder)}\n`))
  }
  return files
}

/** The store that is found where none is named, if it is not in `folder`. */
function otherStore({ top, folder, settings }: Place): string | undefined {
  const standard = settings?.store ?? DEFAULT_FOLDER
  return folder !== standard && isStore(join(top, standard)) ? standard : undefined
}

function otherFolder(): CofferError {
  return new CofferError("USAGE", `${SETTINGS_PATH} names another folder as the store`, {
    hint: `put a line "store: FOLDER" with the folder you want into ${SETTINGS_PATH}, then again`,
  })
}
