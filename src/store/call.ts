/** What operations are called with: an open store, and a request that is what its type says. */
import {
  type Check,
  type Checks,
  FLAG,
  FUNCTION,
  MESSAGE,
  objectOf,
  optional,
  TEXT,
  TIME,
} from "../format/given.js"
import type { Store } from "./store.js"
import type { WriteOptions } from "./transaction.js"

const STORE = objectOf<Pick<Store, "root" | "id" | "git" | "state">>({
  root: TEXT,
  id: TEXT,
  git: FUNCTION,
  state: FUNCTION,
})

/** The fields of {@link WriteOptions}. */
export const WRITE: Checks<WriteOptions> = {
  at: TIME,
  commit: optional(FLAG),
  verify: optional(FLAG),
  message: optional(MESSAGE),
}

/**
 * Refuses a call before anything is looked at.
 *
 * @throws CofferError `USAGE`, `NAME_INVALID` or `VALUE_INVALID`
 */
export function checkCall(store: Store, request: unknown, check: Check): void {
  STORE(store, "store")
  check(request, "request")
}

/** The same for what takes nothing but a store. */
export function checkStoreGiven(store: Store): void {
  STORE(store, "store")
}
