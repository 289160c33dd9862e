/** The command `versions`. */
import { parseSecretName } from "../../format/names.js"
import { writerOf } from "../../format/secret-file.js"
import { listVersions } from "../../store/history.js"
import { defineCommand } from "../command.js"
import { table } from "../table.js"

export const versions = defineCommand({
  name: "versions",
  summary: "list the versions of a secret, newest first",
  details: "Needs no identity. Versions that this clone no longer has are named, with the reason.",
  positionals: { name: "the secret" },
  reserved: ["diff", "prune", "destroy"],
  fields:
    "{name, group, complete, why, lost, versions: [{version, label, state, created, author, signer, commit, key, current, linked, meta}]}",
  errors: ["NOT_FOUND", "HISTORY_MISSING", "PIN_MISMATCH", "ROLLED_BACK"],
  examples: [{ command: "coffer versions prod/db/PASSWORD" }],

  async run(session, { name }) {
    const store = await session.openStore()
    return listVersions(store, { name: parseSecretName(name) })
  },

  text({ versions, lost, why }) {
    const rows = versions.map(({ label, file, commit, current, linked }) => [
      label,
      file.state,
      file.created,
      writerOf(file),
      commit?.slice(0, 7) ?? "-",
      file.key,
      current ? "current" : linked ? "" : "not linked by signatures",
    ])
    const missing = lost.length === 0 ? "" : `not here: ${lost.join(", ")} (${why ?? "unknown"})\n`
    return table(rows) + missing
  },

  json: ({ name, group, versions, lost, why }) => ({
    name,
    group,
    complete: lost.length === 0,
    why,
    lost,
    versions: versions.map(({ label, file, commit, current, linked }) => ({
      version: file.version,
      label,
      state: file.state,
      created: file.created,
      author: file.author,
      signer: file.signer,
      commit: commit ?? null,
      key: file.key,
      current,
      linked,
      meta: Object.fromEntries(file.meta),
    })),
  }),
})
