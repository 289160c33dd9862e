/** The command `delete`. */
import { CofferError } from "../../errors.js"
import { parseSecretName } from "../../format/names.js"
import {
  deleteBelow,
  deleteSecret,
  deleteSecrets,
  type SecretsWritten,
  type SecretWritten,
} from "../../store/secrets.js"
import { parsePrefix, WRITE_ERRORS, WRITE_OPTIONS, writeOptions } from "../arguments.js"
import { defineCommand } from "../command.js"
import { writtenText } from "../written.js"

export const deleteCommand = defineCommand({
  name: "delete",
  aliases: ["rm"],
  summary: "delete secrets; their history stays, and undelete brings the value back",
  positionals: { names: { label: "NAME", help: "the secrets; with -r, paths", repeats: true } },
  options: {
    recursive: { type: "boolean", alias: "r", help: "everything below each path too" },
    cas: { type: "integer", placeholder: "n", help: "only if the current version is N" },
    purge: {
      type: "boolean",
      help: "take away what a committed deletion has left: the numbering ends there",
    },
    ...WRITE_OPTIONS,
  },
  fields: "{name, version, commit, changed}; for several {changed, commit, secrets: [{name, version}]}",
  errors: ["NAME_INVALID", ...WRITE_ERRORS, "VERSION_CONFLICT"],
  examples: [{ command: "coffer delete OLD_TOKEN" }, { command: "coffer delete -r staging" }],

  async run(session, { names, recursive, cas, purge, ...write }): Promise<SecretWritten | SecretsWritten> {
    if (cas !== undefined && (names.length > 1 || recursive)) {
      throw new CofferError("USAGE", "--cas goes with one secret only", {
        hint: "leave out --cas, or name one secret",
      })
    }
    const store = await session.openStore()
    const options = { purge, ...writeOptions(session, write) }
    if (recursive) return deleteBelow(store, { paths: names.map(parsePrefix), ...options })
    const [only = "", ...others] = names
    if (others.length === 0) return deleteSecret(store, { name: parseSecretName(only), cas, ...options })
    const deletions = names.map(name => ({ name: parseSecretName(name) }))
    return deleteSecrets(store, { deletions, ...options })
  },

  text: writtenText,
})
