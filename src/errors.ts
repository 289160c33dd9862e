/** The one error class and the table from error code to exit status. */

/**
 * Every code coffer can end with, and the exit status that goes with it. Codes and numbers are
 * a promise to scripts: they are added to, never renamed or renumbered.
 *
 * @see docs/cli.md, "Exit status"
 */
export const EXIT_CODES = {
  BUG: 1,
  // What was typed or configured is wrong; nothing was looked at.
  USAGE: 2,
  NAME_INVALID: 2,
  SETTING_UNKNOWN: 2,
  SETTING_INVALID: 2,
  VALUE_INVALID: 2,
  IDENTITY_INVALID: 2,
  CARD_INVALID: 2,
  IMPORT_INVALID: 2,
  LIMIT_EXCEEDED: 2,
  // Plaintext where it does not belong.
  DOTENV_FILE: 3,
  PRIVATE_KEY: 3,
  OWN_VALUE: 3,
  // A check could not be made.
  HISTORY_MISSING: 4,
  CHECK_INCOMPLETE: 4,
  NOT_FOUND: 10,
  NO_IDENTITY: 11,
  NOT_A_MEMBER: 11,
  REMOVED: 11,
  ROLE_MISSING: 11,
  HISTORY_CUT: 11,
  // Integrity or trust: refused.
  STORE_CHANGED: 12,
  NOT_CANONICAL: 12,
  NEWER_FORMAT: 12,
  RECORD_MOVED: 12,
  NO_ADMIN: 12,
  MEMBER_TWICE: 12,
  MEMBER_INVALID: 12,
  MIXED_RECIPIENTS: 12,
  WRAP_SHAPE: 12,
  PARENT_MISSING: 12,
  RECORD_INVALID: 12,
  PIN_MISMATCH: 12,
  UNPINNED: 12,
  RECORD_UNTRUSTED: 12,
  ROLLED_BACK: 12,
  FORKED: 12,
  SIGNER_NOT_ALLOWED: 12,
  SIGNATURE: 12,
  OLDEST_INVALID: 12,
  FORK_REFUSED: 12,
  GROUP_NOT_LISTED: 12,
  GROUP_MISSING: 12,
  DAMAGED: 12,
  SECRET_MOVED: 12,
  SECRET_WRONG_GROUP: 12,
  KEY_UNKNOWN: 12,
  KEY_RETIRED: 12,
  WRITER_NOT_ALLOWED: 12,
  WRITE_SIGNATURE: 12,
  HISTORY_REWRITTEN: 12,
  VERSION_TWICE: 12,
  SECRET_MISSING: 12,
  WRAP_BROKEN: 12,
  PREVIOUS_BROKEN: 12,
  TAMPERED: 12,
  // Try again, after what the hint says.
  DIVERGED: 13,
  BEHIND: 13,
  CONFLICTED: 13,
  VERSION_CONFLICT: 13,
  STORE_LOCKED: 13,
  GIT_LOCKED: 13,
  GIT_MOVED: 13,
  GIT_DIRTY: 13,
  GIT_CONFLICTED: 13,
  GIT_IN_PROGRESS: 13,
  GIT_NOT_FAST_FORWARD: 13,
  // Git, or the file system below it, failed or refused.
  GIT_UNSUPPORTED: 14,
  GIT_NO_REPOSITORY: 14,
  GIT_MISSING_OBJECT: 14,
  GIT_NO_AUTHOR: 14,
  GIT_SIGN_FAILED: 14,
  GIT_REFUSED: 14,
  GIT_FAILED: 14,
  IO_FAILED: 14,
  EXISTS: 15,
  INTERRUPTED: 130,
} as const

/** A code of {@link EXIT_CODES}. */
export type ErrorCode = keyof typeof EXIT_CODES

/**
 * The program is built as two bundles, each with its own copy of the class: an error of one has to be
 * recognised in the other.
 */
const BRAND = Symbol.for("coffer.error")

/** What to do where whoever noticed has nothing better to say, by exit status: no error is without a hint. */
const USUAL_HINTS: Readonly<Record<(typeof EXIT_CODES)[ErrorCode], string>> = {
  1: "run it again with --debug and send what it prints, after a look at it",
  2: "coffer --help lists the commands, and --help after one what it takes",
  3: "coffer check lists what is wrong",
  4: "run it again in a clone with the whole history",
  10: "coffer list shows what there is",
  11: "coffer status shows who may read and write",
  12: "git log -p -- FILE shows who changed it; git checkout COMMIT -- FILE takes that back",
  13: "run it again; coffer status shows what is in the way",
  14: "run it again; if it stays: git fsck, git status",
  15: "coffer list shows what there is; take another name",
  130: "run it again",
}

/** The same where the exit status says too little. */
const HINTS_OF_CODES: Partial<Record<ErrorCode, string>> = {
  IDENTITY_INVALID: "coffer identity new makes one, coffer identity import takes one in",
  LIMIT_EXCEEDED: "make it smaller, or take away what is no longer needed",
  IO_FAILED: "run it again once files can be read and written there",
}

/** What went wrong, as a code for programs, a message for people and a hint that can be typed. */
export class CofferError extends Error {
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && BRAND in value
  }

  readonly [BRAND] = true
  readonly code: ErrorCode
  /** What to type or do next. */
  readonly hint: string

  /**
   * @param message - lower case, no full stop, the offending name quoted; never a value or a key.
   */
  constructor(
    code: ErrorCode,
    message: string,
    options: { hint?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = "CofferError"
    this.code = code
    this.hint = options.hint ?? HINTS_OF_CODES[code] ?? USUAL_HINTS[EXIT_CODES[code]]
  }

  /** The exit status of the command that ends with this error. */
  get exit(): number {
    return EXIT_CODES[this.code]
  }
}

/** Whether `error` is a CofferError with one of the codes. */
export function hasCode(error: unknown, ...codes: ErrorCode[]): error is CofferError {
  return error instanceof CofferError && codes.includes(error.code)
}
