/** Setting up a clone for a store that is there: whom to trust, and what plaintext lies around. */

import { readdirSync, realpathSync } from "node:fs"
import { join, relative } from "node:path"
import { isDotenvFile } from "../scan/plaintext-files.js"
import { checkStoreGiven } from "./call.js"
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
  checkStoreGiven(store)
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

/**
 * Files of plaintext settings in the repository's top folder and in one below it, and what git knows of each.
 *
 * @param here - absolute path of a folder of the repository; paths are relative to it.
 */
export async function findDotenvFiles(
  store: Store,
  here: string,
): Promise<readonly { readonly path: string; readonly git: GitKnowledge }[]> {
  const { workTree: top } = await store.git()
  const from = realpathSync(here)
  const found: { path: string; git: GitKnowledge }[] = []
  for (const folder of new Set([top, from])) {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (!entry.isFile() || !isDotenvFile(entry.name)) continue
      const file = join(folder, entry.name)
      found.push({ path: relative(from, file), git: await findInGit(store, file) })
    }
  }
  return found
}
