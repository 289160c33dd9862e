/** Proves that a hook fires: lets git run it, with coffer at its end told to say that it was reached. */
import { execFile } from "node:child_process"
import { accessSync, constants, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { type Environment, withoutIdentities } from "./environment.js"
import type { GitReader } from "./git/git.js"
import { type HookName, LEGACY } from "./hooks-folder.js"

/** Set for the hook's run: coffer then prints {@link probeAnswer} on stderr, checks nothing, and fails. */
export const PROBE_VARIABLE = "COFFER_HOOK_PROBE"

/** Somebody else's hook that runs before ours may take its time, but not for ever. */
const PROBE_LIMIT_MS = 30_000

/** What coffer answers; the exit status is never 0, so that a forgotten variable cannot switch a hook off. */
export function probeAnswer(hook: string): string {
  return `coffer: the ${hook} hook fires\n`
}

/**
 * Whether coffer is reached when git runs the hook. A hook that nowhere mentions coffer is not run:
 * it would do other people's work for an answer that is known.
 *
 * @param folder - where git looks for hooks.
 */
export async function isLive(
  git: GitReader,
  { folder, hook, env }: { folder: string; hook: HookName; env: Environment },
): Promise<boolean> {
  if (!mentionsCoffer(folder, hook)) return false
  const options = {
    cwd: git.workTree,
    env: { ...withoutIdentities(env), [PROBE_VARIABLE]: "1" },
    timeout: PROBE_LIMIT_MS,
  }
  if (git.kind === "system") {
    const output = await outputOf("git", ["hook", "run", "--ignore-missing", hook], options)
    // git below 2.36 has no such command; it runs the file, so that is the next best proof.
    if (!/is not a git command/.test(output)) return output.includes(probeAnswer(hook))
  }
  return (await outputOf(join(folder, hook), [], options)).includes(probeAnswer(hook))
}

/** Whether a hook leads to coffer as far as can be told without running it. */
export function seemsLive(folder: string, hook: HookName): boolean {
  try {
    accessSync(join(folder, hook), constants.X_OK)
  } catch {
    return false
  }
  return mentionsCoffer(folder, hook)
}

/** In the hook itself, where pre-commit (the tool) moves it, or where husky's generated hook leads. */
function mentionsCoffer(folder: string, hook: HookName): boolean {
  return [join(folder, hook), join(folder, hook + LEGACY), join(dirname(folder), hook)].some(path => {
    try {
      return readFileSync(path, "utf8").includes("coffer hook")
    } catch {
      return false
    }
  })
}

function outputOf(
  program: string,
  args: readonly string[],
  options: { cwd: string; env: NodeJS.ProcessEnv; timeout: number },
): Promise<string> {
  return new Promise(resolve => {
    const child = execFile(program, args, options, (_error, stdout, stderr) => resolve(stdout + stderr))
    child.stdin?.end()
  })
}
