/** The command `init`: a new store, or this clone set up for one that is there. */
import { CofferError, hasCode } from "../../errors.js"
import { printCard } from "../../format/card.js"
import { shellWord } from "../../format/shell.js"
import { createRepository } from "../../storage/git/create-repository.js"
import { noRepository, noWorkTree } from "../../storage/git/not-opened.js"
import { openGit } from "../../storage/git/open.js"
import { gitPreference } from "../../storage/git-preference.js"
import { findDeadLink, findRepository, isGitDir } from "../../storage/repository.js"
import { installHooks } from "../../store/hooks.js"
import type { GitKnowledge } from "../../store/import.js"
import {
  addCommand,
  checkStorePlace,
  createStore,
  ensureIdentity,
  memberName,
  type OwnIdentity,
} from "../../store/init.js"
import { findDotenvFiles, pinNewStore, pinStore } from "../../store/join.js"
import type { Store } from "../../store/store.js"
import type { WriteOptions } from "../../store/transaction.js"
import { WRITE_OPTIONS, writeOptions } from "../arguments.js"
import { defineCommand } from "../command.js"
import type { Session } from "../session.js"
import { askYesNo } from "../terminal.js"
import { outcome } from "../written.js"

interface Initialised {
  readonly store: string
  readonly storeId: string
  readonly pin: string | null
  readonly identityFile: string | null
  readonly card: string
  readonly commit: string | null
  readonly joined: boolean
  readonly member: string
  readonly hooks: "live" | "not live" | "none"
  readonly newIdentity: boolean
  /** What an admin has to run; null for the founder. */
  readonly add: string | null
  /** The store that is found where none is named, if a new one was made beside it. */
  readonly beside: string | null
  readonly dotenv: readonly { readonly path: string; readonly git: GitKnowledge }[]
}

export const init = defineCommand({
  name: "init",
  summary: "make a store in this repository, or set up this clone for the one that is there",
  details:
    "A new store: an identity if you have none, the first key record with you as its admin, hooks, one commit.\nIn a repository with a store: identity, pin and hooks; nothing is committed. Send the line it prints to an admin.",
  options: {
    name: { type: "string", placeholder: "me", help: "your name as a member; default: from git's author" },
    hooks: { type: "boolean", default: true, help: "install no git hooks" },
    gitInit: { type: "boolean", help: "run git init where there is no repository, without asking" },
    ...WRITE_OPTIONS,
  },
  fields:
    "{store, storeId, pin, identityFile, card, commit, joined, member, hooks, newIdentity, add, beside, dotenv: [{path, git}]}",
  errors: [
    "NAME_INVALID",
    "IDENTITY_INVALID",
    "UNPINNED",
    "PIN_MISMATCH",
    "STORE_CHANGED",
    "GIT_NO_REPOSITORY",
    "GIT_UNSUPPORTED",
    "GIT_NO_AUTHOR",
    "GIT_REFUSED",
  ],
  examples: [
    { command: "coffer init" },
    { command: "coffer init --name ana --store config/secrets" },
    {
      command: "COFFER_PIN=coffer1-… coffer init --no-input",
      shows: "join, trusting what a colleague's coffer trust pin printed",
    },
  ],

  async run(session, { name, hooks, gitInit, ...write }): Promise<Initialised> {
    const options = session.openOptions()
    await checkStorePlace(options)
    await requireRepository(session, gitInit)
    const git = await openGit(options.directory, options.env, gitPreference(options))
    const existing = await findStore(session)
    const member = await memberName(name, git)
    const own = await ensureIdentity(options)
    const made =
      existing === undefined ? await make(session, own, member, writeOptions(session, write)) : undefined
    const store = existing ?? (await session.openStore())
    const pin = made?.pin ?? (await pinStore(store))
    if (made !== undefined) await pinNewStore(store, made.pin)
    return {
      store: store.folder,
      storeId: store.id,
      pin,
      identityFile: own.file ?? null,
      card: printCard(own.identity.card),
      commit: made?.commit ?? null,
      joined: made === undefined,
      member,
      hooks: hooks ? await hook(session, store) : "none",
      newIdentity: own.created,
      add: made === undefined ? addCommand(member, own.identity) : null,
      beside: made?.beside ?? null,
      dotenv: await findDotenvFiles(store, session.cwd),
    }
  },

  text: result => (result.joined ? joinedText(result) : newText(result)),
})

async function requireRepository(session: Session, gitInit: boolean): Promise<void> {
  if (findRepository(session.cwd) !== undefined) return
  if (isGitDir(session.cwd)) throw noWorkTree()
  if (findDeadLink(session.cwd) !== undefined) throw noRepository(session.cwd)
  const agreed =
    gitInit ||
    (session.interactive && (await askYesNo(session, "there is no git repository here: run git init?")))
  if (!agreed) {
    throw new CofferError("GIT_NO_REPOSITORY", "there is no git repository here", {
      hint: session.env.GIT_DIR
        ? 'what GIT_DIR names is not looked at: a file .git here with the line "gitdir: <that folder>" is'
        : "git init, or coffer init --git-init",
    })
  }
  await createRepository(session.cwd, session.env)
}

async function findStore(session: Session): Promise<Store | undefined> {
  try {
    return await session.openStore()
  } catch (error) {
    if (hasCode(error, "NOT_FOUND")) return undefined
    throw error
  }
}

async function make(session: Session, { identity }: OwnIdentity, member: string, write: WriteOptions) {
  const made = await createStore(session.openOptions(), { ...write, identity, member })
  if (made.unshared) {
    session.warn(
      "clones will find no store: .coffer.yaml, which names its folder, is not in git; git add :/.coffer.yaml, git commit",
    )
  }
  return made
}

/** Without hooks a store works as well: what keeps them out is a warning that says what to do. */
async function hook({ host, env, warn }: Session, store: Store): Promise<Initialised["hooks"]> {
  try {
    const request = { stores: [store.folder], env, program: host.program }
    return (await installHooks(await store.git(), request)).live ? "live" : "not live"
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
    warn(`${error.message}; ${error.hint}`)
    return "not live"
  }
}

function newText(result: Initialised): string {
  const { store, member, commit } = result
  const made = outcome({ changed: true, commit })
  return `store ${store}/: you are "${member}" (admin)${hooksText(result)}${made}\npin: ${result.pin}\n${identityText(result)}${besideText(result)}${dotenvText(result)}`
}

function joinedText(result: Initialised): string {
  const { store, add, pin } = result
  const trusted = pin === null ? "not pinned" : `pin: ${pin}`
  return `store ${store}/: this clone is set up${hooksText(result)}\n${trusted}\n${identityText(result)}if you are no member yet, send this to an admin:\n  ${add}\n${dotenvText(result)}`
}

function hooksText({ hooks }: Initialised): string {
  return hooks === "none" ? ", no hooks" : `, hooks ${hooks}`
}

function identityText({ identityFile, newIdentity }: Initialised): string {
  if (identityFile === null) return "your identity: COFFER_IDENTITY\n"
  const copy = newIdentity ? "; it is the only copy, keep another: coffer identity export" : ""
  return `your identity: ${identityFile}${copy}\n`
}

function besideText({ store, beside }: Initialised): string {
  if (beside === null) return ""
  return `the store in ${beside} stays the one that is found by itself: name this one with --store ${shellWord(store)}\n`
}

function dotenvText({ dotenv }: Initialised): string {
  const known = {
    none: "not in git",
    staged: "staged in git",
    tracked: "tracked by git",
    history: "in git's history",
  }
  return dotenv
    .map(({ path, git }) => `${path} is plaintext, ${known[git]}: coffer import ${shellWord(path)}\n`)
    .join("")
}
