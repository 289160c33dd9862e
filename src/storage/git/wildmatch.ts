/** Git's path patterns, as they stand in ignore files and in conditional includes. */

/** Whether a text fits a pattern. */
export type PatternTest = (text: string) => boolean

/**
 * Compiles a pattern in which "*" and "?" stop at "/" and "**" between slashes spans folders. A repository brings its
 * own patterns, so there is no backtracking whose time it could choose: a test takes at most pattern × text.
 *
 * @returns undefined for a pattern that matches nothing (an open bracket).
 * @see https://git-scm.com/docs/gitignore#_pattern_format
 */
export function compilePattern(
  pattern: string,
  options: { ignoreCase?: boolean } = {},
): PatternTest | undefined {
  const steps: Step[] = []
  const one = (source: string) => oneThat(new RegExp(`^${source}$`, options.ignoreCase ? "is" : "s"))
  for (let rest = pattern; rest !== ""; ) {
    const startsName = rest.length === pattern.length || pattern.at(-rest.length - 1) === "/"
    const token = nextToken(rest, startsName)
    if (token === undefined) return undefined
    try {
      steps.push(typeof token.takes === "string" ? one(token.takes) : token.takes)
    } catch {
      return undefined
    }
    rest = rest.slice(token.length)
  }
  return text => {
    let reached = [true, ...new Array<boolean>(text.length).fill(false)]
    for (const step of steps) reached = step(text, reached)
    return reached.at(-1)!
  }
}

/** The places in a text, one for each character and its end, that a part of a pattern leads to from those reached. */
type Step = (text: string, reached: readonly boolean[]) => boolean[]

/** One character. */
function oneThat(fits: RegExp): Step {
  return (text, reached) => reached.map((_, at) => at > 0 && reached[at - 1]! && fits.test(text[at - 1]!))
}

/** Any characters of one name. */
const withinName: Step = (text, reached) => {
  let isIn = false
  return reached.map((isHere, at) => {
    isIn = isHere || (isIn && text[at - 1] !== "/")
    return isIn
  })
}

/** Everything that follows. */
const anything: Step = (_, reached) => {
  const first = reached.indexOf(true)
  return reached.map((_, at) => first >= 0 && at >= first)
}

/** No folder, or any number of them, each with its slash. */
const folders: Step = (text, reached) => {
  const first = reached.indexOf(true)
  return reached.map((isHere, at) => isHere || (first >= 0 && at > first && text[at - 1] === "/"))
}

/** The first part of a pattern, and how long it is; what stands for one character is the source of an expression. */
function nextToken(rest: string, startsName: boolean): { takes: Step | string; length: number } | undefined {
  if (startsName && rest === "**") return { takes: anything, length: 2 }
  if (startsName && rest.startsWith("**/")) return { takes: folders, length: 3 }
  if (rest[0] === "*") return { takes: withinName, length: /^\*+/.exec(rest)![0].length }
  if (rest[0] === "?") return { takes: "[^/]", length: 1 }
  if (rest[0] === "[") {
    const set = /^\[[!^]?(?:\[:[a-z]+:\]|\\.|[^\\])(?:\[:[a-z]+:\]|\\.|[^\]\\])*\]/s.exec(rest)?.[0]
    return set === undefined ? undefined : { takes: characterSet(set.slice(1, -1)), length: set.length }
  }
  if (rest[0] === "\\") {
    return rest.length < 2 ? undefined : { takes: escapeCharacter(rest[1]!), length: 2 }
  }
  return { takes: escapeCharacter(rest[0]!), length: 1 }
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
