/** The commands `identity new`, `show`, `list`, `import` and `export`. */
import { resolve } from "node:path"
import { newIdentityLine } from "../../crypto/age.js"
import { decodeUtf8 } from "../../encoding.js"
import { CofferError } from "../../errors.js"
import { printCard } from "../../format/card.js"
import {
  addIdentities,
  createIdentityFile,
  defaultIdentityFile,
  type Identity,
  loadIdentities,
  parseIdentities,
} from "../../storage/identities.js"
import { collect, readUserFile } from "../../storage/user-file.js"
import { addCommand, memberName } from "../../store/init.js"
import { type CommandGroup, defineCommand } from "../command.js"
import type { Session } from "../session.js"
import { askHidden, askYesNo } from "../terminal.js"

const MAX_BYTES = 1024 * 1024

interface Shown {
  readonly card: string
  readonly file: string | null
}

const create = defineCommand({
  name: "identity new",
  summary: "make an identity: the private key that opens what you may read and signs what you write",
  options: {
    out: {
      type: "string",
      alias: "o",
      placeholder: "file",
      help: "write it there; - prints the private line and stores nothing",
    },
  },
  fields: "{card, file}; with -o - also identity, the private line",
  errors: ["EXISTS", "IO_FAILED"],
  examples: [
    { command: "coffer identity new" },
    { command: "coffer identity new -o - | gh secret set COFFER_IDENTITY", shows: "the card is on stderr" },
  ],

  async run(session, { out }): Promise<Shown & { identity?: string }> {
    if (out !== "-") {
      const path = out === undefined ? defaultIdentityFile(session.env) : resolve(session.cwd, out)
      return shown(await createIdentityFile(path))
    }
    const line = newIdentityLine()
    const [identity] = await parseIdentities(line, { name: "-" })
    return { ...shown(identity!), identity: line }
  },

  text({ card, identity }, { host }) {
    if (identity === undefined) return `${card}\n`
    host.stderr.write(`${card}\n`)
    return `${identity}\n`
  },
})

const show = defineCommand({
  name: "identity show",
  summary: "print your card: the public halves, which an admin needs to add you",
  fields: "{card, file}",
  errors: ["NO_IDENTITY", "IDENTITY_INVALID"],
  examples: [{ command: "coffer identity show" }],

  async run(session) {
    const [identity] = await load(session)
    const git = await openGitIfAny(session)
    const name = await memberName(undefined, git).catch(() => "YOUR_NAME")
    session.note(`send this line to an admin: ${addCommand(name, identity)}`)
    return shown(identity)
  },

  text: ({ card }) => `${card}\n`,
})

const list = defineCommand({
  name: "identity list",
  summary: "list the cards of the identities that are used here, and where they come from",
  fields: "{identities: [{card, file}]}",
  errors: ["NO_IDENTITY", "IDENTITY_INVALID"],
  examples: [{ command: "coffer identity list" }],

  run: async session => ({ identities: (await load(session)).map(shown) }),
  text: ({ identities }) =>
    identities.map(({ card, file }) => `${card}  ${file ?? "COFFER_IDENTITY"}\n`).join(""),
})

const importCommand = defineCommand({
  name: "identity import",
  summary: "add identities, given on stdin or in a file, to your identity file",
  details: "Identities that are there stay: older versions may open with them alone.",
  positionals: { file: { help: "a file of private lines, as age-keygen makes it", optional: true } },
  fields: "{card, file, changed}",
  errors: ["IDENTITY_INVALID", "NOT_FOUND", "IO_FAILED"],
  examples: [
    { command: "coffer identity import key.txt" },
    { command: "age -d key.txt.age | coffer identity import" },
  ],

  async run(session, { file }) {
    const text = decodeUtf8(await readLines(session, file))
    if (text === undefined)
      throw new CofferError("IDENTITY_INVALID", "the input is not text", {
        hint: "private lines begin with AGE-SECRET-KEY-1; age -d opens a file that age has sealed",
      })
    const path = defaultIdentityFile(session.env)
    const identities = await parseIdentities(text, {
      name: file === undefined ? "stdin" : "the file",
      file: path,
    })
    const added = await addIdentities(path, identities)
    return { ...shown(identities[0]!), changed: added.length > 0 }
  },

  text: ({ card, changed }) => `${card}${changed ? "" : ", unchanged"}\n`,
})

const exportCommand = defineCommand({
  name: "identity export",
  summary: "print your private lines, to keep a copy in a safe place",
  details: "Who has them reads and writes as you. On a terminal it asks first.",
  fields: "{identities: [line]}",
  errors: ["NO_IDENTITY", "IDENTITY_INVALID"],
  examples: [{ command: "coffer identity export | age -p > identity.age" }],

  async run(session) {
    const identities = await load(session)
    const { stdout } = session.host
    if (stdout.isTty && !(await askYesNo(session, "show your private keys on this terminal?"))) {
      throw new CofferError("INTERRUPTED", "nothing was shown", {
        hint: "coffer identity export > FILE does not ask",
      })
    }
    return { identities: identities.map(identity => identity.line()) }
  },

  text: ({ identities }) => identities.map(line => `${line}\n`).join(""),
})

export const identity: CommandGroup = {
  name: "identity",
  summary: "your private key: make, show, list, import, export",
  commands: [create, show, list, importCommand, exportCommand],
}

function shown(identity: Identity): Shown {
  return { card: printCard(identity.card), file: identity.file ?? null }
}

async function load(session: Session): Promise<[Identity, ...Identity[]]> {
  const { identities, looked, warnings } = await loadIdentities({
    env: session.env,
    files: session.openOptions().identityFiles ?? [],
  })
  for (const warning of warnings) session.warn(warning)
  const [first, ...others] = identities
  if (first !== undefined) return [first, ...others]
  throw new CofferError("NO_IDENTITY", `there is no identity here (looked at: ${looked.join(", ")})`, {
    hint: "coffer identity new, or coffer init in a repository with a store",
  })
}

async function readLines(session: Session, file: string | undefined): Promise<Uint8Array> {
  if (file !== undefined) return readUserFile(resolve(session.cwd, file), MAX_BYTES)
  const { stdin } = session.host
  return stdin.isTty ? askHidden(session, "private line (hidden): ") : collect(stdin.chunks(), MAX_BYTES)
}

/** Only git knows a name for you, and `identity show` works without it. */
async function openGitIfAny(session: Session) {
  const { openGit } = await import("../../storage/git/open.js")
  const { gitPreference } = await import("../../storage/git-preference.js")
  const options = session.openOptions()
  return openGit(options.directory, options.env, gitPreference(options)).catch(() => undefined)
}
