/** The file of one secret: what is signed, what is sealed, and the text form of both. */
import { sha256Of } from "../encoding/sha256.js"
import { asBuffer, concat, encodeUtf8, equalBytes, isHex, isHex256 } from "../encoding.js"
import { CofferError } from "../errors.js"
import { printBlock, printMap, printPlain, printText, printTexts } from "./canonical.js"
import { CanonicalReader } from "./canonical-reader.js"
import { isKeyId } from "./key-record.js"
import { LIMITS } from "./limits.js"
import { findMetaFault } from "./meta.js"
import { isGroupName, isMemberName, isSecretName, type SecretName } from "./names.js"
import { isStoreId } from "./store-file.js"
import { isTime } from "./times.js"

/** What the signer vouches for. */
export interface SecretHeader {
  readonly store: string
  readonly group: string
  readonly name: SecretName
  readonly version: number
  readonly state: "current" | "deleted"
  readonly type: "text" | "binary"
  /** `<group>/<id>`: the data key at entry to each group that this value has lived in, oldest first. */
  readonly valueKeys: readonly string[]
  readonly created: string
  readonly author: string
  /** `<version>-<git blob id>` of the files that held the last versions, direct predecessors first. */
  readonly previous: readonly string[]
  readonly meta: ReadonlyMap<string, string>
  /** Lower-case hex of the salted SHA-256 of the value. */
  readonly digest: string
  readonly signer: string
}

/** The file of a secret: what is signed, then what is sealed. See docs/format.md §4. */
export interface SecretFile extends SecretHeader {
  readonly signature: Uint8Array
  /** Id of the data key that it is sealed under. */
  readonly key: string
  readonly nonce: Uint8Array
  readonly value: Uint8Array
}

/** Who wrote a version, for people: `ana`, or `ana (signed by tom)`, since the author is only the signer's claim. */
export function writerOf({ author, signer }: Pick<SecretHeader, "author" | "signer">): string {
  return author === signer ? author : `${author} (signed by ${signer})`
}

const FIELDS: ReadonlySet<string> = new Set([
  "coffer",
  "store",
  "group",
  "name",
  "version",
  "state",
  "type",
  "valueKeys",
  "created",
  "author",
  "previous",
  "meta",
  "digest",
  "signer",
  "signature",
  "key",
  "nonce",
  "value",
  "sum",
])
const STATES = ["current", "deleted"] as const
const TYPES = ["text", "binary"] as const
const PREVIOUS = /^([1-9][0-9]{0,9})-([0-9a-f]{40}|[0-9a-f]{64})$/
const NONCE_BYTES = 24
const SIGNATURE_BYTES = 64

/**
 * Parses the file of a secret. It is in the one form that {@link printSecretFile} gives, or refused.
 *
 * @param path - for messages.
 * @throws CofferError `NOT_CANONICAL`, `NEWER_FORMAT`, `DAMAGED`
 * @see docs/format.md §4
 */
export function parseSecretFile(bytes: Uint8Array, path?: string): SecretFile {
  const what = path === undefined ? "the file of a secret" : `"${path}"`
  const reader = new CanonicalReader(bytes, {
    format: "secret",
    what,
    maxBytes: LIMITS.secretFileBytes,
    fields: FIELDS,
  })
  const file: SecretFile = {
    ...readHeader(reader),
    signature: reader.sized("signature", SIGNATURE_BYTES),
    key: reader.textThat("key", isKeyId),
    nonce: reader.sized("nonce", NONCE_BYTES),
    value: reader.block("value"),
  }
  const sum = reader.textThat("sum", text => isHex(text, 16))
  reader.end()
  const body = encodeUtf8(printBody(file))
  // The promise of the form, kept whatever the reader overlooks: what was parsed prints to these bytes.
  if (!equalBytes(body, bytes.subarray(0, body.length))) throw reader.fault("printed again, it differs")
  if (sumOf(body) !== sum) throw damaged(what)
  return file
}

/** The secret's file that bytes are, if there are any and they are one at all. */
export function findSecretFile(bytes: Uint8Array | undefined): SecretFile | undefined {
  try {
    return bytes === undefined ? undefined : parseSecretFile(bytes)
  } catch (error) {
    if (error instanceof CofferError) return undefined
    throw error
  }
}

function readHeader(reader: CanonicalReader): SecretHeader {
  return {
    store: reader.textThat("store", isStoreId),
    group: reader.textThat("group", isGroupName),
    name: reader.textThat("name", isSecretName) as SecretName,
    version: reader.integer("version"),
    state: reader.word("state", STATES),
    type: reader.word("type", TYPES),
    valueKeys: readValueKeys(reader),
    created: reader.textThat("created", isTime),
    author: reader.textThat("author", isMemberName),
    previous: readPrevious(reader),
    meta: readMeta(reader),
    digest: reader.textThat("digest", isHex256),
    signer: reader.textThat("signer", isMemberName),
  }
}

function readValueKeys(reader: CanonicalReader): readonly string[] {
  const entries = reader.texts("valueKeys", LIMITS.valueKeys)
  if (entries.length === 0) throw reader.fault('"valueKeys" is empty')
  if (!entries.every(isValueKey)) throw reader.fault('"valueKeys" has an entry that is not GROUP/ID')
  return entries
}

function isValueKey(entry: string): boolean {
  const slash = entry.lastIndexOf("/")
  return isGroupName(entry.slice(0, Math.max(0, slash))) && isKeyId(entry.slice(slash + 1))
}

function readPrevious(reader: CanonicalReader): readonly string[] {
  const entries = reader.texts("previous", LIMITS.previous)
  if (!entries.every(entry => findPrevious(entry) !== undefined)) {
    throw reader.fault('"previous" has an entry that is not VERSION-BLOB')
  }
  return entries
}

function readMeta(reader: CanonicalReader): ReadonlyMap<string, string> {
  const meta = reader.map("meta", LIMITS.metaEntries)
  const fault = findMetaFault(meta)
  if (fault !== undefined) throw reader.fault(`"meta": ${fault}`)
  return meta
}

/** The number and the git blob id in one entry of `previous`. */
export function parsePrevious(entry: string): { version: number; oid: string } {
  const found = findPrevious(entry)
  // Entries come from parsed files and from writers: anything else is a mistake in the caller.
  if (found === undefined) throw new TypeError("not an entry of `previous`")
  return found
}

function findPrevious(entry: string): { version: number; oid: string } | undefined {
  const [, digits = "", oid = ""] = PREVIOUS.exec(entry) ?? []
  const version = Number(digits)
  return version >= 1 && version <= LIMITS.integer ? { version, oid } : undefined
}

/**
 * Prints the file of a secret, with the checksum of its text as last line.
 *
 * @see docs/format.md §4
 */
export function printSecretFile(file: SecretFile): Uint8Array {
  const body = encodeUtf8(printBody(file))
  return concat([body, encodeUtf8(printText("sum", sumOf(body)))])
}

/** The bytes that a write is signed over: all above `signature`. */
export function writeContext(header: SecretHeader): Uint8Array {
  return encodeUtf8(printHeader(header))
}

/** The bytes that a value is sealed to: all above `nonce`. */
export function sealContext(file: Omit<SecretFile, "nonce" | "value">): Uint8Array {
  return encodeUtf8(printSigned(file))
}

/** {@link sealContext} as it stands in a printed file. */
export function sealContextIn(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, asBuffer(bytes).lastIndexOf("\nnonce:") + 1)
}

function printHeader(header: SecretHeader): string {
  return [
    printPlain("coffer", "secret/1"),
    printText("store", header.store),
    printText("group", header.group),
    printText("name", header.name),
    printPlain("version", header.version),
    printPlain("state", header.state),
    printPlain("type", header.type),
    printTexts("valueKeys", header.valueKeys),
    printText("created", header.created),
    printText("author", header.author),
    printTexts("previous", header.previous),
    printMap("meta", header.meta),
    printText("digest", header.digest),
    printText("signer", header.signer),
  ].join("")
}

function printSigned(file: Omit<SecretFile, "nonce" | "value">): string {
  return printHeader(file) + printBlock("signature", file.signature) + printText("key", file.key)
}

function printBody(file: SecretFile): string {
  return printSigned(file) + printBlock("nonce", file.nonce) + printBlock("value", file.value)
}

/** Finds damage and mixtures of two files without any key. Whoever alters a file can alter it too. */
function sumOf(body: Uint8Array): string {
  return sha256Of(body).toString("hex").slice(0, 16)
}

function damaged(what: string): CofferError {
  return new CofferError(
    "DAMAGED",
    `${what} is damaged, or is a mixture of two files: its sum does not fit`,
    {
      hint: "git checkout HEAD -- FILE brings back the committed one; after a merge: coffer resolve",
    },
  )
}
