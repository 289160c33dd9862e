/** Reader of git's index file, versions 2 to 4: where each entry lies, without changing a byte. */
import { createHash } from "node:crypto"
import { asBuffer } from "../../encoding.js"
import { CofferError } from "../../errors.js"
import { unsupported } from "./unsupported.js"

/** Bytes of an entry before its flags: ten 32-bit numbers of stat data, then the object id. */
export const STAT_BYTES = 40
const OID_BYTES = 20
/** Length of an entry's fixed part without extended flags; the last two bytes are the flags. */
export const FIXED_BYTES = STAT_BYTES + OID_BYTES + 2
export const HEADER_BYTES = 12
const TRAILER_BYTES = 20

export const FLAG_ASSUME_VALID = 0x8000
export const FLAG_EXTENDED = 0x4000
export const EXTENDED_SKIP_WORKTREE = 0x4000
const EXTENDED_INTENT_TO_ADD = 0x2000

/** One entry: `path` holds the path's bytes as Latin-1, so that string order is git's byte order. */
export interface IndexSlot {
  readonly path: string
  readonly stage: 0 | 1 | 2 | 3
  /** Where the entry's fixed part begins in the file. */
  readonly at: number
  /** Length of the fixed part: two bytes more where it has extended flags. */
  readonly fixedBytes: number
  /** Where the next entry, or what follows the entries, begins. */
  readonly end: number
}

export interface IndexExtension {
  readonly signature: string
  readonly data: Buffer
}

/** A parsed index; `bytes` stays the truth, the slots only point into it. */
export interface IndexFile {
  readonly version: 2 | 3 | 4
  readonly bytes: Buffer
  readonly slots: readonly IndexSlot[]
  readonly extensions: readonly IndexExtension[]
}

/** What git has for a path that was never added: an index without entries. */
export function emptyIndex(): IndexFile {
  const header = Buffer.alloc(HEADER_BYTES)
  header.write("DIRC", "latin1")
  header.writeUInt32BE(2, 4)
  return { version: 2, bytes: header, slots: [], extensions: [] }
}

/**
 * Parses an index file and checks its sum.
 *
 * @throws CofferError `GIT_UNSUPPORTED` for a split or sparse index and for any extension that git marks as
 * required, `GIT_FAILED` for a damaged file.
 * @see https://git-scm.com/docs/index-format
 */
export function parseIndex(content: Uint8Array): IndexFile {
  const bytes = asBuffer(content)
  if (bytes.length < HEADER_BYTES + TRAILER_BYTES) throw damaged("too short")
  if (bytes.toString("latin1", 0, 4) !== "DIRC") throw damaged("no signature")
  const version = bytes.readUInt32BE(4)
  if (version !== 2 && version !== 3 && version !== 4) throw unsupported(`index version ${version}`)
  checkSum(bytes)
  const end = bytes.length - TRAILER_BYTES
  const { slots, next } = version === 4 ? parseCompressed(bytes, end) : parsePadded(bytes, end)
  // Extensions first: a split index has entries without a path, and is not damaged.
  const extensions = parseExtensions(bytes, next, end)
  if (slots[0]?.path === "") throw damaged("an entry has no path")
  for (let at = 1; at < slots.length; at++) {
    if (compareSlots(slots[at - 1]!, slots[at]!) >= 0) throw damaged("entries out of order")
  }
  return { version, bytes, slots, extensions }
}

/** The entry's mode as git prints it in trees: six octal digits. */
export function slotMode(index: IndexFile, slot: IndexSlot): string {
  return index.bytes
    .readUInt32BE(slot.at + 24)
    .toString(8)
    .padStart(6, "0")
}

export function slotOid(index: IndexFile, slot: IndexSlot): string {
  return index.bytes.toString("hex", slot.at + STAT_BYTES, slot.at + STAT_BYTES + OID_BYTES)
}

export function isSkipWorktree(index: IndexFile, slot: IndexSlot): boolean {
  return (extendedFlags(index, slot) & EXTENDED_SKIP_WORKTREE) !== 0
}

/** Whether the entry only says that the path will be added (`git add -N`): it is no content yet. */
export function isIntentToAdd(index: IndexFile, slot: IndexSlot): boolean {
  return (extendedFlags(index, slot) & EXTENDED_INTENT_TO_ADD) !== 0
}

/** The stages of one path (Latin-1). */
export function slotsAt(index: IndexFile, path: string): readonly IndexSlot[] {
  return index.slots.slice(lowerBound(index, path), lowerBound(index, `${path}\0`))
}

/** The slots of all paths below a folder (Latin-1, without a final slash; "" for all). */
export function slotsBelow(index: IndexFile, folder: string): readonly IndexSlot[] {
  if (folder === "") return index.slots
  // "0" is the character after "/".
  return index.slots.slice(lowerBound(index, `${folder}/`), lowerBound(index, `${folder}0`))
}

/** Orders slots as the index does: by bytes of the path, then by stage. */
export function compareSlots(
  a: Pick<IndexSlot, "path" | "stage">,
  b: Pick<IndexSlot, "path" | "stage">,
): number {
  if (a.path !== b.path) return a.path < b.path ? -1 : 1
  return a.stage - b.stage
}

function lowerBound(index: IndexFile, path: string): number {
  let low = 0
  let high = index.slots.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (index.slots[middle]!.path < path) low = middle + 1
    else high = middle
  }
  return low
}

function parsePadded(bytes: Buffer, end: number): { slots: IndexSlot[]; next: number } {
  const slots: IndexSlot[] = []
  let at = HEADER_BYTES
  for (let left = bytes.readUInt32BE(8); left > 0; left--) {
    const fixedBytes = fixedLength(bytes, at, end)
    const from = at + fixedBytes
    const to = endOfName(bytes, from, end)
    // One to eight NULs, so that an entry's length is a multiple of eight.
    const next = at + ((fixedBytes + to - from + 8) & ~7)
    if (next > end) throw damaged("an entry runs over the end")
    slots.push(slotAt(bytes, bytes.toString("latin1", from, to), { at, fixedBytes, end: next }))
    at = next
  }
  return { slots, next: at }
}

function parseCompressed(bytes: Buffer, end: number): { slots: IndexSlot[]; next: number } {
  const slots: IndexSlot[] = []
  let at = HEADER_BYTES
  let previous = ""
  for (let left = bytes.readUInt32BE(8); left > 0; left--) {
    const fixedBytes = fixedLength(bytes, at, end)
    const strip = readOffsetNumber(bytes, at + fixedBytes, end)
    if (strip.value > previous.length) throw damaged("a path strips more than there is")
    const to = endOfName(bytes, strip.next, end)
    previous = previous.slice(0, previous.length - strip.value) + bytes.toString("latin1", strip.next, to)
    slots.push(slotAt(bytes, previous, { at, fixedBytes, end: to + 1 }))
    at = to + 1
  }
  return { slots, next: at }
}

function fixedLength(bytes: Buffer, at: number, end: number): number {
  if (at + FIXED_BYTES + 2 > end) throw damaged("fewer entries than promised")
  return bytes.readUInt16BE(at + FIXED_BYTES - 2) & FLAG_EXTENDED ? FIXED_BYTES + 2 : FIXED_BYTES
}

function endOfName(bytes: Buffer, from: number, end: number): number {
  const to = bytes.indexOf(0, from)
  if (to < 0 || to >= end) throw damaged("a path has no end")
  return to
}

type SlotPlace = Pick<IndexSlot, "at" | "fixedBytes" | "end">

function slotAt(bytes: Buffer, path: string, place: SlotPlace): IndexSlot {
  const stage = ((bytes[place.at + FIXED_BYTES - 2]! >> 4) & 3) as IndexSlot["stage"]
  return { path, stage, ...place }
}

/** Git's offset encoding, also that of pack deltas: each continuation adds one, so no number has two forms. */
function readOffsetNumber(bytes: Buffer, from: number, end: number): { value: number; next: number } {
  let at = from
  let byte = bytes[at++]!
  let value = byte & 127
  while (byte & 128) {
    if (at >= end || value > 0xffffff) throw damaged("a path length is out of range")
    byte = bytes[at++]!
    value = (value + 1) * 128 + (byte & 127)
  }
  return { value, next: at }
}

function parseExtensions(bytes: Buffer, from: number, end: number): IndexExtension[] {
  const extensions: IndexExtension[] = []
  let at = from
  while (at < end) {
    if (at + 8 > end) throw damaged("an extension has no header")
    const signature = bytes.toString("latin1", at, at + 4)
    const to = at + 8 + bytes.readUInt32BE(at + 4)
    if (to > end) throw damaged("an extension runs over the end")
    refuseRequired(signature)
    extensions.push({ signature, data: bytes.subarray(at + 8, to) })
    at = to
  }
  return extensions
}

/** Git's rule: a reader that does not know an extension may skip it only if its first letter is a capital. */
function refuseRequired(signature: string): void {
  if (/^[A-Z][ -~]{3}$/.test(signature)) return
  if (signature === "link") throw unsupported("split index (core.splitIndex)")
  if (signature === "sdir") throw unsupported("sparse index (index.sparse)")
  if (!/^[ -~]{4}$/.test(signature)) throw damaged("an extension has no name")
  throw unsupported(`index extension "${signature}"`)
}

function checkSum(bytes: Buffer): void {
  const sum = bytes.subarray(bytes.length - TRAILER_BYTES)
  // index.skipHash writes zeros in place of the sum.
  if (sum.every(byte => byte === 0)) return
  const real = createHash("sha1")
    .update(bytes.subarray(0, bytes.length - TRAILER_BYTES))
    .digest()
  if (!real.equals(sum)) throw damaged("its sum is wrong")
}

function extendedFlags(index: IndexFile, slot: IndexSlot): number {
  return slot.fixedBytes > FIXED_BYTES ? index.bytes.readUInt16BE(slot.at + FIXED_BYTES) : 0
}

function damaged(why: string): CofferError {
  return new CofferError("GIT_FAILED", `git's index is damaged: ${why}`, {
    hint: "git fsck; to rebuild the index from HEAD, losing what is staged: rm .git/index && git reset",
  })
}
