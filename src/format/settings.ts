/** The settings of a repository (`.coffer.yaml`, untrusted) and of a user (`config.yaml`), checked key by key. */
import type { Document } from "yaml"
import { decodeUtf8 } from "../encoding.js"
import { CofferError } from "../errors.js"
import { nearest } from "./nearest.js"
import { MAX_DEPTH, parseUserYaml } from "./user-yaml.js"

/**
 * What a repository may say: where its store is, and what its scanner passes over. Never a group, a
 * command, a host or a key: whoever can push decides what stands here.
 */
export interface Settings {
  /** The store's folder, relative to the repository. */
  readonly store?: string
  readonly scan?: {
    /** Globs of paths whose content the scanner passes over. */
    readonly allow?: readonly string[]
  }
}

/** What names a path outside the repository or a command: only the user's own file may. */
export interface UserConfig {
  /** Identity files in place of the default one. */
  readonly identities?: readonly string[]
  /** The editor and its arguments. */
  readonly editor?: readonly string[]
}

/** How a value is checked: a text, a list of texts, or a map of more settings. */
type Shape = "text" | "texts" | { readonly [key: string]: Shape }

const REPOSITORY: Shape = { store: "text", scan: { allow: "texts" } }
const USER: Shape = { identities: "texts", editor: "texts" }
/** All that most settings files hold: read without loading a YAML library, which costs half a `get`. */
const STORE_LINE = /^store: ([A-Za-z][A-Za-z0-9._-]*(?:\/[A-Za-z0-9][A-Za-z0-9._-]*)*)\n$/
/** Words that are not text for YAML. */
const NOT_TEXT = /^(?:null|true|false)$/i

/** Reads `.coffer.yaml`. @throws CofferError `SETTING_UNKNOWN` with the nearest known key, `SETTING_INVALID` */
export async function parseSettings(bytes: Uint8Array): Promise<Settings> {
  const store = STORE_LINE.exec(decodeUtf8(bytes) ?? "")?.[1]
  if (store !== undefined && !NOT_TEXT.test(store)) return { store }
  return (await parseShaped(bytes, REPOSITORY, ".coffer.yaml")) as Settings
}

/** Reads the user's `config.yaml`. @throws CofferError `SETTING_UNKNOWN`, `SETTING_INVALID` */
export async function parseUserConfig(bytes: Uint8Array): Promise<UserConfig> {
  return (await parseShaped(bytes, USER, "config.yaml")) as UserConfig
}

async function parseShaped(bytes: Uint8Array, shape: Shape, file: string): Promise<unknown> {
  const text = decodeUtf8(bytes)
  if (text === undefined) throw invalid(file, "it is not UTF-8 text")
  const { document, fault } = await parseUserYaml(text, MAX_DEPTH)
  if (document === undefined) throw invalid(file, fault.what)
  return checkShape(toValue(document, file) ?? new Map(), shape, file, [])
}

/** Maps, not objects: `__proto__` is a key like any other. */
function toValue(document: Document, file: string): unknown {
  try {
    return document.toJS({ mapAsMap: true, maxAliasCount: 0 })
  } catch {
    throw invalid(file, "aliases are not allowed")
  }
}

function checkShape(value: unknown, shape: Shape, file: string, at: readonly string[]): unknown {
  if (shape === "text") {
    if (typeof value === "string" && value !== "") return value
    throw invalid(file, `"${at.join(".")}" has to be text`)
  }
  if (shape === "texts") {
    if (Array.isArray(value) && value.every(item => typeof item === "string" && item !== "")) return value
    throw invalid(file, `"${at.join(".")}" has to be a list of texts`)
  }
  if (!(value instanceof Map))
    throw invalid(file, `${at.length === 0 ? "it" : `"${at.join(".")}"`} has to be a map`)
  const entries: [string, unknown][] = []
  for (const [key, item] of value) {
    const known = typeof key === "string" && Object.hasOwn(shape, key) ? shape[key] : undefined
    if (known === undefined) throw unknownKey(file, String(key), Object.keys(shape))
    entries.push([String(key), checkShape(item, known, file, [...at, String(key)])])
  }
  return Object.fromEntries(entries)
}

function unknownKey(file: string, key: string, known: readonly string[]): CofferError {
  const meant = nearest(key, known)
  const quoted = /^[A-Za-z][A-Za-z0-9_-]{0,40}$/.test(key)
    ? `"${key}" is no setting`
    : "there is an unknown setting"
  return new CofferError("SETTING_UNKNOWN", `${file}: ${quoted}`, {
    hint: meant === undefined ? `known here: ${known.join(", ")}` : `did you mean "${meant}"?`,
  })
}

function invalid(file: string, what: string): CofferError {
  return new CofferError("SETTING_INVALID", `${file}: ${what}`, { hint: "docs/cli.md lists the settings" })
}
