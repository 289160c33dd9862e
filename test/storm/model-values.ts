/** What a user may expect of set, delete, undelete, roll back, copy and move. */
import type { Draft } from "./model-clone.js"
import { Refused } from "./model-keyring.js"
import { type Blob, enter, findLastLive, findVersion, nextVersion, requireOpen } from "./model-secrets.js"

export interface SetWish {
  readonly name: string
  readonly value?: string | undefined
  readonly meta?: ReadonlyMap<string, string> | undefined
  readonly cas?: number | undefined
}

export function set(draft: Draft, { name, value, meta, cas }: SetWish): void {
  const key = draft.keyForWriting(name)
  const found = draft.find(name)
  requireCas(found, cas)
  const live = found?.state === "current" ? found : undefined
  if (live !== undefined) requireOpen(draft.view, draft.by, live)
  const wanted = value ?? live?.value
  if (wanted === undefined) throw new Refused("NOT_FOUND")
  const merged = new Map(found?.meta)
  merged.delete("movedTo")
  for (const [entry, text] of meta ?? []) merged.set(entry, text)
  const isSame = live?.value === wanted
  if (isSame && equalMeta(live.meta, merged)) return
  const content = { name, state: "current" as const, value: wanted, meta: merged, key }
  put(draft, { ...content, valueKeys: isSame ? live.valueKeys : [key] }, found === undefined ? [] : [found])
}

export function remove(
  draft: Draft,
  { name, cas, movedTo }: { name: string; cas?: number | undefined; movedTo?: string },
): void {
  const key = draft.keyForWriting(name)
  const found = draft.find(name)
  if (found === undefined) throw new Refused("NOT_FOUND")
  requireCas(found, cas)
  if (found.state === "deleted") return
  const meta = new Map(found.meta)
  if (movedTo !== undefined) meta.set("movedTo", movedTo)
  put(draft, { name, state: "deleted", value: "", meta, valueKeys: found.valueKeys, key }, [found])
}

export function undelete(draft: Draft, name: string): void {
  const found = draft.find(name)
  if (found === undefined) throw new Refused("NOT_FOUND")
  if (found.state === "current") return
  const source = findLastLive(draft.view, found, draft.clone.logged(name))
  requireOpen(draft.view, draft.by, source)
  restore(draft, name, source, found)
}

export function rollBack(draft: Draft, name: string, version: number): void {
  const found = draft.find(name)
  if (found === undefined) throw new Refused("NOT_FOUND")
  const source = findVersion(draft.view, found, draft.clone.logged(name), version)
  requireOpen(draft.view, draft.by, source)
  restore(draft, name, source, found)
}

export interface TransferWish {
  readonly kind: "copy" | "move"
  readonly from: string
  readonly to: string
  readonly version?: number | undefined
  readonly force: boolean
}

export function transfer(draft: Draft, { kind, from, to, version, force }: TransferWish): void {
  if (from === to) throw new Refused("USAGE")
  const found = draft.find(from)
  const target = draft.find(to)
  const targets = target === undefined ? [] : [target]
  const inTheWay = target?.state === "current" && !force
  if (kind === "copy") {
    const source = findSource(draft, { from, found, version })
    if (target !== undefined && holds(draft, target, source)) return
    if (inTheWay) throw new Refused("EXISTS")
    place(draft, to, source, targets)
    return
  }
  const isMoved = found?.state === "deleted" && found.meta.get("movedTo") === to
  if (isMoved && target?.state === "current") return
  if (found?.state !== "current") throw new Refused("NOT_FOUND")
  if (inTheWay) throw new Refused("EXISTS")
  requireOpen(draft.view, draft.by, found)
  place(draft, to, found, [found, ...targets])
  remove(draft, { name: from, movedTo: to })
}

function findSource(
  draft: Draft,
  { from, found, version }: { from: string; found: Blob | undefined; version: number | undefined },
): Blob {
  if (found === undefined) throw new Refused("NOT_FOUND")
  if (version === undefined && found.state !== "current") throw new Refused("NOT_FOUND")
  const source =
    version === undefined ? found : findVersion(draft.view, found, draft.clone.logged(from), version)
  requireOpen(draft.view, draft.by, source)
  return source
}

/** Another version's content as the next version of `name`, unless it has it. */
function restore(draft: Draft, name: string, source: Blob, current: Blob): void {
  if (!holds(draft, current, source)) place(draft, name, source, [current])
}

function holds(draft: Draft, current: Blob, source: Blob): boolean {
  if (current.state !== "current") return false
  draft.keyForWriting(current.name)
  requireOpen(draft.view, draft.by, current)
  return current.value === source.value && equalMeta(current.meta, source.meta)
}

/** What `source` holds as the version of `name` that follows these. */
function place(draft: Draft, name: string, source: Blob, before: readonly Blob[]): void {
  const key = draft.keyForWriting(name)
  const { value, meta } = source
  put(draft, { name, state: "current", value, meta, valueKeys: enter(source.valueKeys, key), key }, before)
}

function put(draft: Draft, content: Parameters<typeof nextVersion>[0], before: readonly Blob[]): void {
  draft.secrets.set(content.name, nextVersion(content, before, draft))
}

function requireCas(found: Blob | undefined, cas: number | undefined): void {
  if (cas !== undefined && cas !== (found?.version ?? 0)) throw new Refused("VERSION_CONFLICT")
}

function equalMeta(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value)
}
