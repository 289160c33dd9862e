/** The command `copy`, and what it shares with `move`. */
import { CofferError } from "../../errors.js"
import { parseReference, parseSecretName } from "../../format/names.js"
import type { SecretsWritten, SecretWritten } from "../../store/secrets.js"
import { type TransferKind, transferPrefix, transferSecret } from "../../store/transfer.js"
import { parsePrefix, WRITE_ERRORS, WRITE_OPTIONS, writeOptions } from "../arguments.js"
import { defineCommand } from "../command.js"
import type { Arguments, Options } from "../option.js"
import type { Session } from "../session.js"
import { writtenText } from "../written.js"

/** Options that copy and move share. */
export const TRANSFER_OPTIONS = {
  recursive: {
    type: "boolean",
    alias: "r",
    help: "everything below the path (. is everything), but for what is below B already",
  },
  cas: {
    type: "integer",
    placeholder: "n",
    help: "only if the target's current version is N (0: only if new)",
  },
  force: { type: "boolean", help: "also where the target holds a value" },
  ...WRITE_OPTIONS,
} as const satisfies Options

export const copy = defineCommand({
  name: "copy",
  aliases: ["cp"],
  summary: "copy a secret, or what it was at a version, to another name",
  details:
    "The copy is signed and sealed at its new place. Who could read the value before stays on its exposure list.",
  positionals: {
    from: { label: "A[@N]", help: "the secret to copy; with -r, a path" },
    to: { label: "B", help: "the name to copy to" },
  },
  options: TRANSFER_OPTIONS,
  fields: "{name, version, commit, changed}; with -r {changed, commit, secrets: [{name, version}]}",
  errors: ["NAME_INVALID", ...WRITE_ERRORS, "VERSION_CONFLICT", "EXISTS"],
  examples: [{ command: "coffer copy prod/API_KEY staging/API_KEY" }],

  run: (session, args) => transfer(session, "copy", args),
  text: writtenText,
})

/** Runs copy or move. */
export async function transfer(
  session: Session,
  kind: TransferKind,
  {
    from,
    to,
    recursive,
    cas,
    force,
    ...write
  }: Arguments<{ from: string; to: string }, typeof TRANSFER_OPTIONS>,
): Promise<SecretWritten | SecretsWritten> {
  const options = { force, ...writeOptions(session, write) }
  if (recursive) {
    if (cas !== undefined)
      throw new CofferError("USAGE", "--cas goes with one secret only", {
        hint: "leave out --cas, or name one secret",
      })
    const request = { from: parsePrefix(from), to: parsePrefix(to), ...options }
    return transferPrefix(await session.openStore(), kind, request)
  }
  const { name, version } = parseReference(from)
  if (kind === "move" && version !== undefined) {
    throw new CofferError("USAGE", "a secret moves with all its versions", {
      hint: "coffer copy takes one version",
    })
  }
  const request = { from: name, version, to: parseSecretName(to), cas, ...options }
  return transferSecret(await session.openStore(), kind, request)
}
