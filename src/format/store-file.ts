/** The file that says which store this is, and the attributes that keep git from touching its files. */
import { encodeUtf8, isHex } from "../encoding.js"
import { printPlain, printText } from "./canonical.js"
import { CanonicalReader } from "./canonical-reader.js"
import { LIMITS } from "./limits.js"

export const STORE_FILE_PATH = ".coffer/store.yaml"

/** The store's `.gitattributes`: no conversion, no textual merge, and a diff that shows no ciphertext. */
export const GIT_ATTRIBUTES =
  "* -text -filter -ident -working-tree-encoding merge=binary\n*.yaml diff=coffer\n"

const FIELDS: ReadonlySet<string> = new Set(["coffer", "store"])

export function isStoreId(text: string): boolean {
  return isHex(text, 32)
}

/**
 * @throws CofferError `NOT_CANONICAL`, `NEWER_FORMAT`
 * @see docs/format.md §3
 */
export function parseStoreFile(bytes: Uint8Array): { store: string } {
  const reader = new CanonicalReader(bytes, {
    format: "store",
    what: `"${STORE_FILE_PATH}"`,
    maxBytes: LIMITS.storeFileBytes,
    fields: FIELDS,
  })
  const store = reader.textThat("store", isStoreId)
  reader.end()
  return { store }
}

export function printStoreFile({ store }: { store: string }): Uint8Array {
  return encodeUtf8(printPlain("coffer", "store/1") + printText("store", store))
}
