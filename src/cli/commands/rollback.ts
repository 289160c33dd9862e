/** The command `rollback`. */
import { CofferError } from "../../errors.js"
import { parseReference } from "../../format/names.js"
import { rollbackSecret } from "../../store/secrets.js"
import { parseAt, WRITE_ERRORS, WRITE_OPTIONS, writeOptions } from "../arguments.js"
import { defineCommand } from "../command.js"
import { writtenLine } from "../written.js"

export const rollback = defineCommand({
  name: "rollback",
  summary: "write an old value as a new version, without showing it",
  positionals: { name: { label: "NAME[@N]", help: "the secret and the version whose value it gets again" } },
  options: {
    at: {
      type: "string",
      placeholder: "time",
      help: "the version that was current then: 2026-01-31T12:00:00Z",
    },
    ...WRITE_OPTIONS,
  },
  fields: "{name, version, commit, changed}",
  errors: ["NAME_INVALID", ...WRITE_ERRORS, "HISTORY_MISSING"],
  examples: [
    { command: "coffer rollback STRIPE_KEY@1" },
    { command: "coffer rollback STRIPE_KEY --at 2026-01-31T12:00:00Z" },
  ],

  async run(session, { name: text, at, ...write }) {
    const { name, version, hint } = parseReference(text)
    if ((version === undefined) === (at === undefined)) {
      throw new CofferError("USAGE", "coffer rollback wants NAME@N, or NAME and --at", {
        hint: `coffer versions ${name}`,
      })
    }
    const choice = at === undefined ? { version: version!, hint } : { at: parseAt(at) }
    const written = await rollbackSecret(await session.openStore(), {
      name,
      choice,
      ...writeOptions(session, write),
    })
    return { written, remark: version === undefined ? "" : ` (value of ${version})` }
  },

  text: ({ written, remark }) => writtenLine(written, remark),
  json: ({ written }) => written,
})
