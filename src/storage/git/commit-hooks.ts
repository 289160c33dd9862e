/** Other people's prepare-commit-msg and commit-msg hooks, which complete or refuse a commit message. */
import { accessSync, constants, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { CofferError } from "../../errors.js"
import { cofferFolder } from "../coffer-folder.js"
import { readPlainFile } from "../files.js"
import { decodeMessage, tidyMessage } from "./commit-message.js"
import { collect, type GitProgram, leaveOthers, startProcess } from "./git-process.js"
import type { WriterContext } from "./system-context.js"

const MAX_MESSAGE_BYTES = 16 * 1024 * 1024

/**
 * Runs the hooks on a message, as `git cherry-pick` does for its commits.
 *
 * @returns the message as they leave it, without trailing blanks and surplus empty lines.
 * @throws CofferError `GIT_REFUSED` with the hook's words
 */
export async function runMessageHooks(context: WriterContext, message: string): Promise<string> {
  const hooks = [
    ["prepare-commit-msg", ["message"]],
    ["commit-msg", []],
  ] as const
  const present = hooks.filter(([name]) => isExecutable(join(context.hooks, name)))
  if (present.length === 0) return message
  // Not .git/COMMIT_EDITMSG: the user may have that one open in an editor.
  const file = join(cofferFolder(context.at.gitDir), "COMMIT_EDITMSG")
  try {
    rmSync(file, { force: true })
    writeFileSync(file, message, { flag: "wx" })
    for (const [name, more] of present) await runHook(context, name, [file, ...more])
    const written = readPlainFile(file, MAX_MESSAGE_BYTES) ?? new Uint8Array()
    const completed = tidyMessage(decodeMessage(written))
    // With a NUL byte git makes no commit: its readers end there.
    if (completed !== "" && !completed.includes("\0")) return completed
    const what = completed === "" ? "emptied the commit message" : "put a NUL byte into the commit message"
    throw new CofferError("GIT_REFUSED", `a hook has ${what}`, {
      hint: `--no-verify skips the hooks; they are in "${context.hooks}"`,
    })
  } finally {
    rmSync(file, { force: true })
  }
}

async function runHook(context: WriterContext, name: string, args: readonly string[]): Promise<void> {
  const { git, at, hooks } = context
  const env = { GIT_EDITOR: ":", GIT_INDEX_FILE: join(at.gitDir, "index") }
  const file = join(hooks, name)
  // git knows how to run a script on Windows and one without "#!"; before 2.36 it had no command for that.
  const child = (await hasHookCommand(git))
    ? git.start(["hook", "run", name, "--", ...args], { cwd: at.workTree, env, programs: "hooks" })
    : leaveOthers(
        startProcess(file, args, {
          cwd: at.workTree,
          env: { ...git.environment, ...env },
          windowsHide: true,
        }),
      )
  child.stdin.on("error", () => {})
  child.stdin.end()
  const { status, stdout, stderr } = await collect(child)
  if (status === 0) return
  const words = `${stdout}${stderr}`.trim()
  throw new CofferError(
    "GIT_REFUSED",
    `the hook ${name} refused the commit${words === "" ? "" : `: ${words}`}`,
    {
      hint: `--no-verify skips it; it is "${file}"`,
    },
  )
}

async function hasHookCommand(git: GitProgram): Promise<boolean> {
  const [, major, minor] = /^git version (\d+)\.(\d+)/.exec(await git.text(["version"])) ?? []
  return Number(major) > 2 || (Number(major) === 2 && Number(minor) >= 36)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
