/** The command `grep`. */
import { grepSecrets } from "../../store/search.js"
import { OPEN_ERRORS } from "../arguments.js"
import { defineCommand } from "../command.js"
import { nameLines } from "../written.js"

export const grep = defineCommand({
  name: "grep",
  summary: "list the secrets whose value matches a regular expression; values are not shown",
  positionals: { regex: "a JavaScript regular expression; ^ and $ match at line ends too" },
  fields: "{names}",
  errors: OPEN_ERRORS,
  examples: [{ command: "coffer grep '^postgres://'" }],

  run: async (session, { regex }) => ({
    names: await grepSecrets(await session.openStore(), { pattern: regex }),
  }),
  text: nameLines,
})
