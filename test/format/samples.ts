/** Files in memory that tests start from. */
import { encodeHex } from "../../src/encoding.js"
import type { KeyRecord } from "../../src/format/key-record.js"
import { parseSecretName } from "../../src/format/names.js"
import type { SecretFile } from "../../src/format/secret-file.js"

export const STORE_ID = "00112233445566778899aabbccddeeff"
const HASH = "ab".repeat(32)

/** Bytes that differ from one another and are the same each time. */
function pattern(length: number, start = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (start + index * 7) & 255)
}

export function sampleSecret(changes: Partial<SecretFile> = {}): SecretFile {
  return {
    store: STORE_ID,
    group: "prod",
    name: parseSecretName("prod/db/PASSWORD"),
    version: 3,
    state: "current",
    type: "text",
    valueKeys: ["default/1-00000000", "prod/2-9f2c1a7b"],
    created: "2026-01-02T03:04:05Z",
    author: "alice",
    previous: [`2-${"c".repeat(40)}`, `1-${"d".repeat(64)}`],
    meta: new Map([
      ["description", 'the "main" database \\ Größe 📦'],
      ["rotateAfter", "90d"],
    ]),
    digest: HASH,
    signer: "bob@example.org",
    signature: pattern(64),
    key: "2-9f2c1a7b",
    nonce: pattern(24),
    value: pattern(144),
    ...changes,
  }
}

export function sampleRecord(changes: Partial<KeyRecord> = {}): KeyRecord {
  return {
    store: STORE_ID,
    group: "default",
    number: 4,
    commitment: encodeHex(pattern(32, 9)),
    parents: [
      { id: "3-0000000a", sha256: HASH },
      { id: "3-0000000b", sha256: HASH },
    ],
    reason: "merge",
    members: [
      { name: "alice", role: "admin", recipient: "age1qqqq", signingKey: encodeHex(pattern(32, 2)) },
      { name: "ci", role: "reader", recipient: "age1zzzz" },
    ],
    policy: { rotation: { interval: 90, maxVersions: 4 }, retention: { maxAge: 365 } },
    groups: new Map([
      ["prod", HASH],
      ["prod/eu", HASH],
    ]),
    oldest: 2,
    created: "2026-01-02T03:04:05Z",
    author: "alice",
    wrap: [pattern(200), pattern(57, 3)],
    previous: [{ id: "3-0000000a", nonce: pattern(24), key: pattern(48) }],
    signature: pattern(64, 5),
    ...changes,
  }
}
