/** The command `undelete`. */
import { parseSecretName } from "../../format/names.js"
import { undeleteSecret } from "../../store/secrets.js"
import { WRITE_ERRORS, WRITE_OPTIONS, writeOptions } from "../arguments.js"
import { defineCommand } from "../command.js"
import { writtenLine } from "../written.js"

export const undelete = defineCommand({
  name: "undelete",
  summary: "bring back the last value of a deleted secret, as a new version",
  positionals: { name: "the deleted secret" },
  options: WRITE_OPTIONS,
  fields: "{name, version, commit, changed}",
  errors: ["NAME_INVALID", ...WRITE_ERRORS, "HISTORY_MISSING"],
  examples: [{ command: "coffer undelete OLD_TOKEN" }],

  run: async (session, { name, ...write }) =>
    undeleteSecret(await session.openStore(), {
      name: parseSecretName(name),
      ...writeOptions(session, write),
    }),

  text: written => writtenLine(written),
})
