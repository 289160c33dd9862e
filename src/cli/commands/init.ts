import { type Setup, setUp } from "../../store/setup.js"
import { WRITE_ERRORS, WRITE_OPTIONS, writeOptions } from "../arguments.js"
import { defineCommand } from "../command.js"

export const init = defineCommand({
  name: "init",
  summary: "make a store in this git repository, or set up this clone of one",
  details:
    "A new store: an identity if you have none, the first key record, git hooks, one commit. You are its only member and admin.\nIn a repository with a store: identity, pin and hooks for this clone; nothing is committed. It prints the line that an admin has to run for you.",
  options: {
    name: { type: "string", placeholder: "me", help: "your name as a member; default: from git's author" },
    hooks: { type: "boolean", default: true, help: "install no git hooks" },
    gitInit: { type: "boolean", help: "make a git repository where there is none, without asking" },
    ...WRITE_OPTIONS,
  },
  errors: ["GIT_NO_REPOSITORY", "NAME_INVALID", "PIN_MISMATCH", ...WRITE_ERRORS],
  examples: [
    { command: "coffer init", shows: "a store in secrets/" },
    { command: "coffer init --store vault --name ana" },
    { command: "COFFER_PIN=coffer1-… coffer init", shows: "joins a store that a colleague has pinned" },
  ],

  async run(session, { name, hooks, gitInit, ...write }): Promise<Setup> {
    return setUp(session.openOptions(), {
      name,
      gitInit,
      hooks: hooks ? session.host.program : undefined,
      ...writeOptions(session, write),
    })
  },

  json: ({ store, storeId, pin, identityFile, card, commit, joined, hooks, envFiles }: Setup) => ({
    store,
    storeId,
    pin,
    identityFile: identityFile ?? null,
    card,
    commit,
    joined,
    hooks,
    envFiles,
  }),

  text: describe,
})

function describe(setup: Setup): string {
  const lines = setup.joined ? describeJoined(setup) : describeNew(setup)
  for (const { path, tracked } of setup.envFiles) {
    const note = tracked
      ? `${path} is tracked by git: treat what is in it as leaked`
      : `${path} is not in git`
    lines.push(`${note}; take it in: coffer import ${path}`)
  }
  return `${lines.join("\n")}\n`
}

function describeNew({ store, member, hooks, commit, pin, ...setup }: Setup): string[] {
  const state = commit === null ? "staged, not committed" : `commit ${commit.slice(0, 7)}`
  const lines = [`store ${store}/, you are "${member}" (admin), hooks ${hooks}, ${state}`, `pin ${pin}`]
  if (setup.identityCreated) lines.push(`only key: ${setup.identityFile}; save it: coffer identity export`)
  lines.push("next: coffer set NAME, or coffer import .env")
  return lines
}

function describeJoined({ store, hooks, pin, ...setup }: Setup): string[] {
  const lines = [
    `joined store ${store}/, hooks ${hooks}`,
    pin === null ? "not pinned here yet" : `pin ${pin}`,
  ]
  if (setup.identityCreated) lines.push(`only key: ${setup.identityFile}; save it: coffer identity export`)
  if (setup.addCommand !== undefined) lines.push(`send to an admin: ${setup.addCommand}`)
  return lines
}
