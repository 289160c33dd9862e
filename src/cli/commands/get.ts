/** The command `get`. */
import { concat, decodeUtf8, encodeBase64, encodeUtf8 } from "../../encoding.js"
import { CofferError } from "../../errors.js"
import { parseReference } from "../../format/names.js"
import type { GetRequest } from "../../store/secret-requests.js"
import { getSecret } from "../../store/secrets.js"
import { OPEN_ERRORS, parseAt } from "../arguments.js"
import { defineCommand } from "../command.js"
import { headerJson } from "../header-json.js"

export const get = defineCommand({
  name: "get",
  summary: "print the exact bytes of a secret",
  details: "On a terminal a newline follows, so that the prompt starts on a line of its own.",
  positionals: { name: { label: "NAME[@N]", help: "the secret, and which version of it" } },
  options: {
    at: {
      type: "string",
      placeholder: "time",
      help: "the version that was current then: 2026-01-31T12:00:00Z",
    },
    out: {
      type: "string",
      alias: "o",
      placeholder: "file",
      help: "write to a file that only you can read; inside the repository only where git ignores it; - is stdout",
    },
  },
  fields:
    "{name, version, value or valueBase64, type, created, author, signer, meta, group, state}; with --out file in place of the value",
  errors: [...OPEN_ERRORS, "HISTORY_MISSING"],
  examples: [
    { command: "coffer get API_TOKEN" },
    { command: "coffer get prod/db/PASSWORD@3", shows: "an old version; coffer versions lists them" },
    { command: "coffer get TLS_KEY -o tls.key" },
  ],

  async run(session, { name, at, out }) {
    const request = parseRequest(name, at)
    const store = await session.openStore()
    const secret = await getSecret(store, request)
    if (out === undefined || out === "-") return { ...secret, written: undefined }
    const { writeValueFile } = await import("../value-output.js")
    return { ...secret, written: await writeValueFile(session, store, out, secret.value) }
  },

  text({ value, written }, { host }) {
    if (written !== undefined) return ""
    const endsLine = value.at(-1) === 0x0a
    return host.stdout.isTty && !endsLine ? concat([value, encodeUtf8("\n")]) : value
  },

  json: ({ file, value, written }) => ({
    ...headerJson(file),
    ...(written === undefined ? valueJson(value) : { file: written }),
  }),
})

function parseRequest(text: string, at: string | undefined): GetRequest {
  const reference = parseReference(text)
  if (at === undefined) return reference as GetRequest
  if (reference.version !== undefined)
    throw new CofferError("USAGE", "a version and --at at once", { hint: "leave one of them out" })
  return { name: reference.name, at: parseAt(at) }
}

function valueJson(value: Uint8Array): { value: string } | { valueBase64: string } {
  const text = decodeUtf8(value)
  return text === undefined ? { valueBase64: encodeBase64(value) } : { value: text }
}
