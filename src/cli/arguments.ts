/** Options that several commands share, and words of the command line in the types of the store. */
import { withoutEnd } from "../encoding.js"
import { CofferError, type ErrorCode } from "../errors.js"
import { parseSecretName } from "../format/names.js"
import { parseTime } from "../format/times.js"
import type { WriteOptions } from "../store/transaction.js"
import type { Options } from "./option.js"
import type { Session } from "./session.js"

/** Options of every command that writes. */
export const WRITE_OPTIONS = {
  commit: { type: "boolean", default: true, help: "leave the change staged, without a commit" },
  verify: { type: "boolean", default: true, help: "skip other people's commit-msg hooks" },
  message: { type: "string", alias: "m", placeholder: "text", help: "the commit's message" },
} as const satisfies Options

/** What opening a value may be refused for, besides integrity. */
export const OPEN_ERRORS = [
  "NOT_FOUND",
  "NO_IDENTITY",
  "NOT_A_MEMBER",
  "REMOVED",
  "UNPINNED",
  "PIN_MISMATCH",
  "ROLLED_BACK",
  "TAMPERED",
] as const satisfies readonly ErrorCode[]

/** What writing may be refused for, besides what opening may. */
export const WRITE_ERRORS = [
  ...OPEN_ERRORS,
  "ROLE_MISSING",
  "BEHIND",
  "DIVERGED",
  "STORE_LOCKED",
  "GIT_DIRTY",
  "GIT_IN_PROGRESS",
  "GIT_NO_REPOSITORY",
  "GIT_REFUSED",
] as const satisfies readonly ErrorCode[]

interface WriteArguments {
  readonly commit: boolean
  readonly verify: boolean
  readonly message?: string
}

/** The part of a request that {@link WRITE_OPTIONS} and the clock give. @throws CofferError `USAGE` */
export function writeOptions(session: Session, { commit, verify, message }: WriteArguments): WriteOptions {
  if (!commit && (message !== undefined || !verify)) {
    throw new CofferError("USAGE", "--no-commit makes no commit that --message or --no-verify could be for", {
      hint: "leave one of them out",
    })
  }
  if (message?.trim() === "") {
    throw new CofferError("USAGE", "--message is empty, and git takes no such message", {
      hint: "left out, the commit has a message of its own",
    })
  }
  return { at: session.now(), commit, verify, message }
}

/** A path that selects what lies below it; "" for everything, which is typed as `.`. */
export function parsePrefix(text: string): string {
  const path = withoutEnd(text, "/")
  return path === "." ? "" : parseSecretName(path)
}

/** A moment: `2026-01-31T12:00:00Z`, or a day, which means its beginning. @throws CofferError `USAGE` */
export function parseAt(text: string): Date {
  const time = parseTime(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text)
  if (time !== undefined) return time
  throw new CofferError("USAGE", "--at wants a time in UTC", { hint: "--at 2026-01-31T12:00:00Z" })
}

/** Entries `key=value` of `--meta`. @throws CofferError `USAGE`, without repeating them */
export function parseMeta(entries: readonly string[]): ReadonlyMap<string, string> | undefined {
  if (entries.length === 0) return undefined
  const meta = new Map<string, string>()
  for (const entry of entries) {
    const at = entry.indexOf("=")
    const key = entry.slice(0, Math.max(0, at))
    const fault = key === "" ? "--meta wants key=value" : "--meta gives the same key twice"
    if (key === "" || meta.has(key)) throw new CofferError("USAGE", fault, { hint: "--meta owner=payments" })
    meta.set(key, entry.slice(at + 1))
  }
  return meta
}
