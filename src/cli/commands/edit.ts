/** The command `edit`: one secret, or a map of all below a path. */
import { decodeUtf8, encodeUtf8 } from "../../encoding.js"
import { CofferError, hasCode } from "../../errors.js"
import { LIMITS } from "../../format/limits.js"
import { parseSecretName, type SecretName } from "../../format/names.js"
import { type EditPlan, planEdit, startEdit, startEditOne } from "../../store/edit.js"
import { type SecretsWritten, type SecretWritten, setSecret, setSecrets } from "../../store/secrets.js"
import type { WriteOptions } from "../../store/transaction.js"
import { parsePrefix, WRITE_ERRORS, WRITE_OPTIONS, writeOptions } from "../arguments.js"
import { defineCommand } from "../command.js"
import { editUntilAccepted } from "../editor.js"
import { restoreLineEnding, withLineEnding } from "../line-ending.js"
import type { Session } from "../session.js"
import { askYesNo } from "../terminal.js"
import { writtenText } from "../written.js"

export const edit = defineCommand({
  name: "edit",
  summary: "change a secret, or all below a path, in your editor",
  details:
    "VISUAL, EDITOR, the editor of the user's configuration or vi opens a private file, in memory where that can be had; it is gone when the editor ends.\nWith -p the file is a YAML map of all text secrets below the path. Only what you change is written, in one commit; a new line is a new secret, a removed line is a deletion that has to be confirmed.",
  positionals: { name: { help: "the secret; a new one is created", optional: true } },
  options: {
    prefix: {
      type: "string",
      alias: "p",
      placeholder: "prefix",
      help: "everything below this path (. for all)",
    },
    delete: { type: "boolean", help: "with -p: delete what was removed from the map, without asking" },
    ...WRITE_OPTIONS,
  },
  fields: "{name, version, commit, changed}; with -p {changed, commit, secrets: [{name, version}]}",
  errors: ["NAME_INVALID", "VALUE_INVALID", ...WRITE_ERRORS, "VERSION_CONFLICT"],
  examples: [
    { command: "coffer edit API_TOKEN" },
    { command: "coffer edit -p prod", shows: "every text secret below prod/ on one page" },
    { command: "EDITOR='code --wait' coffer edit -p ." },
  ],

  async run(session, { name, prefix, delete: remove, ...write }): Promise<SecretWritten | SecretsWritten> {
    const options = writeOptions(session, write)
    if ((name === undefined) === (prefix === undefined)) {
      throw new CofferError("USAGE", "coffer edit wants NAME, or -p PREFIX", {
        hint: "coffer edit -p . edits everything",
      })
    }
    if (prefix !== undefined) return editBelow(session, parsePrefix(prefix), { ...options, remove })
    const one = parseSecretName(name ?? "")
    if (remove) {
      throw new CofferError("USAGE", "--delete goes with -p: it deletes what was removed from the map", {
        hint: `coffer delete ${one}`,
      })
    }
    return editOne(session, one, options)
  },

  text: writtenText,
})

async function editOne(session: Session, name: SecretName, options: WriteOptions): Promise<SecretWritten> {
  const store = await session.openStore()
  const { secret: before, version } = await startEditOne(store, { name, ...options })
  if (before !== undefined && (before.file.type === "binary" || decodeUtf8(before.value) === undefined)) {
    throw new CofferError("VALUE_INVALID", `"${name}" is not text`, {
      hint: `coffer get ${name} -o FILE, change the file, then coffer set ${name} --file FILE`,
    })
  }
  const content = withLineEnding(before?.value ?? new Uint8Array(0))
  const file = { fileName: "value", content, maxBytes: LIMITS.valueBytes + 2 }
  return editUntilAccepted(session, file, edited => {
    if (decodeUtf8(edited) === undefined) throw notUtf8()
    const value = restoreLineEnding(before?.value, edited)
    if (before === undefined && value.length === 0) {
      throw new CofferError("USAGE", "the file is empty; nothing was stored", {
        hint: `write the value and save it; coffer set ${name} --file /dev/null stores an empty one`,
      })
    }
    return setSecret(store, { name, value, cas: version, ...options }).catch(changedMeanwhile)
  })
}

async function editBelow(
  session: Session,
  prefix: string,
  { remove, ...options }: WriteOptions & { remove: boolean },
): Promise<SecretsWritten> {
  const store = await session.openStore()
  const shown = await startEdit(store, { prefix: prefix || ".", ...options })
  const file = { fileName: "secrets.yaml", content: encodeUtf8(shown.text), maxBytes: MAX_MAP_BYTES }
  return editUntilAccepted(session, file, async edited => {
    const text = decodeUtf8(edited)
    if (text === undefined) throw notUtf8()
    const plan = await planEdit(shown, text)
    if (!remove) await confirmDeletions(session, plan)
    return setSecrets(store, { ...plan, ...options }).catch(changedMeanwhile)
  })
}

function notUtf8(): CofferError {
  return new CofferError("VALUE_INVALID", "the file is not UTF-8 any more", {
    hint: "nothing was written; edit it again, and save it as UTF-8",
  })
}

/** `edit` has no `--cas`, which is what the operations advise. */
function changedMeanwhile(error: unknown): never {
  if (!hasCode(error, "VERSION_CONFLICT")) throw error
  throw new CofferError("VERSION_CONFLICT", error.message, {
    hint: "it was changed while you edited: edit it again, from what it is now",
    cause: error,
  })
}

/** Far above what anybody edits; keeps a runaway editor from filling memory. */
const MAX_MAP_BYTES = 64 * LIMITS.valueBytes

async function confirmDeletions(session: Session, { deletions }: EditPlan): Promise<void> {
  if (deletions.length === 0) return
  const names = deletions.map(({ name }) => `"${name}"`).join(", ")
  if (session.interactive && (await askYesNo(session, `delete ${names}?`))) return
  throw new CofferError("USAGE", `${names}: removed from the map, and not confirmed; nothing was changed`, {
    hint: "put the lines back, or run it with --delete",
  })
}
