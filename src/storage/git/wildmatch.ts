/** Git's path patterns, as they stand in ignore files and in conditional includes. */

/**
 * Compiles a pattern in which "*" and "?" stop at "/" and "**" between slashes spans folders.
 *
 * @returns undefined for a pattern that matches nothing (an open bracket).
 * @see https://git-scm.com/docs/gitignore#_pattern_format
 */
export function compilePattern(pattern: string, options: { ignoreCase?: boolean } = {}): RegExp | undefined {
  let source = ""
  for (let rest = pattern; rest !== ""; ) {
    const token = nextToken(rest, rest.length === pattern.length || pattern.at(-rest.length - 1) === "/")
    if (token === undefined) return undefined
    source += token.source
    rest = rest.slice(token.length)
  }
  try {
    return new RegExp(`^${source}$`, options.ignoreCase ? "is" : "s")
  } catch {
    return undefined
  }
}

function nextToken(rest: string, startsName: boolean): { source: string; length: number } | undefined {
  if (startsName && rest === "**") return { source: ".*", length: 2 }
  if (startsName && rest.startsWith("**/")) return { source: "(?:.*/)?", length: 3 }
  if (rest[0] === "*") return { source: "[^/]*", length: /^\*+/.exec(rest)![0].length }
  if (rest[0] === "?") return { source: "[^/]", length: 1 }
  if (rest[0] === "[") {
    const set = /^\[[!^]?(?:\[:[a-z]+:\]|\\.|[^\\])(?:\[:[a-z]+:\]|\\.|[^\]\\])*\]/s.exec(rest)?.[0]
    return set === undefined ? undefined : { source: characterSet(set.slice(1, -1)), length: set.length }
  }
  if (rest[0] === "\\") {
    return rest.length < 2 ? undefined : { source: escapeCharacter(rest[1]!), length: 2 }
  }
  return { source: escapeCharacter(rest[0]!), length: 1 }
}

const CLASSES: Readonly<Record<string, string>> = {
  alnum: "A-Za-z0-9",
  alpha: "A-Za-z",
  blank: " \\t",
  cntrl: "\\x00-\\x1f\\x7f",
  digit: "0-9",
  graph: "!-~",
  lower: "a-z",
  print: " -~",
  punct: "!-/:-@\\[-`{-~",
  space: "\\s",
  upper: "A-Z",
  xdigit: "A-Fa-f0-9",
}

/** The set never holds "/", whatever it lists. */
function characterSet(body: string): string {
  const negated = /^[!^]/.test(body)
  const items = (negated ? body.slice(1) : body).replace(
    /\[:([a-z]+):\]|\\(.)|(.)/gs,
    (_, name?: string, escaped?: string, plain?: string) => {
      if (name !== undefined) return CLASSES[name] ?? ""
      const character = escaped ?? plain!
      return character === "-" && escaped === undefined ? "-" : escapeCharacter(character)
    },
  )
  return `(?!/)[${negated ? "^" : ""}${items}]`
}

function escapeCharacter(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")
}
