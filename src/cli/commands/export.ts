/** The command `export`, and how `run` and it select secrets. */
import { CofferError } from "../../errors.js"
import { EXPORT_FORMATS, printVariables } from "../../format/exports.js"
import { readVariables } from "../../store/variables.js"
import { OPEN_ERRORS, parsePrefix } from "../arguments.js"
import { defineCommand } from "../command.js"
import type { Options } from "../option.js"

/** Which secrets become variables, in `run` and `export`. */
export const SELECTION = {
  prefix: {
    type: "string",
    alias: "p",
    repeats: true,
    placeholder: "prefix",
    help: "the secrets below this path (. for all); may repeat, later ones win. Default: names without /",
  },
} as const satisfies Options

export const exportCommand = defineCommand({
  name: "export",
  summary: "print secrets as variables for another program",
  details:
    'For a shell: vars=$(coffer export --format sh) && eval "$vars". Where a program can be started by coffer, coffer run is safer.',
  options: {
    ...SELECTION,
    format: {
      type: "string",
      choices: EXPORT_FORMATS,
      default: "json",
      placeholder: "kind",
      help: "json, sh or github-mask (hides the values in the log of a GitHub job)",
    },
  },
  fields: "{VARIABLE: value}",
  errors: [...OPEN_ERRORS, "NAME_INVALID", "VALUE_INVALID"],
  examples: [{ command: "coffer export -p prod" }, { command: "coffer export -p prod --format github-mask" }],

  async run(session, { prefix, format }) {
    if (session.globals.json && format !== "json") {
      throw new CofferError("USAGE", `--format ${format} and --json are two forms of the result`, {
        hint: "leave one of them out",
      })
    }
    const variables = await readVariables(await session.openStore(), { prefixes: prefix.map(checkPrefix) })
    return { format, values: new Map([...variables].map(([variable, { value }]) => [variable, value])) }
  },

  text: ({ format, values }) => Buffer.from(printVariables(values, format)),
  json: ({ values }) => Object.fromEntries(values),
})

/** `-p`, checked and as the store takes it. */
export function checkPrefix(text: string): string {
  return parsePrefix(text) || "."
}
