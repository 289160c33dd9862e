/** Writes docs/cli.md from the command objects: what is documented is what is there. */
import type { Command, CommandGroup } from "../../src/cli/command.js"
import { SECTIONS } from "../../src/cli/commands/index.js"
import { GLOBALS } from "../../src/cli/globals.js"
import { optionRows, positionalRows, statusRows, usageOf } from "../../src/cli/help.js"
import { type ErrorCode, EXIT_CODES } from "../../src/errors.js"

export async function cliReference(): Promise<string> {
  const parts = [INTRODUCTION, optionsTable("Global options", optionRows(GLOBALS)), exitTable(), ENVIRONMENT]
  for (const { title, entries } of SECTIONS) {
    parts.push(`## ${title}`)
    for (const entry of entries) {
      const loaded = await entry.load()
      parts.push(...commandsOf(loaded).map(commandSection))
    }
  }
  return `${parts.join("\n\n")}\n`
}

function commandsOf(loaded: Command | CommandGroup): readonly Command[] {
  return "commands" in loaded ? loaded.commands : [loaded]
}

function commandSection(command: Command): string {
  const { name, aliases = [], summary, details, options, fields, examples } = command
  const also =
    aliases.length === 0 ? "" : ` Short: ${aliases.map(alias => `\`coffer ${alias}\``).join(", ")}.`
  const shown = examples.map(({ command: typed, shows }) =>
    shows === undefined ? typed : `${typed}    # ${shows}`,
  )
  return [
    `### ${name}`,
    `\`coffer ${usageOf(command)}\``,
    `${sentence(summary)}${also}`,
    ...(details === undefined ? [] : details.split("\n").map(escapeCell)),
    ...tableOf(positionalRows(command)),
    ...tableOf(options === undefined ? [] : optionRows(options)),
    ...(fields === undefined ? [] : [`With \`--json\`: ${escapeCell(fields)}`]),
    `Exit status: ${statusRows(command)
      .map(([status, meaning]) => `${status} ${meaning}`)
      .join(" · ")}`,
    `\`\`\`sh\n${shown.join("\n")}\n\`\`\``,
  ].join("\n\n")
}

function optionsTable(title: string, rows: readonly [string, string][]): string {
  return [`## ${title}`, "They may stand before or after the command.", ...tableOf(rows)].join("\n\n")
}

function tableOf(rows: readonly [string, string][]): string[] {
  if (rows.length === 0) return []
  return [
    `| | |\n|---|---|\n${rows.map(([term, meaning]) => `| \`${term}\` | ${escapeCell(meaning)} |`).join("\n")}`,
  ]
}

/** What each status promises to scripts; the codes are those of src/errors.ts. */
const MEANINGS: Readonly<Record<number, string>> = {
  0: "done",
  1: "a bug in coffer",
  2: "what was typed or configured is wrong; nothing was done",
  3: "a check found something: everything that `check` and `status --fail-on` find, tampering too",
  4: "could not check",
  10: "not found",
  11: "no identity here fits",
  12: "integrity or trust: refused",
  13: "locked, conflicted, diverged, behind or another version: try again after what the hint says",
  14: "git, or the file system below it, failed or refused",
  15: "exists already",
  130: "interrupted",
}

function exitTable(): string {
  const rows = Object.entries(MEANINGS).map(([status, meaning]) => {
    const codes = (Object.keys(EXIT_CODES) as ErrorCode[]).filter(code => EXIT_CODES[code] === Number(status))
    return `| ${status} | ${meaning} | ${codes.map(code => `\`${code}\``).join(" ")} |`
  })
  return ["## Exit status", `| | | codes |\n|---|---|---|\n${rows.join("\n")}`, RUN_STATUS].join("\n\n")
}

function sentence(summary: string): string {
  return `${escapeCell(summary.charAt(0).toUpperCase() + summary.slice(1))}.`
}

function escapeCell(text: string): string {
  return text.replace(/[|*<>]/g, "\\$&")
}

const INTRODUCTION = `# Command line

<!-- Made from the command objects by "npm run docs"; do not edit. -->

\`coffer [options] COMMAND [arguments]\`. Scripts may rely on everything here.

- A secret is written \`NAME\` (\`prod/db/PASSWORD\`), one version of it \`NAME@3\`. \`-p PREFIX\` selects what is below a path; \`-p .\` is everything.
- Values come from stdin, \`--file\`, a hidden prompt or an editor; never from the command line.
- stdout carries data only; notes, warnings, questions and errors go to stderr. Nothing is on stderr when all went well and
  nobody watches, except warnings.
- With \`--json\` stdout holds one JSON document; on failure it holds nothing, and stderr one line:
  \`{"error":{"code":"NOT_FOUND","message":"…","hint":"…","exit":10}}\`, with \`"notes":["…"]\` where there were notes or warnings.
  Fields are added, never removed or renamed. Times are
  ISO 8601 in UTC. A value appears only in \`get\` and \`export\`.
- Where a change is there already, commands say so, write nothing, commit nothing, and exit with 0.
- Messages repeat neither words too many, nor anything with a \`=\`, nor what is no valid name and no file that is there:
  people type values in the wrong place.`

const RUN_STATUS =
  "`run` ends with its program's status: 128+n after signal n, 126 and 127 as in a shell, and 125 where coffer stopped before it started."

const ENVIRONMENT = `## Environment

| | |
|---|---|
| \`COFFER_IDENTITY\` | identity lines themselves, for CI; empty counts as unset |
| \`COFFER_IDENTITY_FILE\` | identity files, separated by \`:\`; pipes too |
| \`COFFER_PIN\` | the pin to verify with, in place of the remembered one; \`tofu\` reads with a warning and never writes |
| \`COFFER_STORE\` | the store's folder |
| \`COFFER_GIT\` | \`auto\`, \`system\` (the git binary) or \`embedded\` (none needed) |
| \`COFFER_NO_INPUT\` | never ask |
| \`COFFER_CONFIG\` | the user's configuration, in place of \`$XDG_CONFIG_HOME/coffer/config.yaml\` |
| \`XDG_CONFIG_HOME\`, \`XDG_STATE_HOME\` | where identity and configuration, and what this machine remembers of stores, are kept |
| \`VISUAL\`, \`EDITOR\` | the editor |
| \`NO_COLOR\` | no colour |

An option wins over the environment, that over the user's configuration, that over the repository's, that over the default.
Variables with identities are removed from the environment of every program that coffer starts.

The repository's settings are in \`.coffer.yaml\`: \`store\` (the store's folder) and \`scan: { allow: [globs] }\` (files that the hooks do
not search). The user's are in \`config.yaml\`: \`identities\` (files) and \`editor\` (the program and its arguments, as a list).
Nothing that names a command, a key or a place outside the repository counts in the repository's file.`
