/** The command `resolve`. */
import { CofferError, EXIT_CODES } from "../../errors.js"
import { parseSecretName } from "../../format/names.js"
import { type SecretFile, writerOf } from "../../format/secret-file.js"
import { type Conflict, resolveMerge, resolveSecret } from "../../store/resolve.js"
import { defineCommand } from "../command.js"

export const resolve = defineCommand({
  name: "resolve",
  summary: "settle a merge of secrets: by rule what has one right answer, by choice what has two",
  details:
    "Without NAME everything that has a rule is settled, and what both sides changed is named. No value is printed. The result is staged: git commit ends the merge.",
  positionals: { name: { help: "the secret to settle by choice", optional: true } },
  options: {
    ours: { type: "boolean", help: "take the value of this branch" },
    theirs: { type: "boolean", help: "take the value of the branch that is merged in" },
  },
  fields: "{resolved, conflicts: [{name, why, ours, theirs}]}",
  errors: ["NOT_FOUND", "NO_IDENTITY", "NOT_A_MEMBER", "ROLE_MISSING", "UNPINNED", "CONFLICTED"],
  examples: [{ command: "coffer resolve" }, { command: "coffer resolve prod/db/PASSWORD --theirs" }],

  async run(session, { name, ours, theirs }) {
    if ((name !== undefined) !== (ours !== theirs) || (ours && theirs)) {
      throw new CofferError("USAGE", "a choice wants NAME and one of --ours and --theirs", {
        hint: "coffer resolve --help",
      })
    }
    const store = await session.openStore()
    const at = session.now()
    if (name === undefined) return resolveMerge(store, { at })
    return resolveSecret(store, { name: parseSecretName(name), take: ours ? "ours" : "theirs", at })
  },

  text: ({ resolved, conflicts }) =>
    resolved.length + conflicts.length === 0
      ? "nothing to settle\n"
      : resolved.map(name => `${name}: settled, staged\n`).join(""),
  complaints: ({ conflicts }) => conflicts.map(complaint),
  json: ({ resolved, conflicts }) => ({
    resolved,
    conflicts: conflicts.map(({ name, why, ours, theirs }) => ({
      name,
      why,
      ours: sideJson(ours),
      theirs: sideJson(theirs),
    })),
  }),
  status: ({ conflicts }) => (conflicts.length > 0 ? EXIT_CODES.CONFLICTED : 0),
})

function complaint({ name, why, ours, theirs }: Conflict): CofferError {
  const sides =
    ours !== undefined && theirs !== undefined
      ? ` was changed on both sides of this merge: ${sideText(ours)} (ours), ${sideText(theirs)} (theirs)`
      : `: ${why}`
  return new CofferError("CONFLICTED", `"${name}"${sides}`, {
    hint: `coffer resolve ${name} --theirs (or --ours), then git commit; the other value stays in history`,
  })
}

function sideText(file: SecretFile): string {
  const { version, state, created } = file
  return `version ${version}${state === "deleted" ? " (deleted)" : ""} by ${writerOf(file)}, ${created}`
}

function sideJson(file: SecretFile | undefined) {
  if (file === undefined) return null
  const { version, state, author, signer, created } = file
  return { version, state, author, signer, created }
}
