/** Many secrets on stdin, a line of JSON each. */
import { decodeBase64, decodeUtf8, findUtf8 } from "../encoding.js"
import { CofferError } from "../errors.js"
import { checkMeta } from "../format/meta.js"
import { parseSecretName } from "../format/names.js"
import { collect } from "../storage/user-file.js"
import type { SetRequest } from "../store/draft-secrets.js"
import type { Session } from "./session.js"

const MAX_BYTES = 256 * 1024 * 1024
const FIELDS: readonly string[] = ["name", "value", "valueBase64", "meta", "cas"]

/**
 * Reads `{"name", "value" or "valueBase64", "meta", "cas"}` lines.
 *
 * @throws CofferError `USAGE`, `NAME_INVALID` or `VALUE_INVALID` naming the line, and nothing of what is in it
 */
export async function readBatch(session: Session): Promise<readonly SetRequest[]> {
  const text = decodeUtf8(await collect(session.host.stdin.chunks(), MAX_BYTES))
  if (text === undefined) throw refuse("stdin is not UTF-8")
  const requests = text
    .split("\n")
    .map((line, index) => ({ line, number: index + 1 }))
    .filter(({ line }) => line.trim() !== "")
    .map(({ line, number }) => atLine(number, () => parseLine(line)))
  if (requests.length === 0) throw refuse("there is nothing on stdin")
  return requests
}

function parseLine(line: string): SetRequest {
  const entry = parseObject(line)
  if (entry === undefined) throw refuse("not a JSON object")
  if (hasKeyTwice(line)) throw refuse("a field that is there twice")
  if (Object.keys(entry).some(field => !FIELDS.includes(field))) {
    throw refuse(`a field that is none of ${FIELDS.join(", ")}`)
  }
  const { name, value, valueBase64, meta, cas } = entry
  if (typeof name !== "string") throw refuse("name is missing or no string")
  if (value !== undefined && valueBase64 !== undefined) throw refuse("value and valueBase64 at once")
  if (cas !== undefined && !(Number.isSafeInteger(cas) && (cas as number) >= 0))
    throw refuse("cas is no whole number")
  const bytes = valueBase64 === undefined ? bytesOf(value, findUtf8) : bytesOf(valueBase64, decodeBase64)
  if (bytes === null) throw refuse("the value is no string, or not valid base64 or Unicode")
  if (bytes === undefined && meta === undefined) throw refuse("neither a value nor meta")
  const parsed = parseSecretName(name)
  return {
    name: parsed,
    value: bytes,
    meta: metaOf(parsed, meta),
    cas: cas as number | undefined,
  }
}

// What JSON.parse says quotes the text it failed at.
function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(line)
    const plain = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)
    return plain ? (parsed as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

const STRING_OR_BRACE = /("[^"\\]*(?:\\.[^"\\]*)*")\s*(:?)|[{}]/g

/** Of two equal keys JSON.parse takes the last one, and which is meant nobody can tell. @param line - valid JSON. */
function hasKeyTwice(line: string): boolean {
  const objects: Set<unknown>[] = []
  for (const [token, text = "", colon] of line.matchAll(STRING_OR_BRACE)) {
    if (token === "{") objects.push(new Set())
    else if (token === "}") objects.pop()
    else if (colon === ":") {
      const [keys, key] = [objects.at(-1)!, JSON.parse(text)]
      if (keys.has(key)) return true
      keys.add(key)
    }
  }
  return false
}

/** @returns undefined where there is none, null where it does not decode */
function bytesOf(
  text: unknown,
  decode: (text: string) => Uint8Array | undefined,
): Uint8Array | null | undefined {
  if (text === undefined) return undefined
  return typeof text === "string" ? (decode(text) ?? null) : null
}

function metaOf(name: string, meta: unknown): ReadonlyMap<string, string> | undefined {
  if (meta === undefined) return undefined
  if (typeof meta !== "object" || meta === null || Array.isArray(meta)) throw refuse("meta is no object")
  const entries = Object.entries(meta as Record<string, unknown>)
  if (entries.some(([, value]) => typeof value !== "string"))
    throw refuse("meta has a value that is no string")
  // Only what is added: an empty value removes an entry.
  checkMeta(new Map((entries as [string, string][]).filter(([, value]) => value !== "")), name)
  return new Map(entries as [string, string][])
}

function refuse(why: string): CofferError {
  return new CofferError("USAGE", why, {
    hint: 'a line is {"name":"API_TOKEN","value":"…"}, with valueBase64 for what is no text; nothing was stored',
  })
}

/** Puts the line in front of what is wrong with it. */
function atLine<T>(number: number, parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
    throw new CofferError(error.code, `line ${number} of stdin: ${error.message}`, { hint: error.hint })
  }
}
