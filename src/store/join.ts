/** Setting up a clone for a store that is there: whom to trust, and what plaintext lies around. */
import { readdirSync } from "node:fs"
import { join } from "node:path"
import { isDotenvFile } from "../scan/plaintext-files.js"
import { findInGit, type GitKnowledge } from "./import.js"
import type { Store } from "./store.js"
import { choosePin, storePin } from "./trust.js"
import { viewStore } from "./view.js"

/**
 * Pins the store on this machine: as COFFER_PIN proves it, else as a person confirms.
 *
 * @returns the pin; null where there is neither, which is noted.
 * @throws CofferError `UNPINNED` where a person says no, `PIN_MISMATCH` and other refusals of verification
 */
export async function pinStore(store: Store): Promise<string | null> {
  const { from } = choosePin(store, "look")
  const nobody = from === "tofu" || (from === "nowhere" && store.confirm === undefined)
  const { keyring } = await viewStore(store, { use: nobody ? "look" : "open", names: [] })
  return nobody ? null : storePin(store, keyring)
}

/** Pins a store that was just made here. */
export async function pinNewStore(store: Store, pin: string): Promise<void> {
  store.updateState({ pin })
  const { keyring } = await viewStore(store, { use: "open", names: [] })
  storePin(store, keyring)
}

/** Files of plaintext settings in a folder, and what git knows of each. */
export async function findDotenvFiles(
  store: Store,
  folder: string,
): Promise<readonly { readonly path: string; readonly git: GitKnowledge }[]> {
  const found: { path: string; git: GitKnowledge }[] = []
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isFile() || !isDotenvFile(entry.name)) continue
    found.push({ path: entry.name, git: await findInGit(store, join(folder, entry.name)) })
  }
  return found
}
