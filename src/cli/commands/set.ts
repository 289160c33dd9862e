/** The command `set`. */
import { CofferError, hasCode } from "../../errors.js"
import { isSecretName, parseSecretName } from "../../format/names.js"
import { type SecretsWritten, type SecretWritten, setSecret, setSecrets } from "../../store/secrets.js"
import { parseMeta, WRITE_ERRORS, WRITE_OPTIONS, writeOptions } from "../arguments.js"
import { readBatch } from "../batch-input.js"
import { defineCommand } from "../command.js"
import { readValue, readValueIfAny } from "../value-input.js"
import { writtenText } from "../written.js"

/** What to say to `set NAME VALUE` and `set NAME=VALUE`. */
function leaked(name: string): { message: string; hint: string } {
  return {
    message: "values are never taken from the command line",
    hint: `coffer set ${name} (asks), or pipe it in. What you typed is in your shell history now: treat it as leaked`,
  }
}

export const set = defineCommand({
  name: "set",
  summary: "store a value as the next version of a secret",
  details:
    "The value comes from stdin, a file or a hidden prompt. A single line from stdin loses its one final line ending, so that echo works; several lines are kept byte for byte.\nWith --meta and nothing on stdin, or on a terminal, the value stays as it is.",
  positionals: { name: { help: "the secret to write", optional: true } },
  options: {
    file: { type: "string", placeholder: "path", help: "take the value from a file, byte for byte" },
    exact: { type: "boolean", help: "keep the final line ending of a single line" },
    cas: { type: "integer", placeholder: "n", help: "only if the current version is N (0: only if new)" },
    meta: {
      type: "string",
      repeats: true,
      placeholder: "k=v",
      help: "a public remark: description, owner, env, rotateAfter, expires, tags; may repeat, K= removes one",
    },
    batch: {
      type: "boolean",
      help: 'many secrets from stdin in one commit: a line of JSON each, {"name", "value" or "valueBase64", "meta", "cas"}',
    },
    ...WRITE_OPTIONS,
  },
  fields: "{name, version, commit, changed}; with --batch {changed, commit, secrets: [{name, version}]}",
  errors: ["NAME_INVALID", "VALUE_INVALID", "LIMIT_EXCEEDED", ...WRITE_ERRORS, "VERSION_CONFLICT"],
  examples: [
    { command: "coffer set API_TOKEN", shows: "asks for the value, hidden" },
    { command: "openssl rand -hex 32 | coffer set prod/SESSION_KEY" },
    { command: "coffer set TLS_KEY --file tls.key --meta owner=platform" },
  ],

  // No positional for the value: arguments show up in `ps` and in shell history.
  surplus: ([name = ""]) => leaked(isSecretName(name) ? name : "NAME"),

  async run(
    session,
    { name: text, file, exact, cas, meta: entries, batch, ...write },
  ): Promise<SecretWritten | SecretsWritten> {
    const options = writeOptions(session, write)
    if (batch) {
      refuseWithBatch({
        NAME: text,
        "--file": file,
        "--cas": cas,
        "--meta": entries[0],
        "--exact": exact || undefined,
      })
      const secrets = await readBatch(session)
      return setSecrets(await session.openStore(), { secrets, ...options })
    }
    if (text === undefined)
      throw new CofferError("USAGE", "coffer set wants NAME", { hint: "coffer set --help" })
    const { message, hint } = leaked("NAME")
    if (text.includes("=")) throw new CofferError("NAME_INVALID", message, { hint })
    const name = parseSecretName(text)
    const meta = parseMeta(entries)
    const source = { name, file, exact }
    const store = await session.openStore()
    const value =
      meta === undefined ? await readValue(session, source) : await readValueIfAny(session, source)
    try {
      return await setSecret(store, { name, value, meta, cas, ...options })
    } catch (error) {
      // Only remarks were given, for a secret that is not there yet: so a value is wanted after all.
      if (value !== undefined || !session.interactive || !hasCode(error, "NOT_FOUND")) throw error
      return setSecret(store, { name, value: await readValue(session, source), meta, cas, ...options })
    }
  },

  text: writtenText,
})

function refuseWithBatch(given: Readonly<Record<string, unknown>>): void {
  for (const [word, value] of Object.entries(given)) {
    if (value !== undefined)
      throw new CofferError("USAGE", `--batch takes everything from stdin, not ${word}`, {
        hint: 'leave it out: a line of stdin has it, {"name":"API_TOKEN","value":"…","meta":{},"cas":0}',
      })
  }
}
