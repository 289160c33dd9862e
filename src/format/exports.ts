/** Prints variables for other programs: JSON, POSIX shell, and masks for GitHub's logs. */

import { escapeUnit } from "../encoding.js"
import { CofferError } from "../errors.js"
import { oneOf, TEXTS_BY_KEY } from "./given.js"
import { quoteForShell } from "./shell.js"

/** What `export` can print. */
export const EXPORT_FORMATS = ["json", "sh", "github-mask"] as const

/** One of {@link EXPORT_FORMATS}. */
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

/** Lines shorter than this are not masked by themselves: `}` and `end` would shred every log. */
const MIN_MASKED_LINE = 4

const FORMAT = oneOf(EXPORT_FORMATS)

/**
 * Prints all variables in one format.
 *
 * @throws CofferError `VALUE_INVALID` where the format cannot hold a value, `NAME_INVALID` where a shell has no such variable, `USAGE` for a format that is none
 */
export function printVariables(variables: ReadonlyMap<string, string>, format: ExportFormat): string {
  TEXTS_BY_KEY(variables, "variables")
  FORMAT(format, "format")
  switch (format) {
    case "json":
      return printJson(variables)
    case "sh":
      return printShell(variables)
    case "github-mask":
      return printGithubMasks(variables)
  }
}

/** One flat object of strings, safe to paste into JavaScript and for readers that dislike raw controls. */
function printJson(variables: ReadonlyMap<string, string>): string {
  const text = JSON.stringify(Object.fromEntries(variables), null, 2)
  return `${text.replace(/[\u007f-\u009f\u2028\u2029\ufeff]/g, escapeUnit)}\n`
}

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/

/** `export NAME='value'` lines for `eval "$(coffer export --format sh)"`. */
function printShell(variables: ReadonlyMap<string, string>): string {
  return Array.from(variables, ([variable, value]) => {
    if (!VARIABLE.test(variable)) {
      throw new CofferError("NAME_INVALID", "a variable's name is none that a shell has", {
        hint: "letters, digits and _, and no digit first; or --format json",
      })
    }
    if (value.includes("\0")) {
      throw new CofferError("VALUE_INVALID", `the value of ${variable} has a NUL, which no shell can hold`, {
        hint: "use --format json, or coffer get -o FILE",
      })
    }
    return `export ${variable}=${quoteForShell(value)}\n`
  }).join("")
}

/**
 * One `::add-mask::` per value and per line of it. Unescaped, a line end would end the command: the
 * runner would mask the first line and print the rest, and a value could carry commands of its own.
 */
function printGithubMasks(variables: ReadonlyMap<string, string>): string {
  const masked = new Set<string>()
  for (const value of variables.values()) {
    if (value !== "") masked.add(value)
    for (const line of value.split(/\r\n|\r|\n/)) if (line.length >= MIN_MASKED_LINE) masked.add(line)
  }
  return Array.from(masked, text => `::add-mask::${escapeCommandData(text)}\n`).join("")
}

function escapeCommandData(text: string): string {
  return text.replace(/%/g, "%25").replace(/\r/g, "%0D").replace(/\n/g, "%0A")
}
