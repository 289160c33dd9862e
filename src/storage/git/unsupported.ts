/** How the embedded back end refuses what only git itself handles right. */
import { CofferError } from "../../errors.js"

/**
 * @param feature - git's name for it; the message must tell the user which setting or file to look for.
 * @param otherwise - what helps too.
 */
export function unsupported(feature: string, otherwise = ""): CofferError {
  return new CofferError("GIT_UNSUPPORTED", `without a git binary coffer cannot handle: ${feature}`, {
    hint: `install git 2.31 or later; coffer then uses it by itself${otherwise}`,
  })
}
