/** What `init` does: a new store, or this clone made ready for one that is there. */
import { readdirSync } from "node:fs"
import { CofferError, hasCode } from "../errors.js"
import { printCard } from "../format/card.js"
import { isDotenvFile } from "../scan/plaintext-files.js"
import { type Git, openGit } from "../storage/git/git.js"
import { makeRepository } from "../storage/git/make-repository.js"
import type { HookProgram } from "../storage/hooks-folder.js"
import { findRepository } from "../storage/repository.js"
import { installHooks } from "./hooks.js"
import { addCommand, createStore, ensureIdentity, memberName, type OwnIdentity } from "./init.js"
import { isStore, locateStore } from "./locate.js"
import { gitPreference, type OpenOptions, openStore, type Store } from "./store.js"
import type { WriteOptions } from "./transaction.js"
import { choosePin } from "./trust.js"
import { storePin } from "./trust-change.js"
import { viewStore } from "./view.js"

export interface SetupRequest extends WriteOptions {
  /** The member's name; default: from git's author. */
  readonly name?: string | undefined
  /** Makes a git repository where there is none; otherwise a person is asked. */
  readonly gitInit?: boolean | undefined
  /** Absent: no hooks. */
  readonly hooks?: HookProgram | undefined
}

export interface Setup {
  /** The store's folder in the repository. */
  readonly store: string
  readonly storeId: string
  /** Null for a clone that joined without a pin. */
  readonly pin: string | null
  /** Undefined where the identity came through COFFER_IDENTITY. */
  readonly identityFile: string | undefined
  readonly identityCreated: boolean
  readonly card: string
  readonly commit: string | null
  readonly joined: boolean
  readonly member: string
  /** What an admin has to run; undefined for somebody who is a member already. */
  readonly addCommand: string | undefined
  readonly hooks: "live" | "off" | "by hand"
  readonly envFiles: readonly { readonly path: string; readonly tracked: boolean }[]
}

/**
 * Creates a store in this repository, or where there is one, sets up this clone: identity if there is
 * none, pin, hooks. Joining commits nothing.
 *
 * @throws CofferError `GIT_NO_REPOSITORY`, `USAGE`, `PIN_MISMATCH`, and refusals of verification
 */
export async function setUp(options: OpenOptions, request: SetupRequest): Promise<Setup> {
  await ensureRepository(options, request)
  const git = await openGit(options.directory, options.env, gitPreference(options))
  const wanted = options.store ?? (options.env.COFFER_STORE || undefined)
  const { root } = await locateStore({ directory: options.directory, workTree: git.workTree, wanted })
  const member = await memberName(request.name, git)
  return isStore(root) ? joinStore(options, request, git, member) : startStore(options, request, git, member)
}

async function startStore(
  options: OpenOptions,
  request: SetupRequest,
  git: Git,
  member: string,
): Promise<Setup> {
  const own = await ensureIdentity(options)
  const made = await createStore(options, { ...request, identity: own.identity, member })
  const store = await openStore(options)
  store.updateState({ pin: made.pin })
  return {
    ...common(own, member),
    store: made.folder,
    storeId: made.storeId,
    pin: made.pin,
    commit: made.commit,
    joined: false,
    addCommand: undefined,
    hooks: await setUpHooks(git, store, request),
    envFiles: await findEnvFiles(git),
  }
}

async function joinStore(
  options: OpenOptions,
  request: SetupRequest,
  git: Git,
  member: string,
): Promise<Setup> {
  const store = await openStore(options)
  const pin = await pinHere(store)
  const own = await ensureIdentity(options)
  const { keyring } = await viewStore(store, { use: "look" })
  const isMember = [...keyring.groups.values()].some(group =>
    group.current.some(node => node.record.members.some(one => one.recipient === own.identity.recipient)),
  )
  return {
    ...common(own, member),
    store: store.folder,
    storeId: store.id,
    pin,
    commit: null,
    joined: true,
    addCommand: isMember ? undefined : addCommand(member, own.identity),
    hooks: await setUpHooks(git, store, request),
    envFiles: await findEnvFiles(git),
  }
}

/** The pin given by COFFER_PIN or by a person's answer is kept; without either the store stays unpinned. */
async function pinHere(store: Store): Promise<string | null> {
  try {
    const { pin, from } = choosePin(store, "open")
    const { keyring } = await viewStore(store, { use: "open" })
    if (from === "environment" || (pin === undefined && from !== "tofu")) return storePin(store, keyring)
    return store.state().pin ?? null
  } catch (error) {
    if (!hasCode(error, "UNPINNED")) throw error
    return null
  }
}

function common(own: OwnIdentity, member: string) {
  return {
    identityFile: own.file,
    identityCreated: own.created,
    card: printCard(own.identity.card),
    member,
  }
}

async function setUpHooks(git: Git, store: Store, request: SetupRequest): Promise<Setup["hooks"]> {
  if (request.hooks === undefined) return "off"
  try {
    await installHooks(git, { stores: [store.folder], env: store.env, program: request.hooks })
    return "live"
  } catch (error) {
    if (!hasCode(error, "GIT_UNSUPPORTED", "EXISTS")) throw error
    // The store is made all the same: another hook manager wants one line, which the hint gives.
    store.note(`warning: ${error.message}${error.hint === undefined ? "" : `: ${error.hint}`}`)
    return "by hand"
  }
}

async function ensureRepository(options: OpenOptions, request: SetupRequest): Promise<void> {
  if (findRepository(options.directory) !== undefined) return
  const agreed =
    request.gitInit === true || (await options.confirm?.("There is no git repository here. Make one?"))
  if (agreed === true) return makeRepository(options.directory, options.env)
  throw new CofferError("GIT_NO_REPOSITORY", "there is no git repository here", {
    hint: "git init, or coffer init --git-init",
  })
}

/** Files that hold plaintext secrets by convention, at the top of the repository. */
async function findEnvFiles(git: Git): Promise<{ path: string; tracked: boolean }[]> {
  const names = readdirSync(git.workTree, { withFileTypes: true })
    .filter(entry => entry.isFile() && isDotenvFile(entry.name))
    .map(entry => entry.name)
  return Promise.all(names.sort().map(async path => ({ path, tracked: await git.isTracked(path) })))
}
