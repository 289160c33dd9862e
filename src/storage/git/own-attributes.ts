/** Attributes that one clone alone gives to its files (`info/attributes`): git lets them win over every committed one. */
import { join } from "node:path"
import { findText } from "../disk.js"
import { compilePattern, type PatternTest } from "./wildmatch.js"

/** A line of the file that has a say about a path. `value` is `true` for a set attribute, `false` for an unset one. */
export interface OwnAttribute {
  readonly line: number
  readonly value: string | boolean | undefined
}

/** The file, read. */
export interface OwnAttributes {
  /** What the file itself says of a path (relative to the work tree), by attribute; the last line counts. */
  of(path: string): ReadonlyMap<string, OwnAttribute>
}

interface Line {
  readonly line: number
  readonly pattern: PatternTest
  /** Compared with the last name only: the pattern has no slash. */
  readonly byName: boolean
  readonly states: readonly State[]
}

type State = readonly [name: string, value: string | boolean | undefined]

/** @returns undefined where there is none, or nothing in it */
export function readOwnAttributes(commonDir: string): OwnAttributes | undefined {
  const text = findText(ownAttributesPath(commonDir))
  if (text === undefined) return undefined
  const lines = parseLines(text.replace(/^\uFEFF/, ""))
  return {
    of(path) {
      const name = path.slice(path.lastIndexOf("/") + 1)
      const found = new Map<string, OwnAttribute>()
      for (const { line, pattern, byName, states } of lines) {
        if (!pattern(byName ? name : path)) continue
        for (const [attribute, value] of states) found.set(attribute, { line, value })
      }
      return found
    },
  }
}

/** Where git keeps them. */
export function ownAttributesPath(commonDir: string): string {
  return join(commonDir, "info", "attributes")
}

/** A pattern of such a file: a folder of the work tree, taken literally, and `rest` below it. */
export function printPattern(folder: string, rest: string): string {
  const pattern = `/${folder.replace(/[\\*?[]/g, "\\$&")}${rest}`
  return /[\s"\\]/.test(pattern) ? `"${pattern.replace(/[\\"]/g, "\\$&")}"` : pattern
}

/** @see https://git-scm.com/docs/gitattributes */
function parseLines(text: string): Line[] {
  // "binary" is git's own macro; the file may define more of them.
  const macros = new Map<string, readonly State[]>([
    [
      "binary",
      [
        ["diff", false],
        ["merge", false],
        ["text", false],
      ],
    ],
  ])
  const lines: Line[] = []
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const [, quoted, plain, rest = ""] = /^[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s"#]\S*))(.*)$/s.exec(raw) ?? []
    const word = quoted === undefined ? plain : quoted.replace(/\\(["\\])/g, "$1")
    if (word === undefined) continue
    const states = rest
      .trim()
      .split(/\s+/)
      .flatMap(state => parseState(state, macros))
    const macro = quoted === undefined ? /^\[attr\](.+)$/.exec(word)?.[1] : undefined
    if (macro !== undefined) macros.set(macro, states)
    // A folder has no attributes, and what is below it gets none of its pattern.
    else if (!word.startsWith("!") && !word.endsWith("/")) {
      const pattern = compilePattern(word.replace(/^\//, ""))
      if (pattern !== undefined) lines.push({ line: index + 1, pattern, byName: !word.includes("/"), states })
    }
  }
  return lines
}

function parseState(state: string, macros: ReadonlyMap<string, readonly State[]>): State[] {
  if (state === "") return []
  if (state.startsWith("-")) return [[state.slice(1), false]]
  if (state.startsWith("!")) return [[state.slice(1), undefined]]
  const [name = "", ...value] = state.split("=")
  if (value.length > 0) return [[name, value.join("=")]]
  return [[name, true], ...(macros.get(name) ?? [])]
}
