/** The command `list`. */
import { CofferError } from "../../errors.js"
import { type SecretFile, writerOf } from "../../format/secret-file.js"
import { nothingBelow } from "../../store/draft-secrets.js"
import { listSecrets } from "../../store/secrets.js"
import { parsePrefix } from "../arguments.js"
import { defineCommand } from "../command.js"
import { headerJson } from "../header-json.js"
import { table } from "../table.js"

export const list = defineCommand({
  name: "list",
  aliases: ["ls"],
  summary: "list the names of secrets",
  details: "Needs no identity: names, versions, times and authors are public.",
  positionals: { prefix: { help: "only what is below this path", optional: true } },
  options: {
    tree: { type: "boolean", help: "as a tree" },
    long: { type: "boolean", help: "with version, type, time, author and group" },
    deleted: { type: "boolean", help: "deleted ones too" },
  },
  fields: "{secrets: [{name, group, version, state, type, created, author, signer, meta}]}",
  errors: ["NOT_FOUND", "PIN_MISMATCH", "ROLLED_BACK"],
  examples: [{ command: "coffer list" }, { command: "coffer list prod --long" }],

  async run(session, { prefix = ".", tree, long, deleted }) {
    if (tree && long) {
      throw new CofferError("USAGE", "--tree and --long are two forms of the list", {
        hint: "coffer list --long",
      })
    }
    const below = parsePrefix(prefix)
    const files = await listSecrets(await session.openStore(), { prefix: below, deleted })
    if (files.length === 0 && below !== "") throw nothingBelow(below)
    return { files, tree, long }
  },

  text({ files, tree, long }) {
    if (long) return table(files.map(longRow))
    if (tree)
      return treeLines(
        files.map(({ name, state }) => ({ name, remark: state === "deleted" ? " (deleted)" : "" })),
      )
    return files.map(({ name }) => `${name}\n`).join("")
  },

  json: ({ files }) => ({ secrets: files.map(headerJson) }),
})

function longRow(file: SecretFile): string[] {
  const { name, version, state, type, created, group } = file
  return [name, String(version), state === "deleted" ? state : type, created, writerOf(file), group]
}

function treeLines(entries: readonly { name: string; remark: string }[]): string {
  const lines: string[] = []
  let above: readonly string[] = []
  for (const { name, remark } of entries) {
    const segments = name.split("/")
    const shared = segments.findIndex((segment, depth) => segment !== above[depth])
    for (let depth = Math.max(0, shared); depth < segments.length; depth++) {
      const leaf = depth === segments.length - 1
      lines.push(`${"  ".repeat(depth)}${segments[depth]}${leaf ? remark : "/"}\n`)
    }
    above = segments.slice(0, -1)
  }
  return lines.join("")
}
