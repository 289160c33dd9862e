/** The command `find`. */
import { findSecrets } from "../../store/search.js"
import { defineCommand } from "../command.js"
import { nameLines } from "../written.js"

export const find = defineCommand({
  name: "find",
  summary: "list the names that contain a text, in upper or lower case",
  positionals: { text: "a part of the name" },
  fields: "{names}",
  errors: ["PIN_MISMATCH", "ROLLED_BACK"],
  examples: [{ command: "coffer find stripe" }],

  run: async (session, { text }) => ({ names: await findSecrets(await session.openStore(), { text }) }),
  text: nameLines,
})
