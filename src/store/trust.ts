/**
 * Whom this machine trusts a store to: the pin of the environment, the remembered one, or a person's answer.
 *
 * @see DESIGN §2.1
 */
import { CofferError } from "../errors.js"
import { ROOT_GROUP } from "../format/names.js"
import type { RecordNode } from "../keyring/graph.js"
import { adminNames } from "../keyring/group.js"
import { type Pin, parsePin, printPin } from "../keyring/pin.js"
import type { Keyring } from "../keyring/verify.js"
import type { Environment } from "../storage/environment.js"
import { keyringChange } from "./remembered.js"
import type { Store } from "./store.js"

/** What a verified tree is used for: only looking at names and structure, opening values, or writing. */
export type Use = "look" | "open" | "write"

/** The pin to verify with, and where it comes from. */
export interface PinChoice {
  readonly pin: Pin | undefined
  readonly from: "environment" | "state" | "tofu" | "nowhere"
}

/** COFFER_PIN of a build that trusts whatever it finds. */
const TRUST_ON_FIRST_USE = "tofu"

/**
 * The pin that holds for this call: COFFER_PIN in place of the remembered one.
 *
 * @throws CofferError `SETTING_INVALID` for a COFFER_PIN that is none; `UNPINNED` for writing under
 * `tofu`: a value would be sealed to whoever the repository names.
 */
export function choosePin(store: Store, use: Use): PinChoice {
  const given = givenPin(store.env)
  if (given?.from === "tofu" && use === "write") {
    throw unpinned("COFFER_PIN=tofu reads only: nothing is written to a store that is not pinned")
  }
  if (given !== undefined) return given
  const { pin } = store.state()
  return pin === undefined ? { pin, from: "nowhere" } : { pin: parsePin(pin), from: "state" }
}

/** What COFFER_PIN says; undefined where it is unset or empty. @throws CofferError `SETTING_INVALID` */
export function givenPin(env: Environment): PinChoice | undefined {
  const given = env.COFFER_PIN?.trim() ?? ""
  if (given === "") return undefined
  if (given === TRUST_ON_FIRST_USE) return { pin: undefined, from: "tofu" }
  return { pin: parsePin(given), from: "environment" }
}

/**
 * Decides about a store verified without a pin: `look` goes on with a warning, `tofu` too; a person is shown
 * the newest pin and asked, and the answer is remembered.
 *
 * @throws CofferError `UNPINNED` where nobody can be asked, or says no.
 */
export async function confirmPin(store: Store, choice: PinChoice, keyring: Keyring, use: Use): Promise<void> {
  if (choice.from === "tofu") {
    store.note(
      `warning: COFFER_PIN=tofu: whoever can write to this repository decides who is trusted (UNPINNED)`,
    )
    return
  }
  if (use === "look") {
    store.note(
      "warning: this store is not pinned on this machine: its own first key record was believed (UNPINNED)",
    )
    return
  }
  if (store.confirm === undefined) {
    throw unpinned("this store is not pinned on this machine and there is no terminal to ask")
  }
  if (!(await store.confirm(firstUseQuestion(store, keyring)))) {
    throw unpinned("this store is not pinned on this machine")
  }
  storePin(store, keyring)
}

/** Remembers the newest pin of a keyring that was verified under another one, or that a person confirmed. @returns the pin */
export function storePin(store: Store, keyring: Keyring): string {
  const pin = newestPin(store, keyring)
  store.updateState({ pin, ...keyringChange(keyring) })
  return pin
}

/** The pin that is best trusted from now on, as printed. */
export function newestPin({ id }: Pick<Store, "id">, keyring: Keyring): string {
  return printPin(id, pinnableRecord(keyring))
}

/** The newest record of the default group that all its current ones descend from. */
function pinnableRecord(keyring: Keyring): RecordNode {
  const { graph, current } = keyring.groups.get(ROOT_GROUP)!
  const ancestors = current.map(node => graph.ancestors(node.sha256))
  // Lower numbers come first in a graph, so the last common one is the newest.
  return [...graph.nodes.values()].filter(node => ancestors.every(set => set.has(node.sha256))).at(-1)!
}

function firstUseQuestion(store: Store, keyring: Keyring): string {
  const admins = adminNames({ current: [pinnableRecord(keyring)] })
  const first = [...keyring.groups.get(ROOT_GROUP)!.graph.nodes.values()][0]!
  return [
    `The store "${store.folder}" is used on this machine for the first time.`,
    `  founded by  ${first.record.author}, ${first.record.created}`,
    `  admins now  ${admins.join(", ")}`,
    `  pin         ${newestPin(store, keyring)}`,
    'Compare the pin with what "coffer trust pin" prints for a colleague. An older pin of theirs proves it too:',
    "COFFER_PIN=THEIR_PIN coffer init accepts this store only if it descends from that.",
    "Trust it?",
  ].join("\n")
}

function unpinned(message: string): CofferError {
  return new CofferError("UNPINNED", message, {
    hint: 'on a machine that trusts it run "coffer trust pin" and set COFFER_PIN to what it prints (it is not a secret)',
  })
}
