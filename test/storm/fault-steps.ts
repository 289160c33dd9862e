/** The kinds of steps that faults hit, and what a file system can answer to each. */

export type Errno = "EIO" | "ENOSPC" | "EACCES"
export type Step = "read" | "look" | "create" | "write" | "sync" | "change" | "git"

/** No disk is too full to be read. */
export const ANSWERS: Readonly<Record<Errno, readonly Step[]>> = {
  EIO: ["read", "look", "create", "write", "sync", "change", "git"],
  EACCES: ["look", "create", "change", "git"],
  ENOSPC: ["create", "write", "sync", "git"],
}

export const WORDS: Readonly<Record<Errno, string>> = {
  EIO: "Input/output error",
  EACCES: "Permission denied",
  ENOSPC: "No space left on device",
}
