/** Tampering with a real store: every bit, every truncation, random edits, swaps, files of the wrong kind. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { CofferError } from "../../src/errors.js"
import { parseSecretName, pathOf, type SecretName } from "../../src/format/names.js"
import { groupOpener } from "../../src/store/access.js"
import { createGroup } from "../../src/store/groups.js"
import { createStore, ensureIdentity } from "../../src/store/init.js"
import { openSecret, readSecret } from "../../src/store/reading.js"
import { rotateGroups } from "../../src/store/rotate.js"
import { deleteSecrets, setSecrets } from "../../src/store/secrets.js"
import { type OpenOptions, openStore, type Store } from "../../src/store/store.js"
import { overlayTree } from "../../src/store/tree.js"
import { type View, verifyTree } from "../../src/store/view.js"
import type { Random } from "../keyring/histories.js"

/** What a run found: cases tried, and those that were accepted with another value than before. */
export interface Tally {
  tried: number
  refused: number
  identical: number
  readonly accepted: string[]
  /** Refusals by code. */
  readonly codes: Map<string, number>
}

/** A store with fifty secrets, a tombstone, two groups and two rotations, and a reader of it as it would be. */
export interface Victim {
  readonly names: readonly SecretName[]
  /** How to open the store as it is on disk. */
  readonly options: OpenOptions
  /** One file of each kind, by kind. */
  readonly kinds: ReadonlyMap<string, string>
  bytesOf(path: string): Promise<Uint8Array>
  /** What reading everything gives with some files replaced: text of name → value. Throws what refuses. */
  read(files: ReadonlyMap<string, Uint8Array>, names: readonly SecretName[]): Promise<string>
  remove(): void
}

const AT = new Date("2030-01-02T03:04:05Z")
const LARGE = parseSecretName("large")

export async function makeVictim(secrets: number): Promise<Victim> {
  const folder = mkdtempSync(join(tmpdir(), "coffer-tamper-"))
  const { store, names, options } = await fill(folder, secrets)
  const view = await verifyTree(store, store.tree, { use: "open" })
  const open = groupOpener(store, view)
  const records = (await store.tree.paths(".coffer/keys")).toSorted()
  const recordsOf = (group: string) => records.filter(path => path.startsWith(`.coffer/keys/${group}/`))
  return {
    names,
    options,
    kinds: new Map([
      ["secret", pathOf(names[0]!)],
      ["secret of a group", pathOf(names.at(-1)!)],
      ["large secret with a history", pathOf(LARGE)],
      ["tombstone", "gone.yaml"],
      ["first key record", recordsOf("default")[0]!],
      ["key record", recordsOf("default").at(-1)!],
      ["key record of a group", recordsOf("team").at(-1)!],
      ["store file", ".coffer/store.yaml"],
    ]),
    async bytesOf(path) {
      return (await store.tree.find(path))!.bytes
    },
    async read(files, wanted) {
      const tree = overlayTree(store.tree, files)
      // What is verified once is not what is under test: records are verified anew when they are replaced.
      const touchesRecords = [...files.keys()].some(path => path.startsWith(".coffer/"))
      const changed = touchesRecords ? await verifyStore(store, tree) : { ...view, tree }
      const opener = touchesRecords ? groupOpener(store, changed) : open
      const values: string[] = []
      for (const name of wanted) {
        const found = await readSecret(changed, name)
        if (found === undefined) throw new CofferError("SECRET_MISSING", `${name} is gone`)
        const { value } = await openSecret(await opener(found.file.group), found.file)
        values.push(`${name} ${found.file.version} ${found.file.state} ${Buffer.from(value).toString("hex")}`)
      }
      return values.join("\n")
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** The store's id is read when a store is opened: here that is part of every reading. */
async function verifyStore(store: Store, tree: Store["tree"]): Promise<View> {
  const { parseStoreFile } = await import("../../src/format/store-file.js")
  const file = await tree.find(".coffer/store.yaml")
  if (file === undefined) throw new CofferError("NOT_FOUND", "there is no store")
  const { store: id } = parseStoreFile(file.bytes)
  if (id !== store.id) throw new CofferError("STORE_CHANGED", "another store")
  return verifyTree(store, tree, { use: "open" })
}

async function fill(folder: string, secrets: number) {
  const home = join(folder, "home")
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    XDG_CONFIG_HOME: join(home, "config"),
    XDG_STATE_HOME: join(home, "state"),
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: "ana",
    GIT_AUTHOR_EMAIL: "ana@example.com",
    GIT_COMMITTER_NAME: "ana",
    GIT_COMMITTER_EMAIL: "ana@example.com",
  }
  const directory = join(folder, "repository")
  execFileSync("git", ["init", "-q", directory], { env })
  const options: OpenOptions = { directory, env }
  const { identity } = await ensureIdentity(options)
  const { pin } = await createStore(options, { identity, member: "ana", at: AT })
  const pinned = { ...options, env: { ...env, COFFER_PIN: pin } }
  const store = await openStore(pinned)
  await createGroup(store, { group: "team", members: [], at: AT })
  const inTeam = Math.ceil(secrets / 5)
  const names = Array.from({ length: secrets }, (_, index) =>
    parseSecretName(index < secrets - inTeam ? `S${index}` : `team/S${index}`),
  )
  const values = [...names, parseSecretName("gone")].map(name => ({
    name,
    value: Buffer.from(`value of ${name}`),
  }))
  await setSecrets(store, { secrets: values, at: AT })
  for (const text of ["before", "after"]) {
    await setSecrets(store, { secrets: [{ name: LARGE, value: Buffer.from(text.repeat(250)) }], at: AT })
  }
  await deleteSecrets(store, { deletions: [{ name: parseSecretName("gone") }], at: AT })
  await rotateGroups(store, { groups: [], at: AT })
  return { store, names, options: pinned }
}

export function newTally(): Tally {
  return { tried: 0, refused: 0, identical: 0, accepted: [], codes: new Map() }
}

/** Files the outcome of a reading of what was tampered with. @throws what is no typed error: a bug */
export async function count(
  tally: Tally,
  what: string,
  truth: string,
  read: () => Promise<string>,
): Promise<void> {
  tally.tried++
  try {
    if ((await read()) === truth) tally.identical++
    else tally.accepted.push(what)
  } catch (error) {
    if (!(error instanceof CofferError)) throw new Error(`${what}: an untyped error`, { cause: error })
    tally.refused++
    tally.codes.set(error.code, 1 + (tally.codes.get(error.code) ?? 0))
  }
}

/** Reads with `files` replaced and files the outcome. */
function tryFiles(
  victim: Victim,
  tally: Tally,
  what: string,
  files: ReadonlyMap<string, Uint8Array>,
  names: readonly SecretName[],
  truth: string,
): Promise<void> {
  return count(tally, what, truth, () => victim.read(files, names))
}

/** The secrets that a file has a say in. */
function namesFor(victim: Victim, path: string): readonly SecretName[] {
  const single = [parseSecretName("gone"), LARGE, ...victim.names].filter(name => pathOf(name) === path)
  if (single.length > 0) return single
  return [victim.names[0]!, victim.names.at(-1)!]
}

/** Every `step`-th single-bit flip and every truncation of one file of each kind. */
export async function flipAndCut(victim: Victim, tally: Tally, step: number): Promise<void> {
  for (const [kind, path] of victim.kinds) {
    const original = await victim.bytesOf(path)
    const names = namesFor(victim, path)
    const truth = await victim.read(new Map(), names)
    for (let bit = 0; bit < original.length * 8; bit += step) {
      const bytes = Buffer.from(original)
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      await tryFiles(victim, tally, `${kind}: bit ${bit}`, new Map([[path, bytes]]), names, truth)
    }
    for (let length = 0; length < original.length; length += step) {
      const bytes = original.subarray(0, length)
      await tryFiles(victim, tally, `${kind}: cut to ${length}`, new Map([[path, bytes]]), names, truth)
    }
  }
}

/** Random edits of 1 to 64 bytes: replaced, removed, doubled. */
export async function editAtRandom(
  victim: Victim,
  tally: Tally,
  count: number,
  random: Random,
): Promise<void> {
  const kinds = [...victim.kinds]
  for (let round = 0; round < count; round++) {
    const [kind, path] = kinds[round % kinds.length]!
    const original = await victim.bytesOf(path)
    const names = namesFor(victim, path)
    const at = Math.floor(random() * original.length)
    const length = 1 + Math.floor(random() * 64)
    const piece = pieceFor(random, original, at, length)
    const rest = original.subarray(random() < 0.3 ? at : at + length)
    const bytes = Buffer.concat([original.subarray(0, at), piece, rest])
    const truth = await victim.read(new Map(), names)
    await tryFiles(victim, tally, `${kind}: edit ${round}`, new Map([[path, bytes]]), names, truth)
  }
}

function pieceFor(random: Random, original: Uint8Array, at: number, length: number): Uint8Array {
  const kind = random()
  if (kind < 0.3) return Buffer.alloc(0)
  if (kind < 0.5) return original.subarray(at, at + length)
  return Buffer.from(Array.from({ length }, () => Math.floor(random() * 256)))
}

/** Every ordered pair of secrets: one's file in the other's place. */
export async function swapAll(victim: Victim, tally: Tally): Promise<void> {
  for (const a of victim.names) {
    const truth = await victim.read(new Map(), [a])
    for (const b of victim.names) {
      if (a === b) continue
      const files = new Map([[pathOf(a), await victim.bytesOf(pathOf(b))]])
      await tryFiles(victim, tally, `${b} in the place of ${a}`, files, [a], truth)
    }
  }
}

/** Each kind of file in the place of each other kind. */
export async function mixKinds(victim: Victim, tally: Tally): Promise<void> {
  for (const [kind, path] of victim.kinds) {
    const names = namesFor(victim, path)
    const truth = await victim.read(new Map(), names)
    for (const [other, from] of victim.kinds) {
      if (from === path) continue
      const files = new Map([[path, await victim.bytesOf(from)]])
      await tryFiles(victim, tally, `a ${other} in the place of a ${kind}`, files, names, truth)
    }
  }
}
