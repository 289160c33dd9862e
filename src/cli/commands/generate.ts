/** The command `generate`. */
import { DEFAULT_ALPHABET, generateText, generateWords } from "../../crypto/generate.js"
import { encodeUtf8 } from "../../encoding.js"
import { CofferError, hasCode } from "../../errors.js"
import { parseSecretName, type SecretName } from "../../format/names.js"
import { getSecret, type SecretWritten, setSecret } from "../../store/secrets.js"
import type { Store } from "../../store/store.js"
import { WRITE_ERRORS, WRITE_OPTIONS, writeOptions } from "../arguments.js"
import { defineCommand } from "../command.js"
import { writtenText } from "../written.js"

interface Generated extends SecretWritten {
  readonly printed: string | undefined
}

export const generate = defineCommand({
  name: "generate",
  summary: "store a random value, without showing it",
  details:
    "32 characters of letters and digits carry 190 bits. --words gives pronounceable words of five letters instead, 16 bits each.",
  positionals: { name: "the secret to write" },
  options: {
    length: { type: "integer", placeholder: "n", help: "characters, 8 to 1024 (default 32)" },
    alphabet: { type: "string", placeholder: "chars", help: "the characters to draw from" },
    words: { type: "integer", placeholder: "n", help: "N pronounceable words instead, 3 to 64" },
    print: { type: "boolean", help: "print the value too" },
    force: { type: "boolean", help: "replace a value that is there" },
    ...WRITE_OPTIONS,
  },
  fields: "{name, version, commit, changed}",
  errors: ["NAME_INVALID", "EXISTS", ...WRITE_ERRORS],
  examples: [
    { command: "coffer generate prod/SESSION_KEY" },
    { command: "coffer generate DB_PASSWORD --words 8 --force" },
  ],

  async run(session, { name: text, length, alphabet, words, print, force, ...write }): Promise<Generated> {
    const name = parseSecretName(text)
    if (words !== undefined && (length !== undefined || alphabet !== undefined)) {
      throw new CofferError("USAGE", "--words gives words: --length and --alphabet are for characters", {
        hint: "coffer generate --help",
      })
    }
    if (print && session.globals.json) {
      throw new CofferError(
        "USAGE",
        "--print and --json do not go together: a value is in JSON only with get and export",
        { hint: "coffer generate NAME --json, then coffer get NAME --json" },
      )
    }
    const value = words === undefined ? randomText(length, alphabet) : randomWords(words)
    const store = await session.openStore()
    if (!force) await refuseExisting(store, name)
    const written = await setSecret(store, {
      name,
      value: encodeUtf8(value),
      ...writeOptions(session, write),
    })
    return { ...written, printed: print ? value : undefined }
  },

  // A value appears in JSON only in `get` and `export`.
  json: ({ name, version, commit, changed }: Generated) => ({ name, version, commit, changed }),
  text: ({ printed, ...written }) => (printed === undefined ? writtenText(written) : `${printed}\n`),
})

async function refuseExisting(store: Store, name: SecretName): Promise<void> {
  try {
    await getSecret(store, { name })
  } catch (error) {
    if (hasCode(error, "NOT_FOUND")) return
    throw error
  }
  throw new CofferError("EXISTS", `"${name}" exists already`, {
    hint: `coffer generate ${name} --force replaces it; the old value stays in its history`,
  })
}

function randomText(length = 32, alphabet = DEFAULT_ALPHABET): string {
  if (length < 8 || length > 1024) throw outOfRange("--length", 8, 1024)
  const characters = [...new Set(alphabet)]
  if (characters.length < 2 || characters.length > 256) {
    throw new CofferError("USAGE", "--alphabet takes 2 to 256 different characters", {
      hint: "coffer generate NAME --alphabet 0123456789abcdef --length 64",
    })
  }
  return generateText(length, characters)
}

function randomWords(count: number): string {
  if (count < 3 || count > 64) throw outOfRange("--words", 3, 64)
  return generateWords(count)
}

function outOfRange(option: string, least: number, most: number): CofferError {
  return new CofferError("USAGE", `${option} takes a number from ${least} to ${most}`, {
    hint: "coffer generate --help",
  })
}
