/** The command `keys`. */
import { parseGroupName } from "../../format/names.js"
import { listKeys } from "../../store/keys.js"
import { defineCommand } from "../command.js"
import { table } from "../table.js"

export const keys = defineCommand({
  name: "keys",
  summary: "list the data keys of each group, newest first, and what is sealed under them",
  positionals: { groups: { label: "GROUP", help: "only these groups", optional: true, repeats: true } },
  reserved: ["destroy"],
  fields:
    "{groups: [{group, keys: [{id, number, state, created, age, author, reason, secrets, versions, operations}]}]}",
  errors: ["NOT_FOUND", "PIN_MISMATCH", "ROLLED_BACK"],
  examples: [{ command: "coffer keys" }, { command: "coffer keys prod" }],

  run: async (session, { groups }) => ({
    groups: await listKeys(await session.openStore(), {
      at: session.now(),
      groups: groups.map(parseGroupName),
    }),
  }),

  text({ groups }) {
    const head = ["group", "data key", "state", "age", "author", "reason", "secrets", "old versions"]
    const rows = groups.flatMap(({ group, keys }) =>
      keys.map(({ id, state, age, author, reason, secrets, versions }) => [
        ...[group, id, state, `${age} d`, author, reason, String(secrets)],
        versions === null ? "unknown" : String(versions),
      ]),
    )
    return table([head, ...rows])
  },
})
