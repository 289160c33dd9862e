/** Recognises the plain forms of `get` without a parser: what scripts call in loops starts at once. */
import type { Globals } from "./globals.js"

export interface PlainGet {
  readonly globals: Globals
  readonly args: { readonly name: string }
}

const VALUES: Readonly<Record<string, "C" | "store" | "identity">> = {
  "-C": "C",
  "--store": "store",
  "--identity": "identity",
  "-i": "identity",
}
const PLAIN_VALUE = /^[^-]/
const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9._/-]*$/

/**
 * `get NAME` with the commonest global options, before or after. Everything else is for the parser,
 * which gives the same for these: test/cli/plain-get.test.ts.
 */
export function findPlainGet(argv: readonly string[]): PlainGet | undefined {
  const words: string[] = []
  const flags = { json: false, quiet: false }
  const values = { C: [] as string[], store: [] as string[], identity: [] as string[] }
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!
    const value = argv[i + 1]
    if (word === "--json") flags.json = true
    else if (word === "--quiet" || word === "-q") flags.quiet = true
    else if (Object.hasOwn(VALUES, word) && value !== undefined && PLAIN_VALUE.test(value)) {
      values[VALUES[word]!].push(value)
      i++
    } else if (PLAIN_NAME.test(word)) words.push(word)
    else return undefined
  }
  const [command, name, ...others] = words
  const [store, ...moreStores] = values.store
  if (command !== "get" || name === undefined || others.length > 0 || moreStores.length > 0) return undefined
  return {
    globals: {
      ...flags,
      input: true,
      debug: false,
      help: false,
      version: false,
      C: values.C,
      identity: values.identity,
      ...(store === undefined ? {} : { store }),
    },
    args: { name },
  }
}
