/** The command `import`. */
import { statSync } from "node:fs"
import { resolve } from "node:path"
import { counted } from "../../format/counted.js"
import { shellWord } from "../../format/shell.js"
import { readUserFile } from "../../storage/user-file.js"
import { findInGit, type GitKnowledge, type Imported, importDotenv } from "../../store/import.js"
import { parsePrefix, WRITE_ERRORS, WRITE_OPTIONS, writeOptions } from "../arguments.js"
import { defineCommand } from "../command.js"
import { outcome } from "../written.js"

const MAX_BYTES = 16 * 1024 * 1024

export const importCommand = defineCommand({
  name: "import",
  summary: "store the variables of a dotenv file as secrets, in one commit",
  details:
    "Strict: what readers of such files disagree on is an error or a warning that names the line. A $ is a $.",
  positionals: { file: "a dotenv file" },
  options: {
    prefix: { type: "string", alias: "p", placeholder: "prefix", help: "store them below this path" },
    force: { type: "boolean", help: "also where a secret has another value" },
    dryRun: { type: "boolean", help: "only say what would be done" },
    ...WRITE_OPTIONS,
  },
  fields: "{changed, commit, secrets: [{name, version}], unchanged, git}",
  errors: ["IMPORT_INVALID", ...WRITE_ERRORS, "EXISTS"],
  examples: [
    { command: "coffer import .env" },
    { command: "coffer import .env.production -p prod --dry-run" },
  ],

  async run(session, { file, prefix = ".", force, dryRun, ...write }) {
    const path = resolve(session.cwd, file)
    const content = await readUserFile(path, MAX_BYTES)
    const store = await session.openStore()
    const request = {
      content,
      prefix: parsePrefix(prefix) || ".",
      force,
      dryRun,
      ...writeOptions(session, write),
    }
    const imported = await importDotenv(store, request)
    for (const { line, key, kind } of imported.warnings)
      session.warn(`line ${line}, ${key}: ${WARNINGS[kind]}`)
    const isFile = statSync(path, { throwIfNoEntry: false })?.isFile() === true
    return { ...imported, file, isFile, git: await findInGit(store, path), dryRun }
  },

  text({ secrets, unchanged, changed, commit, file, isFile, git, dryRun }) {
    const lines = secrets.map(({ name, version }) => `${name}: version ${version}\n`)
    const place = isFile ? `; ${file} ${PLACES[git]}${dryRun ? "" : advice(file, git)}` : ""
    const same = unchanged.length === 0 ? "" : `, ${unchanged.length} unchanged`
    const done = dryRun ? " would be stored" : outcome({ changed, commit })
    const isAllSame = secrets.length === 0 && unchanged.length > 0 && !changed
    const what = isAllSame
      ? `${counted(unchanged.length, "secret")} unchanged`
      : `${counted(secrets.length, "secret")}${same}${done}`
    return `${lines.join("")}${what}${place}\n`
  },

  json: ({ changed, commit, secrets, unchanged, git }) => ({ changed, commit, secrets, unchanged, git }),
})

const WARNINGS: Readonly<Record<Imported["warnings"][number]["kind"], string>> = {
  dollar: "the $ is stored as it is; other readers of dotenv files would put in another variable",
  hash: "the # is part of the value; other readers take what follows for a comment",
  escape: "the backslash is stored as it is; other readers would drop it or what follows",
}

const PLACES: Readonly<Record<GitKnowledge, string>> = {
  none: "is not in git",
  staged: "is staged, and in no commit yet",
  tracked: "is tracked by git",
  history: "is in git's history",
}

/** What to do with the file once its values are stored. */
function advice(file: string, git: GitKnowledge): string {
  const typed = shellWord(file)
  switch (git) {
    case "none":
      return `: rm ${typed}`
    case "staged":
      return `: git rm --cached ${typed}, then rm ${typed}`
    case "tracked":
      return `: git rm ${typed}, and change the values, since its history has them`
    case "history":
      return ": change the values"
  }
}
