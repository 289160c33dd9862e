/** Editing everything below a prefix as one map: what to show, and what a changed map means. */

import { decodeUtf8, encodeUtf8 } from "../encoding.js"
import { CofferError } from "../errors.js"
import { parseEditMap, printEditMap } from "../format/edit-map.js"
import {
  BELOW,
  type Checks,
  FLAG,
  listOf,
  MAP,
  objectOf,
  optional,
  PREFIX,
  SECRET,
  TEXT,
} from "../format/given.js"
import { groupOf, parseSecretName, pathOf, type SecretName } from "../format/names.js"
import { canWrite } from "../keyring/roles.js"
import { openGroup } from "./access.js"
import { checkCall } from "./call.js"
import type { SetRequest } from "./draft-secrets.js"
import { readSecret, type Secret } from "./reading.js"
import type { Deletion } from "./secret-requests.js"
import { getSecret, listFiles, openSecrets } from "./secrets.js"
import { findStagedRecord, keyringIsStaged, readVersionsBelow, type WritePlace } from "./staged.js"
import type { Store } from "./store.js"
import { requireWriter, type WriteOptions } from "./transaction.js"
import { type View, viewStore } from "./view.js"

/** How what is edited is going to be committed: what stands against that is refused at once. */
type EditOptions = Pick<WriteOptions, "commit" | "verify">

/** A map that was shown, with the versions it was read at. */
export interface EditSession {
  readonly text: string
  readonly prefix: string
  /** Relative name to what was shown. */
  readonly shown: ReadonlyMap<string, Shown>
  /** Relative names that are only shown as comments. */
  readonly binary: readonly string[]
  /** Present version of every name, deleted ones too; HEAD's where something is staged over it. */
  readonly versions: ReadonlyMap<SecretName, number>
}

/** One secret as it was shown. */
export interface Shown {
  readonly name: SecretName
  readonly value: string
  /** What a change is to be written on, as `cas`. */
  readonly version: number
}

/** What a changed map asks for: {@link setSecrets} takes it as it is. */
export interface EditPlan {
  readonly secrets: readonly SetRequest[]
  readonly deletions: readonly Deletion[]
}

const EDIT_OPTIONS: Checks<EditOptions> = { commit: optional(FLAG), verify: optional(FLAG) }
const EDIT_ONE = objectOf<{ name: SecretName } & EditOptions>({ ...EDIT_OPTIONS, name: SECRET })
const EDIT = objectOf<{ prefix: string } & EditOptions>({ ...EDIT_OPTIONS, prefix: PREFIX })

/**
 * Reads the text secrets below a prefix (`.` for all) for editing.
 *
 * @throws CofferError as getSecret; `ROLE_MISSING` where none of it could be written, `GIT_NO_REPOSITORY`, `GIT_IN_PROGRESS`,
 *   `GIT_NO_AUTHOR`, `GIT_UNSUPPORTED`
 */
export async function startEdit(
  store: Store,
  request: { prefix: string } & EditOptions,
): Promise<EditSession> {
  checkCall(store, request, EDIT)
  const prefix = request.prefix === "." ? "" : request.prefix
  const view = await viewStore(store, { use: "open" })
  const place = await placeOf(store)
  await refuseUncommittable(place, [], request)
  const shown = new Map<string, Shown>()
  const binary: string[] = []
  const files = await listFiles(store, view, { prefix, deleted: true })
  // A group of which only tombstones are left need not be mine.
  const live = files.filter(file => file.state === "current")
  await requireWriterIn(store, view, new Set(live.map(file => file.group)))
  const names = live.map(file => file.name)
  const versions = new Map([
    ...files.map(({ name, version }) => [name, version] as const),
    ...(await readVersionsBelow(place, prefix)),
  ])
  for (const { file, value } of await openSecrets(store, view, names)) {
    const relative = prefix === "" ? file.name : file.name.slice(prefix.length + 1)
    const text = file.type === "text" ? decodeUtf8(value) : undefined
    if (text === undefined) binary.push(relative)
    else shown.set(relative, { name: file.name, value: text, version: versions.get(file.name)! })
  }
  const values = new Map([...shown].map(([relative, { value }]) => [relative, value]))
  return { text: await printEditMap(values, binary), prefix, shown, binary, versions }
}

/** One secret as it is before it is edited. */
export interface EditedSecret {
  /** Undefined where there is none, or a tombstone. */
  readonly secret: Secret | undefined
  /** What it is to be written on, as `cas`: HEAD's where something is staged over it, a tombstone's, 0 for none. */
  readonly version: number
}

/**
 * Reads one secret for editing.
 *
 * @throws CofferError as getSecret, but `NOT_FOUND`; `ROLE_MISSING`, `GIT_NO_REPOSITORY`, `GIT_IN_PROGRESS`, `GIT_DIRTY`,
 *   `GIT_NO_AUTHOR`, `GIT_UNSUPPORTED`
 */
export async function startEditOne(
  store: Store,
  request: { name: SecretName } & EditOptions,
): Promise<EditedSecret> {
  checkCall(store, request, EDIT_ONE)
  const { name } = request
  const view = await viewStore(store, { use: "open", names: [name] })
  await requireWriterIn(store, view, new Set([groupOf(name, view.keyring.listed.keys())]))
  const place = await placeOf(store)
  await refuseUncommittable(place, [name], request)
  const { file } = (await readSecret(view, name)) ?? {}
  const version = (await readVersionsBelow(place, pathOf(name))).get(name) ?? file?.version ?? 0
  if (file?.state !== "current") return { secret: undefined, version }
  return { secret: await getSecret(store, { name }), version }
}

async function placeOf(store: Store): Promise<WritePlace> {
  const git = await store.git()
  return { store, git, base: (await git.head()).commit }
}

/** What would refuse every commit now refuses before anybody has edited anything: it would be lost. */
async function refuseUncommittable(
  place: WritePlace,
  names: readonly SecretName[],
  { commit = true, verify = true }: EditOptions,
): Promise<void> {
  const staged = await findStagedRecord(place)
  if (staged !== undefined) throw keyringIsStaged(staged)
  if (!commit) return
  const { store, git, base } = place
  await git.requireCommit({ verify })
  await git.requireClean(
    base,
    names.map(name => `${store.folder}/${pathOf(name)}`),
  )
}

/** Whoever may write in none of these groups hears it before he has edited anything. @throws CofferError `ROLE_MISSING` */
async function requireWriterIn(store: Store, view: View, groups: ReadonlySet<string>): Promise<void> {
  const opened = await Promise.all([...groups].map(group => openGroup(store, view, group)))
  const [first] = opened
  if (first !== undefined && !opened.some(({ member }) => canWrite(member.role))) requireWriter(first)
}

const SESSION = objectOf<EditSession>({
  text: TEXT,
  prefix: BELOW,
  shown: MAP,
  binary: listOf(TEXT),
  versions: MAP,
})

/**
 * Compares what came back with what was shown. Only differences are written, each with the version
 * that was read as its `cas`: nobody's change in between is lost.
 *
 * @throws CofferError `VALUE_INVALID`, `NAME_INVALID`
 */
export async function planEdit(session: EditSession, text: string): Promise<EditPlan> {
  SESSION(session, "session")
  TEXT(text, "text")
  const toName = (relative: string) =>
    parseSecretName(session.prefix === "" ? relative : `${session.prefix}/${relative}`)
  const wanted = await parseEditMap(text, toName)
  const secrets: SetRequest[] = []
  for (const [relative, value] of wanted) {
    const before = session.shown.get(relative)
    if (before?.value === value) continue
    const name = before?.name ?? toName(relative)
    if (before === undefined && session.binary.includes(relative)) throw binaryName(name)
    // A new line may name a deleted secret, whose numbering goes on.
    secrets.push({ name, value: encodeUtf8(value), cas: session.versions.get(name) ?? 0 })
  }
  const deletions = [...session.shown]
    .filter(([relative]) => !wanted.has(relative))
    .map(([, { name, version }]) => ({ name, cas: version }))
  return { secrets, deletions }
}

function binaryName(name: SecretName): CofferError {
  return new CofferError("VALUE_INVALID", `"${name}" holds binary data and cannot be edited as text`, {
    hint: `coffer set ${name} --file PATH`,
  })
}
