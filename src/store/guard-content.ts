/** Looks for plaintext in files that are on their way out: `.env` files, age keys, the store's own values. */
import { gitPath, shellWord } from "../format/shell.js"
import { matchesGlob } from "../scan/path-globs.js"
import { hasAgeKey, isDotenvFile } from "../scan/plaintext-files.js"
import type { Git, Oid } from "../storage/git/git.js"
import { inBatches } from "./batches.js"
import type { Collector, GuardFinding } from "./guard-report.js"
import type { FindOwnValues } from "./guard-values.js"

/** A file to look into. */
export interface OutgoingFile {
  readonly path: string
  readonly mode: string
  readonly oid: Oid
  readonly commit?: Oid
}

export interface ContentRules {
  /** Path globs of `.coffer.yaml` that are not looked into. */
  readonly allow: readonly string[]
  /** Absent where there is no identity to open them, and for commits that are already made. */
  readonly values?: FindOwnValues | undefined
  /** Whether a file is public by its nature: a key record may well contain a recipient that is a value too. */
  isPublic(path: string): boolean
}

/** A commit of another repository, in place of a file. */
const SUBMODULE = "160000"
const BATCH = 1024

/** Looks into files, each content and each name once, and adds what is found. */
export async function checkContents(
  git: Git,
  files: Iterable<OutgoingFile>,
  rules: ContentRules,
  collector: Collector,
): Promise<void> {
  const unread = checkNames(files, rules, collector)
  for await (const batch of inBatches(unread, BATCH)) await readContents(git, batch, rules, collector)
}

/** Looks at the names. @returns the files to look into, each content once */
function* checkNames(
  files: Iterable<OutgoingFile>,
  rules: ContentRules,
  collector: Collector,
): Generator<OutgoingFile> {
  const seen = new Set<Oid>()
  const named = new Set<string>()
  for (const file of files) {
    collector.files++
    if (file.mode === SUBMODULE || rules.allow.some(glob => matchesGlob(file.path, glob))) continue
    if (isDotenvFile(file.path) && !named.has(file.path)) collector.findings.push(dotenvFile(file))
    named.add(file.path)
    if (seen.has(file.oid)) continue
    seen.add(file.oid)
    yield file
  }
}

async function readContents(
  git: Git,
  batch: readonly OutgoingFile[],
  rules: ContentRules,
  collector: Collector,
): Promise<void> {
  let index = 0
  for await (const { bytes } of git.blobs(batch.map(({ oid }) => oid))) {
    const file = batch[index++]!
    if (bytes === undefined) {
      collector.notes.add(`warning: "${file.path}" was not looked into: its content is not in this clone`)
      continue
    }
    if (hasAgeKey(bytes)) collector.findings.push(privateKey(file))
    // A .env file is named as a whole already.
    if (rules.values === undefined || rules.isPublic(file.path) || isDotenvFile(file.path)) continue
    for (const name of await rules.values(bytes)) collector.findings.push(ownValue(file, name))
  }
}

const ALLOW = `if it is meant to be public: a path under "scan: allow:" in .coffer.yaml`

function dotenvFile(file: OutgoingFile): GuardFinding {
  return finding(file, "DOTENV_FILE", "is a file of settings in plain text", [
    `coffer import ${shellWord(file.path)}, then git rm --cached ${gitPath(file.path)}`,
    "name it .env.example if it holds no values",
  ])
}

function privateKey(file: OutgoingFile): GuardFinding {
  return finding(file, "PRIVATE_KEY", "holds an age private key", [
    "take it out; a key that was pushed anywhere is no longer one: coffer recipients remove its member",
    ALLOW,
  ])
}

function ownValue(file: OutgoingFile, name: string): GuardFinding {
  return finding(file, "OWN_VALUE", `holds the value of ${name}`, [
    "take it out: coffer run gives it to the program that wants it",
    ALLOW,
  ])
}

function finding(
  { path, commit }: OutgoingFile,
  code: GuardFinding["code"],
  what: string,
  hints: readonly string[],
): GuardFinding {
  return {
    code,
    level: "error",
    path,
    message: `"${path}" ${what}`,
    hint: hints.join("; "),
    ...(commit === undefined ? {} : { commit }),
  }
}
