import { decodeUtf8, encodeBase64 } from "../../encoding.js"
import { parseSecretName } from "../../format/names.js"
import { getSecret } from "../../store/secrets.js"
import { OPEN_ERRORS } from "../arguments.js"
import { defineCommand } from "../command.js"
import { headerJson } from "../header-json.js"

export const get = defineCommand({
  name: "get",
  summary: "print the exact bytes of a secret",
  details: "On a terminal a newline follows, so that the prompt starts on a line of its own.",
  positionals: { name: "the secret" },
  options: {
    out: {
      type: "string",
      alias: "o",
      placeholder: "file",
      help: "write to a file that only you can read; inside the repository only where git ignores it",
    },
  },
  errors: [...OPEN_ERRORS],
  examples: [{ command: "coffer get API_TOKEN" }, { command: "coffer get TLS_KEY -o tls.key" }],

  async run(session, { name, out }) {
    const store = await session.openStore()
    const secret = await getSecret(store, { name: parseSecretName(name) })
    if (out === undefined) return { ...secret, written: undefined }
    const { writeValueFile } = await import("../value-output.js")
    return { ...secret, written: await writeValueFile(session, store, out, secret.value) }
  },

  text({ value, written }, { host }) {
    if (written !== undefined) return ""
    const endsLine = value.at(-1) === 0x0a
    return host.stdout.isTty && !endsLine ? Buffer.concat([value, Buffer.from("\n")]) : value
  },

  json: ({ file, value, written }) => ({
    ...headerJson(file),
    ...(written === undefined ? valueJson(value) : { file: written }),
  }),
})

function valueJson(value: Uint8Array): { value: string } | { valueBase64: string } {
  const text = decodeUtf8(value)
  return text === undefined ? { valueBase64: encodeBase64(value) } : { value: text }
}
