/** The command `move`. */
import { WRITE_ERRORS } from "../arguments.js"
import { defineCommand } from "../command.js"
import { writtenText } from "../written.js"
import { TRANSFER_OPTIONS, transfer } from "./copy.js"

export const move = defineCommand({
  name: "move",
  aliases: ["mv"],
  summary: "move a secret with its history to another name",
  details: "The old name keeps a tombstone that says where the secret went.",
  positionals: {
    from: { label: "A", help: "the secret to move; with -r, a path" },
    to: { label: "B", help: "its new name" },
  },
  options: TRANSFER_OPTIONS,
  fields: "{name, version, commit, changed}; with -r {changed, commit, secrets: [{name, version}]}",
  errors: ["NAME_INVALID", ...WRITE_ERRORS, "VERSION_CONFLICT", "EXISTS"],
  examples: [{ command: "coffer move API_KEY prod/API_KEY" }],

  run: (session, args) => transfer(session, "move", args),
  text: writtenText,
})
