/** The commands `hooks install`, `status` and `uninstall`. */
import { type HooksReport, hooksStatus, installHooks, uninstallHooks } from "../../store/hooks.js"
import { type CommandGroup, defineCommand } from "../command.js"

const install = defineCommand({
  name: "hooks install",
  summary: "install the git hooks and the merge rule in this clone; does nothing where they are",
  details:
    "Hooks that are there stay and run first. core.hooksPath and linked worktrees are honoured. lefthook puts its own hooks in the place of others whenever it installs: run this after it.",
  fields: "{installed, live, path, hooks: [{name, installed, live}], merge, overruled}",
  errors: ["GIT_NO_REPOSITORY", "GIT_UNSUPPORTED", "EXISTS", "GIT_LOCKED", "IO_FAILED"],
  examples: [{ command: "coffer hooks install" }],

  async run({ host, env, openStore }) {
    const store = await openStore()
    return installHooks(await store.git(), { stores: [store.folder], env, program: host.program })
  },
  text: describe,
})

const status = defineCommand({
  name: "hooks status",
  summary: "say whether the hooks are installed, and prove by a run of each that they fire",
  fields: "{installed, live, path, hooks: [{name, installed, live}], merge, overruled}",
  errors: ["GIT_NO_REPOSITORY"],
  examples: [{ command: "coffer hooks status" }],

  async run({ env, openStore }) {
    const store = await openStore()
    return hooksStatus(await store.git(), { stores: [store.folder], env })
  },
  text: describe,
})

const uninstall = defineCommand({
  name: "hooks uninstall",
  summary: "take the hooks and the merge rule out again; hooks that were there before come back",
  fields: "{path, changed, left: [name]}",
  errors: ["GIT_NO_REPOSITORY", "GIT_LOCKED", "IO_FAILED"],
  examples: [{ command: "coffer hooks uninstall" }],

  run: async ({ openStore }) => uninstallHooks(await (await openStore()).git()),
  text: ({ path, changed, left }) => {
    const done = changed
      ? `hooks are out of ${path}`
      : `there is nothing of coffer's in ${path}, and no merge rule`
    if (left.length === 0) return `${done}\n`
    return `${done}\nlines that are not coffer's still call it: ${left.join(", ")}; take them out by hand\n`
  },
})

export const hooks: CommandGroup = {
  name: "hooks",
  summary: "git hooks that keep plaintext out: install, status, uninstall",
  commands: [install, status, uninstall],
}

function describe({ path, hooks, merge, overruled }: HooksReport): string {
  const lines = hooks.map(
    ({ name, installed, live }) =>
      `${name}: ${live ? "fires" : installed ? "installed, but does not fire" : "missing"}\n`,
  )
  const rule = overruled ? "overruled by .git/info/attributes: coffer check" : merge ? "in place" : "missing"
  return `${lines.join("")}merge rule: ${rule}\nfolder: ${path}\n`
}
