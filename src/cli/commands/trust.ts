/** The commands `trust show`, `pin`, `accept` and `reset`. */
import { CofferError, hasCode } from "../../errors.js"
import { parseSecretName } from "../../format/names.js"
import {
  acceptChanges,
  printStorePin,
  resetGoneStore,
  resetTrust,
  showTrust,
} from "../../store/trust-change.js"
import { type CommandGroup, defineCommand } from "../command.js"

const show = defineCommand({
  name: "trust show",
  summary: "show which store this is, its newest pin, and whether it is pinned on this machine",
  fields: "{storeId, pin, pinned, from}",
  errors: ["PIN_MISMATCH", "ROLLED_BACK"],
  examples: [{ command: "coffer trust show" }],

  run: async session => showTrust(await session.openStore()),
  text: ({ storeId, pin, pinned, from }) =>
    `store   ${storeId}\npin     ${pin}\npinned  ${pinned ? `yes (${from === "environment" ? "COFFER_PIN" : "on this machine"})` : "no"}\n`,
})

const pin = defineCommand({
  name: "trust pin",
  summary: "print the pin of this store, for COFFER_PIN; it is not a secret",
  details:
    "Who sets COFFER_PIN decides whom a build trusts: a protected variable is better than the workflow file.",
  fields: "{pin}",
  errors: ["UNPINNED", "PIN_MISMATCH", "ROLLED_BACK"],
  examples: [{ command: "coffer trust pin" }],

  run: async session => ({ pin: await printStorePin(await session.openStore()) }),
  text: ({ pin }) => `${pin}\n`,
})

const accept = defineCommand({
  name: "trust accept",
  summary:
    "take a change that was refused as it is: a secret that was rolled back or removed, rewritten history",
  positionals: { names: { label: "NAME", help: "the secrets", optional: true, repeats: true } },
  options: { all: { type: "boolean", help: "everything, key records too" } },
  fields: "{storeId, accepted}",
  errors: ["NOT_FOUND", "UNPINNED", "PIN_MISMATCH"],
  examples: [{ command: "coffer trust accept prod/db/PASSWORD" }, { command: "coffer trust accept --all" }],

  async run(session, { names, all }) {
    if (all === names.length > 0) {
      throw new CofferError("USAGE", "coffer trust accept wants NAME, or --all", {
        hint: "coffer status says what is refused",
      })
    }
    return acceptChanges(await session.openStore(), { names: all ? undefined : names.map(parseSecretName) })
  },
  text: ({ accepted }) =>
    accepted.length === 0
      ? "nothing was out of order\n"
      : accepted.map(name => `${name}: accepted\n`).join(""),
})

const reset = defineCommand({
  name: "trust reset",
  summary: "forget what this machine knows of the store; the next use asks anew",
  fields: "{storeId, accepted}",
  errors: ["NOT_FOUND"],
  examples: [{ command: "coffer trust reset" }],

  async run(session) {
    try {
      return resetTrust(await session.openStore())
    } catch (error) {
      const gone = hasCode(error, "NOT_FOUND") && (await resetGoneStore(session.openOptions()))
      if (!gone) throw error
      return gone
    }
  },
  text: () => "this store is not pinned here any more\n",
})

export const trust: CommandGroup = {
  name: "trust",
  summary: "what is pinned on this machine: show, pin, accept, reset",
  commands: [show, pin, accept, reset],
}
