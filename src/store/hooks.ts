/** Installing, judging and removing what coffer adds to git on this machine: hooks and the merge rule. */

import { join } from "node:path"
import { type Checks, ENVIRONMENT, FLAG, listOf, objectOf, optional, PATH } from "../format/given.js"
import type { Environment } from "../storage/environment.js"
import type { GitReader } from "../storage/git/git.js"
import { isLive, seemsLive } from "../storage/hook-probe.js"
import {
  findHooksFolder,
  HOOK_NAMES,
  type HookName,
  type HookProgram,
  installHook,
  isInstalled,
  refuseNoFolder,
  uninstallHook,
} from "../storage/hooks-folder.js"
import {
  hasMergeDriver,
  installMergeDriver,
  isOverruled,
  uninstallMergeDriver,
} from "../storage/merge-driver.js"
import { forgetWatched } from "../storage/watched-values.js"

/** Which stores the merge rule is for, and the environment that hooks are tried in. */
export interface HooksRequest {
  /** Folders of stores, relative to the work tree. */
  readonly stores: readonly string[]
  readonly env: Environment
}

/** What of the hooks and the merge rule is in place. */
export interface HooksReport {
  /** The files are in place: all hooks and the merge rule. */
  readonly installed: boolean
  /** Every hook was run by git and reached coffer. */
  readonly live: boolean
  /** Where git looks for hooks. */
  readonly path: string
  readonly hooks: readonly { readonly name: HookName; readonly installed: boolean; readonly live: boolean }[]
  /** Git settles secret files by the merge rule. */
  readonly merge: boolean
  /** A line of `.git/info/attributes` says otherwise: no merge rule, installed or not. */
  readonly overruled: boolean
}

const GIT = objectOf<Pick<GitReader, "workTree" | "commonDir">>({ workTree: PATH, commonDir: PATH })
const FIELDS: Checks<HooksRequest> = { stores: listOf(PATH), env: ENVIRONMENT }
const HOOKS = objectOf<HooksRequest>(FIELDS)
const INSTALL = objectOf<HooksRequest & { program: HookProgram }>({
  ...FIELDS,
  program: objectOf<HookProgram>({ node: PATH, folder: PATH }),
})
const STATUS = objectOf<{ run?: boolean }>({ run: optional(FLAG) })

/**
 * Installs hooks and merge rule in this clone; does nothing where they are. Where the hooks folder is not
 * for coffer to write to, hooks that reach coffer by a line in it are as good.
 *
 * @throws CofferError `GIT_UNSUPPORTED` where hooks have to be added by hand: the hint says how; the merge
 *   rule is installed then, unless hooks are turned off (`core.hooksPath` is no folder). `EXISTS`, `GIT_LOCKED`, `IO_FAILED`
 */
export async function installHooks(
  git: GitReader,
  request: HooksRequest & { program: HookProgram },
): Promise<HooksReport> {
  GIT(git, "git")
  INSTALL(request, "request")
  const { path, refusal } = await findHooksFolder(git)
  refuseNoFolder(path)
  installMergeDriver(git.commonDir, request.stores, request.program.folder)
  if (refusal === undefined) for (const hook of HOOK_NAMES) installHook(path, hook, request.program)
  const report = await hooksStatus(git, request)
  if (refusal !== undefined && !report.live) throw refusal
  return report
}

/**
 * Finds out what is installed, and by a run of each hook whether it fires.
 *
 * @param options.run - false: no hook is run, whoever has put it there; `live` says what can be told by looking.
 */
export async function hooksStatus(
  git: GitReader,
  request: HooksRequest,
  options: { run?: boolean } = {},
): Promise<HooksReport> {
  GIT(git, "git")
  HOOKS(request, "request")
  STATUS(options, "options")
  const { run = true } = options
  const { path } = await findHooksFolder(git)
  const hooks = await Promise.all(
    HOOK_NAMES.map(async name => {
      const probe = { folder: path, hook: name, env: request.env }
      const live = run ? await isLive(git, probe) : seemsLive(path, name)
      return { name, installed: isInstalled(path, name), live }
    }),
  )
  const overruled = isOverruled(git.commonDir, request.stores)
  const merge = !overruled && hasMergeDriver(git.commonDir, request.stores)
  const live = hooks.every(hook => hook.live)
  // Reached through a line in somebody else's hook is installed too.
  return {
    installed: merge && hooks.every(hook => hook.installed || hook.live),
    live,
    path,
    hooks,
    merge,
    overruled,
  }
}

/**
 * Takes hooks and merge rule out again and puts earlier hooks back; what is not coffer's stays.
 *
 * @returns `changed`: there was anything; `left`: hooks that somebody else's line still leads to coffer.
 */
export async function uninstallHooks(
  git: GitReader,
): Promise<{ path: string; changed: boolean; left: readonly HookName[] }> {
  GIT(git, "git")
  const { path } = await findHooksFolder(git)
  // husky and others set core.hooksPath later: what was installed before that is still in git's own folder.
  const folders = new Set([path, join(git.commonDir, "hooks")])
  const removed = [...folders].flatMap(folder => HOOK_NAMES.filter(hook => uninstallHook(folder, hook)))
  forgetWatched(git.commonDir)
  const hadRule = uninstallMergeDriver(git.commonDir)
  const left = HOOK_NAMES.filter(hook => seemsLive(path, hook))
  return { path, changed: removed.length > 0 || hadRule, left }
}
