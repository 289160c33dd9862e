/** What verification has to say: refusals, which stop, and findings, which are listed. */
import { CofferError, type ErrorCode } from "../errors.js"

/** Codes of findings: every refusal's, and those of states that are no error by themselves. */
export type FindingCode = ErrorCode | "PIN_OLD" | "ANCHOR_OLD" | "EXPOSED" | "OVERDUE" | "STALE"

/** One thing that a check has to say. */
export interface Finding {
  readonly code: FindingCode
  readonly level: "error" | "warning" | "note"
  /** Relative to the store. */
  readonly path?: string
  readonly message: string
  readonly hint?: string
}

/** One thing that verification does not accept. The message names the file. */
export interface Refusal {
  readonly code: ErrorCode
  readonly path: string
  readonly message: string
  readonly hint?: string
}

/** A refusal, or an error about a path, as a finding; other fields stay behind. */
export function errorFinding(
  { code, message, hint }: Pick<CofferError, "code" | "message"> & { readonly hint?: string | undefined },
  path: string,
): Finding & { readonly path: string } {
  return { code, level: "error", path, message, ...(hint === undefined ? {} : { hint }) }
}

/** One finding for each code and path: several checks come across the same fault. */
export function uniqueFindings(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map(finding => [`${finding.code} ${finding.path}`, finding])).values()]
}

/** Takes a refusal: throws it, or notes it so that the rest is looked at too. */
export type Refuse = (refusal: Refusal) => void

/** The {@link Refuse} of everything but `check`. */
export function throwRefusal({ code, message, hint }: Refusal): never {
  throw new CofferError(code, message, { hint })
}
