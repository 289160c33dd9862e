/** The rule from secret names to environment variables, and which secrets a prefix selects. */
import { withoutEnd } from "../encoding.js"
import { CofferError } from "../errors.js"

/** What the rule needs to know of a secret. */
export interface Selectable {
  readonly name: string
  readonly meta: ReadonlyMap<string, string>
}

/** The prefix that selects every secret. */
const EVERYTHING = "."

/**
 * Names that decide which programs run, and how, once they are in an environment: a writer of a
 * secret must not become whoever runs `coffer run`.
 */
const REFUSED_NAMES = new Set(["PATH", "HOME", "SHELL", "IFS", "ENV", "BASH_ENV", "NODE_OPTIONS"])
const REFUSED_PREFIXES = ["LD_", "DYLD_", "GIT_", "COFFER_"]

/** Whether `prefixes` select a name: decided by names alone, never by groups. */
export function isSelected(name: string, prefixes: readonly string[]): boolean {
  if (prefixes.length === 0) return !name.includes("/")
  return prefixes.some(prefix => isBelow(name, cleanPrefix(prefix)))
}

/**
 * The variable of a secret: meta `env` where set, else the path relative to `prefix` with `/ . -` as
 * `_`, in upper case, behind a `_` where it would begin with a digit.
 *
 * @param prefix - a path above the name, or "." for the whole name.
 * @see docs/cli.md, "run"
 */
export function variableOf(secret: Selectable, prefix: string): string {
  const own = secret.meta.get("env")
  if (own !== undefined) return own
  const path = prefix === EVERYTHING ? secret.name : secret.name.slice(prefix.length + 1)
  return path
    .replace(/[/.-]/g, "_")
    .toUpperCase()
    .replace(/^(?=[0-9])/, "_")
}

/**
 * Selects secrets by their names, never by groups: those below each prefix, later prefixes over
 * earlier ones; without a prefix, names without `/`.
 *
 * @throws CofferError `NOT_FOUND` where a prefix selects nothing (a mistyped `-p prd` must not start a
 *   program without its secrets), `NAME_INVALID` where two names below one prefix give one variable, or
 *   one gives a variable that is refused.
 */
export function selectVariables<S extends Selectable>(
  secrets: readonly S[],
  prefixes: readonly string[],
): Map<string, S> {
  if (prefixes.length === 0) return selectRoot(secrets)
  const selected = new Map<string, S>()
  for (const prefix of prefixes.map(cleanPrefix)) {
    const below = secrets.filter(({ name }) => isBelow(name, prefix))
    if (below.length === 0 && prefix !== EVERYTHING) throw nothingBelow(secrets, prefix)
    for (const [variable, secret] of assignVariables(below, prefix)) selected.set(variable, secret)
  }
  return selected
}

/** Whether a variable decides what programs do: no secret becomes it. */
export function isRefusedVariable(variable: string): boolean {
  // Windows takes `Path` for `PATH`.
  const upper = variable.toUpperCase()
  return REFUSED_NAMES.has(upper) || REFUSED_PREFIXES.some(prefix => upper.startsWith(prefix))
}

/** `prod/` is meant as `prod`. */
function cleanPrefix(prefix: string): string {
  return withoutEnd(prefix, "/")
}

function isBelow(name: string, prefix: string): boolean {
  return prefix === EVERYTHING || name.startsWith(`${prefix}/`)
}

function selectRoot<S extends Selectable>(secrets: readonly S[]): Map<string, S> {
  const root = secrets.filter(({ name }) => !name.includes("/"))
  if (root.length === 0 && secrets.length > 0) {
    const folders = [...new Set(secrets.map(({ name }) => name.slice(0, name.indexOf("/"))))].sort()
    throw new CofferError("NOT_FOUND", "every secret here is below a path, and no path was given", {
      hint: `-p ${folders[0]}, or -p . for everything`,
    })
  }
  return assignVariables(root, EVERYTHING)
}

function assignVariables<S extends Selectable>(secrets: readonly S[], prefix: string): Map<string, S> {
  const assigned = new Map<string, S>()
  for (const secret of secrets) {
    const variable = variableOf(secret, prefix)
    const other = assigned.get(variable)
    if (other !== undefined) {
      throw new CofferError("NAME_INVALID", `"${other.name}" and "${secret.name}" both give ${variable}`, {
        hint: `coffer set ${secret.name} --meta env=ANOTHER_NAME, or select fewer with -p`,
      })
    }
    refuse(secret.name, variable)
    assigned.set(variable, secret)
  }
  return assigned
}

function refuse(name: string, variable: string): void {
  if (!isRefusedVariable(variable)) return
  throw new CofferError("NAME_INVALID", `"${name}" gives ${variable}, which decides what programs do`, {
    hint: `coffer set ${name} --meta env=ANOTHER_NAME`,
  })
}

function nothingBelow(secrets: readonly Selectable[], prefix: string): CofferError {
  const exact = secrets.some(({ name }) => name === prefix)
  return new CofferError("NOT_FOUND", `no secret is below "${prefix}"`, {
    hint: exact ? `"${prefix}" is a secret: coffer get ${prefix}` : "coffer list shows all names",
  })
}
