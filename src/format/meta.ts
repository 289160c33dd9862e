/** The public notes on a secret: their grammar and the entries that coffer knows. */
import { encodeUtf8, findUtf8 } from "../encoding.js"
import { CofferError } from "../errors.js"
import { LIMITS } from "./limits.js"
import { isSecretName } from "./names.js"
import { hasNoncharacter } from "./noncharacters.js"
import { isTime } from "./times.js"

const KEY = /^[a-z][A-Za-z0-9._-]{0,31}$/
/** Control characters, line and paragraph separators, the byte order mark. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff]/

/** Entries whose value has a form; any other value is free text. */
const KNOWN: ReadonlyMap<string, { is: (value: string) => boolean; form: string }> = new Map([
  ["rotateAfter", { is: value => /^[1-9][0-9]{0,4}d$/.test(value), form: "a number of days such as 90d" }],
  ["expires", { is: isTime, form: "a time such as 2031-01-31T00:00:00Z" }],
  ["env", { is: value => /^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(value), form: "the name of a variable" }],
  ["movedTo", { is: isSecretName, form: "the name of a secret" }],
])

/**
 * Checks the meta of a secret before it is written.
 *
 * @param name - the secret, for the message.
 * @throws CofferError `VALUE_INVALID`
 * @see docs/format.md §4.3
 */
export function checkMeta(meta: ReadonlyMap<string, string>, name: string): void {
  const fault = findMetaFault(meta)
  if (fault === undefined) return
  throw new CofferError("VALUE_INVALID", `meta of "${name}": ${fault}`, {
    hint: "public notes such as owner=payments: up to 1 KiB each, 32 of them",
  })
}

/** Says what is wrong with the meta of a secret, without quoting any value. */
export function findMetaFault(meta: ReadonlyMap<string, string>): string | undefined {
  if (meta.size > LIMITS.metaEntries) return `there are more than ${LIMITS.metaEntries} entries`
  for (const [key, value] of meta) {
    if (!KEY.test(key)) return "a key is not a lower-case letter and up to 31 letters, digits or . _ -"
    if (findUtf8(value) === undefined || CONTROL.test(value) || hasNoncharacter(value))
      return `"${key}" is not printable`
    if (encodeUtf8(value).length > LIMITS.metaValueBytes) return `"${key}" is longer than 1 KiB`
    const known = KNOWN.get(key)
    if (known !== undefined && !known.is(value)) return `"${key}" is not ${known.form}`
  }
  return undefined
}
