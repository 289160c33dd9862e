/** The list of commands. Each is loaded when it is called, so that none pays for the others. */
import type { Command, CommandGroup } from "../command.js"

export interface Entry {
  readonly name: string
  readonly aliases: readonly string[]
  load(): Promise<Command | CommandGroup>
}

function entry(name: string, load: Entry["load"], ...aliases: string[]): Entry {
  return { name, aliases, load }
}

export const SECTIONS: readonly { readonly title: string; readonly entries: readonly Entry[] }[] = [
  {
    title: "Start",
    entries: [
      entry("init", async () => (await import("./init.js")).init),
      entry("identity", async () => (await import("./identity.js")).identity),
      entry("import", async () => (await import("./import.js")).importCommand),
    ],
  },
  {
    title: "Secrets",
    entries: [
      entry("set", async () => (await import("./set.js")).set),
      entry("get", async () => (await import("./get.js")).get),
      entry("list", async () => (await import("./list.js")).list, "ls"),
      entry("generate", async () => (await import("./generate.js")).generate),
      entry("edit", async () => (await import("./edit.js")).edit),
      entry("copy", async () => (await import("./copy.js")).copy, "cp"),
      entry("move", async () => (await import("./move.js")).move, "mv"),
      entry("delete", async () => (await import("./delete.js")).deleteCommand, "rm"),
      entry("undelete", async () => (await import("./undelete.js")).undelete),
      entry("find", async () => (await import("./find.js")).find),
      entry("grep", async () => (await import("./grep.js")).grep),
    ],
  },
  {
    title: "History",
    entries: [
      entry("versions", async () => (await import("./versions.js")).versions),
      entry("rollback", async () => (await import("./rollback.js")).rollback),
      entry("resolve", async () => (await import("./resolve.js")).resolve),
    ],
  },
  {
    title: "People and keys",
    entries: [
      entry("recipients", async () => (await import("./recipients.js")).recipients),
      entry("group", async () => (await import("./group.js")).group),
      entry("keys", async () => (await import("./keys.js")).keys),
      entry("rotate", async () => (await import("./rotate.js")).rotate),
    ],
  },
  {
    title: "Use",
    entries: [
      entry("run", async () => (await import("./run.js")).run),
      entry("export", async () => (await import("./export.js")).exportCommand),
    ],
  },
  {
    title: "Safety",
    entries: [
      entry("status", async () => (await import("./status.js")).status),
      entry("check", async () => (await import("./check.js")).check),
      entry("trust", async () => (await import("./trust.js")).trust),
      entry("hooks", async () => (await import("./hooks.js")).hooks),
    ],
  },
]

/** What git's hooks call, not people: in no list. */
const INTERNAL: readonly Entry[] = [entry("hook", async () => (await import("./hook.js")).hook)]

/** Words of other tools, and what they are called here. */
export const LIKELY_WORDS: ReadonlyMap<string, string> = new Map([
  ["exec", "run"],
  ["env", "run"],
  ["show", "get"],
  ["cat", "get"],
  ["add", "set"],
  ["put", "set"],
  ["insert", "set"],
  ["history", "versions"],
  ["log", "versions"],
  ["remove", "delete"],
  ["del", "delete"],
  ["rekey", "rotate"],
  ["updatekeys", "rotate"],
  ["members", "recipients"],
])

export function findEntry(word: string): Entry | undefined {
  return [...allEntries(), ...INTERNAL].find(({ name, aliases }) => name === word || aliases.includes(word))
}

/** Every word that is a command. */
export function words(): readonly string[] {
  return allEntries().flatMap(({ name, aliases }) => [name, ...aliases])
}

export function allEntries(): readonly Entry[] {
  return SECTIONS.flatMap(({ entries }) => entries)
}
