/** Finds files that are plaintext secrets by nature: `.env` files by name, age private keys by content. */
import { decodeBech32 } from "../encoding/bech32.js"
import { asBuffer } from "../encoding.js"
import { base64Forms } from "./encodings.js"

/**
 * Whether a file's name says that it holds a program's settings in plain text: `.env` and all that
 * begins so, in any case, but for those that are made to be shared (`.env.example`, `.env-sample` …).
 */
export function isDotenvFile(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase()
  return name.startsWith(".env") && !/[._-](?:example|sample|template|dist)$/.test(name)
}

/**
 * Whether an age private key (`AGE-SECRET-KEY-…`, or the identity of a plugin) stands anywhere in
 * `content`, also as UTF-16 or inside base64, which is how Kubernetes manifests carry it.
 *
 * A cheap search for the prefix first; then the checksum decides. So documentation
 * (`AGE-SECRET-KEY-1…`, `AGE-SECRET-KEY-1QQQQQQ`) is no finding, and neither is a key with a typing
 * error in it: it opens nothing.
 */
export function hasAgeKey(content: Uint8Array): boolean {
  const bytes = asBuffer(content)
  // A content may be longer than a string can be. Parts overlap: what begins in one is whole in it.
  for (let start = 0; start < bytes.length; start += PART_BYTES) {
    const text = bytes.toString("latin1", start, start + PART_BYTES + WINDOW_BYTES)
    if (holdsKey(text)) return true
  }
  return false
}

function holdsKey(text: string): boolean {
  sieve ??= compileSieve()
  const { beginning, readers } = sieve
  beginning.lastIndex = 0
  for (let found = beginning.exec(text); found !== null; found = beginning.exec(text)) {
    if (startsWithKey(readers.get(found[0])!(text, found.index))) return true
    beginning.lastIndex = found.index + 1
  }
  return false
}

/** What is looked for, and by each spelling of it how to read on from there. */
interface Sieve {
  readonly beginning: RegExp
  readonly readers: ReadonlyMap<string, Read>
}

/** @param text - bytes as latin1, one character each. */
type Read = (text: string, at: number) => string

let sieve: Sieve | undefined

const PART_BYTES = 16 * 1024 * 1024
/** Far longer than any identity, plugins' ones included. */
const WINDOW_BYTES = 4096
/** Characters after the separator of a native key: 32 bytes and the checksum. */
const NATIVE_KEY = /^age-secret-key-(?:[a-z0-9]+-)?1[02-9ac-hj-np-z]{58}/i

function compileSieve(): Sieve {
  const prefixes = ["AGE-SECRET-KEY-", "AGE-PLUGIN-"]
  const readers = new Map([...prefixes, ...prefixes.map(prefix => prefix.toLowerCase())].flatMap(spellingsOf))
  // None of them has a character that means something else to a regular expression.
  return { beginning: new RegExp([...readers.keys()].join("|"), "g"), readers }
}

function spellingsOf(prefix: string): [string, Read][] {
  const window: Read = (text, at) => text.slice(Math.max(0, at), Math.max(0, at) + WINDOW_BYTES)
  const encoded = base64Forms(Buffer.from(prefix)).map((form, offset): [string, Read] => [
    form,
    // Back to where the group of four begins: `offset` bytes of it are not the key's.
    (text, at) => decodeRun(window(text, at - Math.ceil((offset * 8) / 6))).slice(offset),
  ])
  const wide = Buffer.from(prefix, "utf16le").toString("latin1")
  return [[prefix, window], [wide, (text, at) => window(text, at).replace(/\0/g, "")], ...encoded]
}

/** What a run of base64 says, its line breaks left out. */
function decodeRun(text: string): string {
  const run = /^[A-Za-z0-9+/_\s-]*/.exec(text)![0]
  return Buffer.from(run.replace(/\s/g, ""), "base64").toString("latin1")
}

function startsWithKey(text: string): boolean {
  const run = /^(?:[A-Z0-9-]+|[a-z0-9-]+)/.exec(text)?.[0] ?? ""
  // Letters may follow without a gap (`…Qexport`): a native key has one length, so its end is known.
  const native = NATIVE_KEY.exec(run)?.[0]
  return decodeBech32(run) !== undefined || (native !== undefined && decodeBech32(native) !== undefined)
}
