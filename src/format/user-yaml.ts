/** YAML as people write it, read in one strict way: YAML 1.2, core schema, no aliases, directives or merge keys. */
import type { Document, ParsedNode } from "yaml"

/** A document that was read, or what is wrong with the text and in which line. */
export type UserYaml =
  | {
      readonly document: Document.Parsed<ParsedNode>
      readonly fault?: undefined
      /** The line, from 1, of an offset into the text. */
      lineOf(offset: number | undefined): number
    }
  | { readonly document?: undefined; readonly fault: { readonly line: number; readonly what: string } }

/** For text that somebody else can have written: the parser itself runs out of memory on deep nesting. */
export const MAX_DEPTH = 32

/** What is wrong where a name has two values. */
export const TWICE = "the same name stands there twice"

/**
 * Reads one document. Nothing of the text is repeated in what is said about it: it may be a secret.
 *
 * @param maxDepth - refuses more unclosed brackets, or dashes in one line. Left out where quoted values may
 * hold any number of them.
 */
export async function parseUserYaml(text: string, maxDepth = Number.POSITIVE_INFINITY): Promise<UserYaml> {
  if (depthOf(text) > maxDepth) return { fault: { line: 1, what: "it is nested too deeply" } }
  // A directive could choose YAML 1.1, where `no` is false.
  if (/(?:^|[\r\n])%/.test(text)) return { fault: { line: 1, what: "it has YAML directives" } }
  const { LineCounter, parseDocument } = await import("yaml")
  const lines = new LineCounter()
  const document = parseDocument(text, {
    schema: "core",
    version: "1.2",
    uniqueKeys: true,
    merge: false,
    strict: true,
    prettyErrors: false,
    lineCounter: lines,
  })
  const lineOf = (offset: number | undefined) => (offset === undefined ? 1 : lines.linePos(offset).line)
  const [error] = [...document.errors, ...document.warnings]
  if (error !== undefined) {
    const isTwice = error.code === "DUPLICATE_KEY"
    return {
      fault: {
        line: lineOf(error.pos[0]),
        what: isTwice ? TWICE : "it is not valid YAML",
      },
    }
  }
  return { document, lineOf }
}

/** An upper bound, found before a parser recurses: indentation steps and brackets. */
function depthOf(text: string): number {
  let brackets = 0
  let deepest = 0
  for (const character of text) {
    if (character === "[" || character === "{") deepest = Math.max(deepest, ++brackets)
    else if (character === "]" || character === "}") brackets--
  }
  const dashes = Math.max(
    0,
    ...[...text.matchAll(/^[ ]*(?:- ?)+/gm)].map(([run]) => run.replaceAll(" ", "").length),
  )
  return Math.max(deepest, dashes)
}
