/** Finds files that are plaintext secrets by nature: `.env` files by name, age private keys by content. */
import { decodeBech32 } from "../encoding/bech32.js"
import { base64Forms } from "./encodings.js"
import { compileMatcher, type Matcher } from "./matcher.js"

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
  sieve ??= compileSieve()
  const { matcher, forms } = sieve
  let isThere = false
  matcher.search(content, (pattern, at) => {
    isThere = startsWithKey(forms[pattern]!.read(content, at))
    return !isThere
  })
  return isThere
}

/** One spelling of a key's beginning, and how to read on from there. */
interface PrefixForm {
  readonly pattern: string
  read(content: Uint8Array, at: number): string
}

let sieve: { matcher: Matcher; forms: readonly PrefixForm[] } | undefined

/** Far longer than any identity, plugins' ones included. */
const WINDOW_BYTES = 4096
/** Characters after the separator of a native key: 32 bytes and the checksum. */
const NATIVE_KEY = /^age-secret-key-(?:[a-z0-9]+-)?1[02-9ac-hj-np-z]{58}/i

function compileSieve(): { matcher: Matcher; forms: readonly PrefixForm[] } {
  const prefixes = ["AGE-SECRET-KEY-", "AGE-PLUGIN-"]
  const forms = [...prefixes, ...prefixes.map(prefix => prefix.toLowerCase())].flatMap(prefixForms)
  return { matcher: compileMatcher(forms.map(form => form.pattern)), forms }
}

function prefixForms(prefix: string): PrefixForm[] {
  const text = (content: Uint8Array, start: number) =>
    Buffer.from(content.subarray(Math.max(0, start), start + WINDOW_BYTES)).toString("latin1")
  const encoded = base64Forms(Buffer.from(prefix)).map((form, offset) => ({
    pattern: form,
    // Back to where the group of four begins: `offset` bytes of it are not the key's.
    read: (content: Uint8Array, at: number) =>
      decodeRun(text(content, at - Math.ceil((offset * 8) / 6))).slice(offset),
  }))
  return [
    { pattern: prefix, read: text },
    {
      pattern: Buffer.from(prefix, "utf16le").toString("latin1"),
      read: (content, at) => text(content, at).replace(/\0/g, ""),
    },
    ...encoded,
  ]
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
