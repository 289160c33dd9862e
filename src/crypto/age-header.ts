/** The header of an age file, read strictly: its stanzas, and what its MAC is over. */
import { asBuffer, decodeBase64 } from "../encoding.js"
import { CofferError } from "../errors.js"

/** What wraps the file key for one recipient. */
export interface AgeStanza {
  readonly type: string
  readonly args: readonly string[]
  readonly body: Uint8Array
}

export interface AgeHeader {
  readonly stanzas: readonly AgeStanza[]
  /** The bytes that the MAC is over: up to and with `---`. */
  readonly signed: Uint8Array
  readonly mac: Uint8Array
  /** All that follows the header. */
  readonly payload: Uint8Array
}

/**
 * 40 hybrid stanzas or 600 of X25519; ours have one. Without a cap a header of 2 MiB holds a reader
 * for seconds, at one key agreement for each stanza.
 */
const MAX_HEADER_BYTES = 64 * 1024
const VERSION_LINE = "age-encryption.org/v1"
const STANZA = /^-> [!-~]+(?: [!-~]+)*$/
const MAC_LINE = /^--- ([A-Za-z0-9+/]{43})$/
const BODY_CHARACTERS = 64

/**
 * The stanzas of an age file.
 *
 * @throws CofferError `WRAP_SHAPE` for anything that is not a binary age file.
 */
export function parseAgeHeader(bytes: Uint8Array): readonly AgeStanza[] {
  return readAgeHeader(bytes).stanzas
}

/**
 * @throws CofferError `WRAP_SHAPE`
 * @see https://c2sp.org/age#file-format
 */
export function readAgeHeader(bytes: Uint8Array): AgeHeader {
  const lines = new HeaderLines(bytes)
  if (lines.next() !== VERSION_LINE) throw notAge()
  const stanzas: AgeStanza[] = []
  for (;;) {
    const start = lines.position
    const line = lines.next()
    const mac = MAC_LINE.exec(line)?.[1]
    if (mac !== undefined) {
      if (stanzas.length === 0) throw notAge()
      return {
        stanzas,
        signed: bytes.subarray(0, start + "---".length),
        mac: unpadded(mac),
        payload: bytes.subarray(lines.position),
      }
    }
    if (!STANZA.test(line)) throw notAge()
    const [type, ...args] = line.slice(3).split(" ")
    stanzas.push({ type: type!, args, body: readBody(lines) })
  }
}

/** Full lines of base64 and one shorter, which may be empty. */
function readBody(lines: HeaderLines): Uint8Array {
  let text = ""
  for (let length = BODY_CHARACTERS; length === BODY_CHARACTERS; ) {
    const line = lines.next()
    length = line.length
    if (length > BODY_CHARACTERS) throw notAge()
    text += line
  }
  return unpadded(text)
}

/** Bytes of unpadded canonical base64. @throws CofferError `WRAP_SHAPE` */
export function unpadded(text: string): Uint8Array {
  const bytes = text.includes("=")
    ? undefined
    : decodeBase64(text.padEnd(Math.ceil(text.length / 4) * 4, "="))
  if (bytes === undefined) throw notAge()
  return bytes
}

/** Lines end with LF, all of them, and are ASCII; the cursor never leaves the first 64 KiB. */
class HeaderLines {
  readonly #text: string
  position = 0

  constructor(bytes: Uint8Array) {
    this.#text = asBuffer(bytes).toString("latin1", 0, MAX_HEADER_BYTES)
  }

  next(): string {
    const end = this.#text.indexOf("\n", this.position)
    if (end < 0) throw notAge()
    const line = this.#text.slice(this.position, end)
    this.position = end + 1
    return line
  }
}

function notAge(): CofferError {
  return new CofferError("WRAP_SHAPE", "a wrap is not an age file, or has a header of more than 64 KiB")
}
