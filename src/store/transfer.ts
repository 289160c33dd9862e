/** Copying and moving secrets: signed and sealed anew at the new place, exposure and history kept. */
import { CofferError } from "../errors.js"
import { parseSecretName, type SecretName } from "../format/names.js"
import { checkCas, deleteSecretIn, notFound, restoreIn, type StepResult } from "./draft-secrets.js"
import { type HistoricSecret, readVersion } from "./history.js"
import { openSecret } from "./reading.js"
import {
  describeSeveral,
  one,
  requireLive,
  type SecretsWritten,
  type SecretWritten,
  several,
} from "./secrets.js"
import type { Store } from "./store.js"
import type { Predecessor } from "./succession.js"
import { change, type Draft, type WriteOptions } from "./transaction.js"
import { namesOf } from "./tree.js"

export interface TransferOptions extends WriteOptions {
  /** Only if the target's current version is this. */
  readonly cas?: number | undefined
  /** Replaces a target that holds a value. */
  readonly force?: boolean | undefined
}

export type TransferKind = "copy" | "move"

/** Copies one version of a secret (default: the present one), or moves a secret with its history. */
export async function transferSecret(
  store: Store,
  kind: TransferKind,
  request: TransferOptions & { from: SecretName; version?: number | undefined; to: SecretName },
): Promise<SecretWritten> {
  return one(
    await change(
      store,
      request,
      draft => transferIn(draft, kind, request),
      ({ version }) => `${verbOf(kind)} ${request.from} to ${request.to} (version ${version})`,
    ),
  )
}

/** The same for everything below a prefix, in one commit. */
export async function transferPrefix(
  store: Store,
  kind: TransferKind,
  request: TransferOptions & { from: string; to: string },
): Promise<SecretsWritten> {
  return several(
    await change(
      store,
      request,
      async draft => {
        const results: StepResult[] = []
        const names = namesOf(await draft.base.paths(request.from))
        const targets = names.map(from => parseSecretName(request.to + from.slice(request.from.length)))
        await draft.prefetch([...names, ...targets])
        for (const [index, from] of names.entries()) {
          if ((await draft.find(from))?.file.state !== "current") continue
          results.push(await transferIn(draft, kind, { ...request, from, to: targets[index]! }))
        }
        if (results.length === 0) throw notFound(request.from)
        return results
      },
      results => describeSeveral(verbOf(kind), results),
    ),
  )
}

async function transferIn(
  draft: Draft,
  kind: TransferKind,
  request: TransferOptions & { from: SecretName; version?: number | undefined; to: SecretName },
): Promise<StepResult> {
  const { from, to } = request
  if (from === to)
    throw new CofferError("USAGE", `"${from}" cannot be ${kind === "copy" ? "copied" : "moved"} onto itself`)
  const found = await draft.find(from)
  const target = await draft.find(to)
  checkCas(to, target, request.cas)
  if (target?.file.state === "current" && request.force !== true && request.cas === undefined) {
    throw new CofferError("EXISTS", `"${to}" exists already, at version ${target.file.version}`, {
      hint: `the same command with --force replaces it (its history stays), or --cas ${target.file.version}`,
    })
  }
  const targets = target === undefined ? [] : [target]
  if (kind === "copy") return restoreIn(draft, to, await readSource(draft, found, request), targets)
  const source = { file: requireLive(from, found).file, oid: found!.oid }
  const moved = await restoreIn(draft, to, await openSource(draft, source), [source, ...targets])
  await deleteSecretIn(draft, { name: from, movedTo: to })
  return { ...moved, changed: true }
}

async function readSource(
  draft: Draft,
  found: Predecessor | undefined,
  { from, version }: { from: SecretName; version?: number | undefined },
): Promise<HistoricSecret> {
  if (version !== undefined) return readVersion(draft, from, { version })
  requireLive(from, found)
  return openSource(draft, found!)
}

async function openSource(draft: Draft, { file }: Predecessor): Promise<HistoricSecret> {
  return { file, value: (await openSecret(await draft.open(file.group), file)).value }
}

function verbOf(kind: TransferKind): string {
  return kind === "copy" ? "Copy" : "Move"
}
