/** The CCTV age vectors, as far as an identity opens them without passphrase or armor. */
import { createHash } from "node:crypto"
import { inflateSync } from "node:zlib"
import * as cctv from "cctv-age"

export interface AgeVector {
  readonly name: string
  /** `success`, `no match`, `HMAC failure`, `header failure`, `payload failure`. */
  readonly expect: string
  readonly identities: readonly string[]
  readonly payloadHash: string | undefined
  readonly message: Uint8Array
}

export function ageVectors(): AgeVector[] {
  return Object.entries(cctv as Record<string, Uint8Array>).flatMap(([name, bytes]) => {
    const buffer = Buffer.from(bytes)
    const end = buffer.indexOf("\n\n")
    const lines = buffer.toString("utf8", 0, end).split("\n")
    const valuesOf = (key: string) =>
      lines.filter(line => line.startsWith(`${key}: `)).map(line => line.slice(key.length + 2))
    if (valuesOf("armored").length > 0 || valuesOf("passphrase").length > 0) return []
    const body = buffer.subarray(end + 2)
    return {
      name,
      expect: valuesOf("expect")[0]!,
      identities: valuesOf("identity"),
      payloadHash: valuesOf("payload")[0],
      message: valuesOf("compressed").length > 0 ? inflateSync(body) : body,
    }
  })
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex")
}
