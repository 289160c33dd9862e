/** Upper bounds of the format: every reader and every writer refuses what is above them. */

/** @see docs/format.md §1.4 */
export const LIMITS = {
  /** Bytes of one value. */
  valueBytes: 1024 * 1024,
  secretFileBytes: 2 * 1024 * 1024,
  keyRecordBytes: 4 * 1024 * 1024,
  storeFileBytes: 4096,
  members: 500,
  groups: 1_000,
  keyRecords: 10_000,
  secrets: 100_000,
  /** UTF-8 bytes of a secret's name. */
  nameBytes: 200,
  segments: 16,
  /** Groups that one value has lived in. */
  valueKeys: 16,
  /** Links to files that held the last versions. */
  previous: 4,
  parents: 8,
  /** Older data keys that one key record seals. */
  previousKeys: 64,
  /** Between the quotes of one string, as written; the longest that occurs is a hybrid recipient. */
  quotedCharacters: 4096,
  metaEntries: 32,
  metaValueBytes: 1024,
  /** Of versions, record numbers and policy: what a signed 32-bit integer holds. */
  integer: 2 ** 31 - 1,
} as const
