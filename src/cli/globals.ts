/** The options that every command takes, before or after its name. */
import type { Arguments, Option } from "./option.js"

export const GLOBALS = {
  C: { type: "string", repeats: true, placeholder: "dir", help: "start from this folder, as in git" },
  store: { type: "string", placeholder: "dir", help: "the store's folder (COFFER_STORE)" },
  identity: {
    type: "string",
    alias: "i",
    repeats: true,
    placeholder: "file",
    help: "use this identity file in place of the usual ones (COFFER_IDENTITY_FILE); may repeat",
  },
  json: { type: "boolean", help: "print one JSON document" },
  input: { type: "boolean", default: true, help: "never ask (COFFER_NO_INPUT)" },
  quiet: { type: "boolean", alias: "q", help: "no progress and no notes" },
  git: {
    type: "string",
    choices: ["auto", "system", "embedded"],
    placeholder: "kind",
    help: "which git does the work: auto, system or embedded (COFFER_GIT)",
  },
  debug: { type: "boolean", help: "show where an error came from" },
  help: { type: "boolean", alias: "h", help: "show help for a command" },
  version: { type: "boolean", help: "print the version of coffer" },
} as const satisfies Record<string, Option>

export type Globals = Arguments<Record<never, never>, typeof GLOBALS>
