/** Taking over the variables of a dotenv file as secrets, and what git knows of that file. */

import { realpathSync } from "node:fs"
import { basename, dirname, join, relative, sep } from "node:path"
import { decodeUtf8, encodeUtf8, equalBytes, withoutEnd } from "../encoding.js"
import { CofferError, hasCode } from "../errors.js"
import { type DotenvEntry, type DotenvWarning, parseDotenv } from "../format/dotenv.js"
import { BYTES, FLAG, objectOf, optional, PREFIX } from "../format/given.js"
import { parseSecretName, type SecretName } from "../format/names.js"
import { isRefusedVariable, variableOf } from "../format/variables.js"
import type { GitReader } from "../storage/git/git.js"
import { checkCall, WRITE } from "./call.js"
import { keepIn, type StepResult, setSecretIn } from "./draft-secrets.js"
import { openSecret } from "./reading.js"
import { changeSeveral, type SecretsWritten } from "./secrets.js"
import type { Store } from "./store.js"
import type { Predecessor } from "./succession.js"
import type { Draft, WriteOptions } from "./transaction.js"

/** A dotenv file to take over. */
export interface ImportRequest {
  /** The file's bytes. */
  readonly content: Uint8Array
  /** Path to store them below; `.` or undefined: none. */
  readonly prefix?: string | undefined
  /** Secrets that have another value get the file's as their next version. */
  readonly force?: boolean | undefined
  /** Only says what would be done, or refused. */
  readonly dryRun?: boolean | undefined
}

/** What came of an import. */
export interface Imported extends SecretsWritten {
  /** Names that had this value already. */
  readonly unchanged: readonly SecretName[]
  /** Lines that other readers of dotenv may see differently. */
  readonly warnings: readonly { readonly line: number; readonly key: string; readonly kind: DotenvWarning }[]
}

/** Where git has a file: now and in commits, only in the index, only in earlier commits, or not at all. */
export type GitKnowledge = "tracked" | "staged" | "history" | "none"

const IMPORT = objectOf<ImportRequest & WriteOptions>({
  ...WRITE,
  content: BYTES,
  prefix: optional(PREFIX),
  force: optional(FLAG),
  dryRun: optional(FLAG),
})

/**
 * Stores each variable as a secret in one commit, all or nothing. A name that gives another variable
 * than the file has (`database_url`) keeps it as meta `env`: `run` gives back what the file gave.
 *
 * @throws CofferError `IMPORT_INVALID` with the line, `EXISTS` naming secrets that have another value
 */
export async function importDotenv(store: Store, request: ImportRequest & WriteOptions): Promise<Imported> {
  checkCall(store, request, IMPORT)
  const entries = readEntries(request)
  const written = await changeSeveral(store, request, "Import", async draft => {
    const compared = await compareEntries(draft, entries)
    const different = compared.filter(({ is }) => is === "different").map(({ entry }) => entry.name)
    if (different.length > 0 && request.force !== true) throw haveOtherValues(different)
    return storeEntries(draft, compared, request)
  })
  const warnings = entries.flatMap(({ line, key, warnings }) => warnings.map(kind => ({ line, key, kind })))
  const stored = new Set(written.secrets.map(({ name }) => name))
  const unchanged = entries.map(({ name }) => name).filter(name => !stored.has(name))
  return { ...written, unchanged, warnings }
}

/** Asks git about a file that is there, by its absolute path. Outside the repository it knows nothing. */
export async function findInGit(store: Store, file: string): Promise<GitKnowledge> {
  const git = await store.git()
  const real = join(realpathSync(dirname(file)), basename(file))
  const path = relative(git.workTree, real).split(sep).join("/")
  if (path === "" || path.startsWith("../")) return "none"
  const [isTracked, isCommitted] = [await git.isTracked(path), await hasHistory(git, path)]
  if (isTracked) return isCommitted ? "tracked" : "staged"
  return isCommitted ? "history" : "none"
}

async function hasHistory(git: GitReader, path: string): Promise<boolean> {
  const { commit } = await git.head()
  if (commit === null) return false
  for await (const { oid } of git.log(path, commit)) if (oid !== undefined) return true
  return false
}

interface Entry extends DotenvEntry {
  readonly name: SecretName
}

interface Compared {
  readonly entry: Entry
  readonly is: "new" | "same" | "different"
  readonly found: Predecessor | undefined
}

function readEntries({ content, prefix = "." }: ImportRequest): Entry[] {
  const text = decodeUtf8(content)
  if (text === undefined) {
    throw new CofferError("IMPORT_INVALID", "the file is not UTF-8 text", {
      hint: "save it as UTF-8 without a conversion of its values, then again",
    })
  }
  return parseDotenv(text).map(entry => {
    if (isRefusedVariable(entry.key)) {
      throw invalid(entry, `${entry.key}, which decides what programs do and is never taken from a secret`)
    }
    return { ...entry, name: nameFor(entry, prefix) }
  })
}

function nameFor(entry: DotenvEntry, prefix: string): SecretName {
  const folder = withoutEnd(prefix, "/")
  try {
    return parseSecretName(folder === "." ? entry.key : `${folder}/${entry.key}`)
  } catch (error) {
    if (!hasCode(error, "NAME_INVALID")) throw error
    throw invalid(entry, `"${entry.key}", which gives no name for a secret: ${error.message}`)
  }
}

async function compareEntries(draft: Draft, entries: readonly Entry[]): Promise<Compared[]> {
  const compared: Compared[] = []
  for (const entry of entries) {
    const found = await draft.find(entry.name)
    if (found?.file.state !== "current") {
      compared.push({ entry, is: "new", found })
      continue
    }
    const access = await draft.openForWriting(found.file.group)
    const { value } = await openSecret(access, found.file)
    const same = equalBytes(value, encodeUtf8(entry.value))
    compared.push({ entry, is: same ? "same" : "different", found })
  }
  return compared
}

async function storeEntries(
  draft: Draft,
  compared: readonly Compared[],
  { prefix = "." }: ImportRequest,
): Promise<StepResult[]> {
  const results: StepResult[] = []
  for (const { entry, is, found } of compared) {
    const { name, key, value } = entry
    if (is === "same") {
      results.push(await keepIn(draft, found!.file))
      continue
    }
    const isNatural = variableOf({ name, meta: new Map() }, withoutEnd(prefix, "/")) === key
    const meta = is === "new" && !isNatural ? new Map([["env", key]]) : undefined
    results.push(await setSecretIn(draft, { name, value: encodeUtf8(value), meta }))
  }
  return results
}

function haveOtherValues(names: readonly SecretName[]): CofferError {
  const listed = names.map(name => `"${name}"`).join(", ")
  return new CofferError("EXISTS", `${listed} ${names.length === 1 ? "has" : "have"} another value here`, {
    hint: "coffer import --force makes the file's values the next versions",
  })
}

function invalid({ line }: DotenvEntry, what: string): CofferError {
  return new CofferError("IMPORT_INVALID", `line ${line} sets ${what}`, {
    hint: "take the line out, or store it by hand under another name: coffer set NAME --meta env=VARIABLE",
  })
}
