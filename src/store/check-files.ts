/** The files of a store looked at one by one: everything that has no place there, or is not what it says. */
import { encodeUtf8, equalBytes } from "../encoding.js"
import { CofferError } from "../errors.js"
import { NameIndex, nameClash, nameOfPath } from "../format/names.js"
import { GIT_ATTRIBUTES, parseStoreFile, STORE_FILE_PATH } from "../format/store-file.js"
import { errorFinding, type Finding } from "../keyring/findings.js"
import { KEYS_FOLDER } from "../keyring/trust.js"
import type { Keyring } from "../keyring/verify.js"
import { inBatches } from "./batches.js"
import { BATCH, type PathFile, parseFile, verifyEach } from "./reading.js"
import { isBadFile, type Tree, type TreeFile } from "./tree.js"

/** What git takes attributes from, on file systems that ignore case too. */
const ATTRIBUTES = /(^|\/)\.gitattributes$/i

export interface FileCheck {
  /** How many files there are, good and bad. */
  files: number
  readonly findings: Finding[]
}

/**
 * Looks at every file of a tree except key records, which {@link Keyring} verification reads itself.
 *
 * @param keyring - undefined where it was refused: then files are only parsed.
 * @param result - takes the findings.
 * @returns the secrets that are sound: they passed every check that needs no key.
 */
export async function* checkFiles(
  tree: Tree,
  keyring: Keyring | undefined,
  result: FileCheck,
): AsyncGenerator<PathFile> {
  const missing = new Set([".gitattributes", STORE_FILE_PATH])
  for await (const batch of inBatches(readSecretFiles(tree, missing, result), BATCH)) {
    if (keyring === undefined) continue
    yield* await verifyEach(keyring, batch, ({ path }, error) => addFinding(result, path, error))
  }
  for (const path of missing) result.findings.push(missingFile(path))
}

/** The secrets among the files of a tree, parsed; all else is looked at on the way, and what is there is not `missing`. */
async function* readSecretFiles(
  tree: Tree,
  missing: Set<string>,
  result: FileCheck,
): AsyncGenerator<PathFile> {
  const names = new NameIndex()
  for await (const file of tree.files("")) {
    result.files++
    missing.delete(file.path)
    const secret = collect(result, file.path, () => checkFile(file, names))
    if (secret !== undefined) yield secret
  }
}

/** What a file is by its path. @returns a secret's file, parsed */
function checkFile(
  file: TreeFile | { path: string; error: CofferError },
  names: NameIndex,
): PathFile | undefined {
  const { path } = file
  const isAttributes = ATTRIBUTES.test(path)
  const isKnown = path.startsWith(`${KEYS_FOLDER}/`) || path === STORE_FILE_PATH || isAttributes
  if (path.startsWith(".coffer/") && !isKnown) throw unknownFolder(path)
  if (isBadFile(file)) throw file.error
  if (path.startsWith(`${KEYS_FOLDER}/`)) return undefined
  if (path === STORE_FILE_PATH) {
    parseStoreFile(file.bytes)
    return undefined
  }
  if (path === ".gitattributes" && equalBytes(file.bytes, encodeUtf8(GIT_ATTRIBUTES))) return undefined
  if (isAttributes) throw foreignAttributes(path)
  const name = nameOfPath(path)
  if (name === undefined) throw notASecret(path)
  const clash = names.findClash(name)
  names.add(name)
  if (clash !== undefined) throw nameClash(name, clash)
  return parseFile(file)
}

function collect<T>(result: FileCheck, path: string, check: () => T): T | undefined {
  try {
    return check()
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
    addFinding(result, path, error)
    return undefined
  }
}

/** Notes what stands against a file; what could only not be looked at is no error. */
export function addFinding(result: FileCheck, path: string, error: CofferError): void {
  const finding = errorFinding(error, path)
  result.findings.push(error.code === "CHECK_INCOMPLETE" ? { ...finding, level: "note" } : finding)
}

// Readers ignore what a later coffer keeps there; somebody should still know that it is there.
function unknownFolder(path: string): CofferError {
  return new CofferError(
    "CHECK_INCOMPLETE",
    `"${path}" is nothing that this coffer knows: it was not looked at`,
  )
}

/** A deeper one would override the store's own and have git convert or merge secrets as text. */
function foreignAttributes(path: string): CofferError {
  return new CofferError(
    "NOT_CANONICAL",
    path === ".gitattributes"
      ? `"${path}" is not the one that coffer writes`
      : `"${path}" does not belong in a store: it overrides the store's own`,
    { hint: "git log shows who put it there; without it git keeps secrets byte for byte" },
  )
}

function notASecret(path: string): CofferError {
  return new CofferError("NOT_CANONICAL", `"${path}" is no secret: a store holds nothing else`, {
    hint: "move it out of the store; if it is plaintext that was to be a secret: coffer set",
  })
}

function missingFile(path: string): Finding {
  return {
    code: "NOT_CANONICAL",
    level: "error",
    path,
    message: `"${path}" is missing`,
    hint: "git log shows who removed it, git checkout brings it back",
  }
}
