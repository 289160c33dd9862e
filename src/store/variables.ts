/** Secrets as environment variables: which ones, under which names, with which values. */

import { decodeUtf8 } from "../encoding.js"
import { CofferError } from "../errors.js"
import { listOf, objectOf, PREFIX } from "../format/given.js"
import type { SecretName } from "../format/names.js"
import type { SecretFile } from "../format/secret-file.js"
import { isSelected, selectVariables } from "../format/variables.js"
import { groupOpener } from "./access.js"
import { checkCall } from "./call.js"
import { openSecret, readSecrets } from "./reading.js"
import type { Store } from "./store.js"
import { namesOf } from "./tree.js"
import { remember, type View, viewStore } from "./view.js"

/** A variable and the secret that it comes from. */
export interface Variable {
  readonly value: string
  readonly name: SecretName
  readonly version: number
}

const READ = objectOf<{ prefixes: readonly string[] }>({ prefixes: listOf(PREFIX) })

/**
 * Reads and opens the secrets below `prefixes` (default: names without `/`), all or nothing.
 *
 * @returns variable → value, in the order of the prefixes, then of the names.
 * @throws CofferError `NOT_FOUND` where a prefix selects nothing, `NAME_INVALID` for two secrets with one
 *   variable and for variables that are refused, `VALUE_INVALID` for binary values; every refusal of a read
 * @see docs/cli.md, "run"
 */
export async function readVariables(
  store: Store,
  request: { prefixes: readonly string[] },
): Promise<ReadonlyMap<string, Variable>> {
  checkCall(store, request, READ)
  const names = await findNames(store, request.prefixes)
  // A program must not start without a secret that somebody took away.
  const view = await viewStore(store, {
    use: "open",
    names,
    selects: name => isSelected(name, request.prefixes),
  })
  const selected = selectVariables(await readLive(view, names), request.prefixes)
  for (const [variable, file] of selected) refuseBinary(variable, file)
  const open = groupOpener(store, view)
  const variables = new Map<string, Variable>()
  for (const [variable, file] of selected) {
    const { value } = await openSecret(await open(file.group), file)
    variables.set(variable, { value: toText(variable, file, value), name: file.name, version: file.version })
  }
  await remember(store, view)
  return variables
}

/**
 * Names come from paths, those that git has and the work tree lacks among them (reading such a one is refused, or
 * reads what a sparse checkout leaves out), before anything is read: in a large store only the groups that are needed are
 * verified. All are taken where nothing fits, so that the answer can say what there is.
 */
async function findNames(store: Store, prefixes: readonly string[]): Promise<SecretName[]> {
  const all = namesOf(new Set([...(await store.tree.paths("")), ...(await store.tracked())])).sort()
  const wanted = all.filter(name => isSelected(name, prefixes))
  return wanted.length > 0 ? wanted : all
}

async function readLive(view: View, names: readonly SecretName[]): Promise<SecretFile[]> {
  const read = await readSecrets(view, names)
  return read.flatMap(found => (found?.file.state === "current" ? [found.file] : []))
}

function refuseBinary(variable: string, file: SecretFile): void {
  if (file.type === "text") return
  throw new CofferError(
    "VALUE_INVALID",
    `"${file.name}" is binary, and ${variable} could hold only a part of it`,
    {
      hint: `coffer get ${file.name} -o FILE, or keep it below another path`,
    },
  )
}

/** Whoever signed it said that it is text; a variable can still hold neither a NUL nor half a character. */
function toText(variable: string, file: SecretFile, value: Uint8Array): string {
  const text = decodeUtf8(value)
  if (text === undefined || text.includes("\0")) refuseBinary(variable, { ...file, type: "binary" })
  return text!
}
