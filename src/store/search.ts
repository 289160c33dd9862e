/** Finding secrets: by name, and by value without ever showing one. */

import { decodeUtf8 } from "../encoding.js"
import { CofferError, hasCode } from "../errors.js"
import { objectOf, TEXT } from "../format/given.js"
import type { SecretName } from "../format/names.js"
import { byGroup, openGroup } from "./access.js"
import { checkCall } from "./call.js"
import { openSecret } from "./reading.js"
import { listFiles, listSecrets } from "./secrets.js"
import type { Store } from "./store.js"
import { remember, viewStore } from "./view.js"

const FIND = objectOf<{ text: string }>({ text: TEXT })

/** Names that contain `text`, upper and lower case alike. @throws CofferError as listSecrets */
export async function findSecrets(store: Store, request: { text: string }): Promise<SecretName[]> {
  checkCall(store, request, FIND)
  const text = request.text.toLowerCase()
  return (await listSecrets(store)).map(file => file.name).filter(name => name.toLowerCase().includes(text))
}

const GREP = objectOf<{ pattern: string }>({ pattern: TEXT })

/**
 * Names of the secrets whose value matches; `^` and `$` are those of a line. Groups that no identity here opens are named in a note
 * and passed over.
 *
 * @throws CofferError `USAGE` for a pattern that is no regular expression, `NO_IDENTITY`
 */
export async function grepSecrets(store: Store, request: { pattern: string }): Promise<SecretName[]> {
  checkCall(store, request, GREP)
  const pattern = compile(request.pattern)
  const view = await viewStore(store, { use: "open" })
  const files = await listFiles(store, view, {})
  const matching: SecretName[] = []
  for (const [group, members] of byGroup(files.map(file => ({ file })))) {
    try {
      const access = await openGroup(store, view, group)
      for (const { file } of members) {
        const text = decodeUtf8((await openSecret(access, file)).value)
        if (text !== undefined && pattern.test(text)) matching.push(file.name)
      }
    } catch (error) {
      if (!hasCode(error, "NOT_A_MEMBER", "REMOVED")) throw error
      store.note(`note: group "${group}" was not searched: ${error.message}`)
    }
  }
  await remember(store, view)
  return matching.sort()
}

function compile(pattern: string): RegExp {
  try {
    const compiled = new RegExp(pattern, "mu")
    // One that is too large is only noticed when it is used.
    compiled.test("")
    return compiled
  } catch {
    throw new CofferError("USAGE", "that is not a regular expression", { hint: "coffer grep '^postgres://'" })
  }
}
