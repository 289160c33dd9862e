/** Identity files as age has them: one private line each, comments, blank lines; and what else people put there. */

import { type AgeIdentity, ageIdentity } from "../crypto/age.js"
import { deriveLocalSecret } from "../crypto/local.js"
import { deriveSigningSeed, type SigningKey, signingKeyFromSeed } from "../crypto/signing.js"
import { CofferError } from "../errors.js"
import { type Card, checkCard } from "../format/card.js"
import { FUNCTION, objectOf, optional, PATH, TEXT } from "../format/given.js"

/** A private key on this machine: reads what is wrapped to its recipient, signs as its card says. */
export interface Identity {
  readonly recipient: string
  /** For messages: `COFFER_IDENTITY`, or a path. */
  readonly source: string
  /** Where the private line is; undefined where it came through COFFER_IDENTITY. */
  readonly file: string | undefined
  /** Derived when first asked for: most commands only read. */
  readonly signingKey: SigningKey
  readonly card: Card
  /** Its share of the key for what this machine keeps for itself. */
  readonly localSecret: Uint8Array
  /** The private line itself: for export alone. */
  line(): string
  /** Null where the message is for somebody else. @throws CofferError `WRAP_SHAPE`, `WRAP_BROKEN` */
  unwrap(message: Uint8Array): Promise<Uint8Array | null>
}

/** Where identity lines come from. */
export interface LineSource {
  readonly name: string
  readonly file?: string
}

const BOM = "\ufeff"

/** What of an {@link Identity} can be looked at without deriving a key. */
export const IDENTITY = objectOf<Pick<Identity, "recipient" | "line" | "unwrap">>({
  // It stands in a line of an identity file, above the private one.
  recipient: recipient => void checkCard({ recipient: recipient as string }),
  line: FUNCTION,
  unwrap: FUNCTION,
})

const SOURCE = objectOf<LineSource>({ name: TEXT, file: optional(PATH) })

/**
 * Reads all identities of a text.
 *
 * @throws CofferError `IDENTITY_INVALID`, naming source and line; nothing of the text is ever quoted:
 * what is not an identity may be another secret.
 */
export async function parseIdentities(text: string, source: LineSource): Promise<Identity[]> {
  TEXT(text, "text")
  SOURCE(source, "source")
  const identities: Identity[] = []
  // An editor's byte order mark is no reason to have no secrets.
  const lines = (text.startsWith(BOM) ? text.slice(1) : text).split(/\r?\n/)
  for (const [index, raw] of lines.entries()) {
    const line = raw.trim()
    if (line === "" || line.startsWith("#")) continue
    const age = await readLine(line, `${source.name}, line ${index + 1}`)
    identities.push(makeIdentity(line, age, source))
  }
  if (identities.length === 0) {
    throw new CofferError("IDENTITY_INVALID", `${source.name}: there is no identity in it`, {
      hint: SUPPORTED,
    })
  }
  return identities
}

const SUPPORTED =
  "an identity is a line AGE-SECRET-KEY-1… or AGE-SECRET-KEY-PQ-1…; coffer identity new makes one"

async function readLine(line: string, place: string): Promise<AgeIdentity> {
  try {
    return await ageIdentity(line)
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
    const { what, hint = SUPPORTED } = OTHER_LINES.find(({ pattern }) => pattern.test(line)) ?? {
      what: error.message,
      hint: error.hint,
    }
    throw new CofferError(error.code, `${place}: ${what}`, { hint })
  }
}

/** What people put where an identity belongs, most telling first. */
const OTHER_LINES: readonly { pattern: RegExp; what: string; hint?: string }[] = [
  {
    pattern: /^(age1|coffer-sign1)/i,
    what: "that is a recipient (the public half), not an identity",
    hint: "take the line AGE-SECRET-KEY-1… that coffer identity export or recipients add --new printed",
  },
  {
    pattern: /^coffer1-/,
    what: "that is a pin, not an identity",
    hint: "a pin belongs in COFFER_PIN",
  },
  { pattern: /^AGE-PLUGIN-/i, what: "plugin identities are not supported, only native ones" },
  {
    pattern: /^-----BEGIN AGE ENCRYPTED|^age-encryption\.org\//,
    what: "identity files with a passphrase are not supported",
    hint: "decrypt it into a private file or pipe: age -d FILE > …",
  },
  {
    pattern: /^-----BEGIN |^ssh-/,
    what: "ssh and PEM keys are not supported, only native age identities",
  },
  {
    pattern: /^([~./]|[A-Za-z]:\\)|\.(txt|key|age|pem)$/i,
    what: "that looks like a path, not an identity",
    hint: "name files with COFFER_IDENTITY_FILE or --identity",
  },
]

function makeIdentity(line: string, age: AgeIdentity, source: LineSource): Identity {
  let signingKey: SigningKey | undefined
  return {
    recipient: age.recipient,
    source: source.name,
    file: source.file,
    get signingKey() {
      signingKey ??= signingKeyFromSeed(deriveSigningSeed(age.secret, age.hrp))
      return signingKey
    },
    get card() {
      return { recipient: age.recipient, signingKey: this.signingKey.publicKey }
    },
    get localSecret() {
      return deriveLocalSecret(age.secret, age.hrp)
    },
    line: () => line,
    unwrap: message => age.unwrap(message),
  }
}
