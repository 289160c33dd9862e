/** Which back end of git is wanted. */
import { CofferError } from "../errors.js"
import type { Environment } from "./environment.js"
import type { GitPreference } from "./git/git.js"

/** Flag or COFFER_GIT, else `auto`. @throws CofferError `USAGE` for any other word */
export function gitPreference(options: {
  readonly env: Environment
  readonly git?: GitPreference | undefined
}): GitPreference {
  const wanted = options.git ?? options.env.COFFER_GIT ?? ""
  if (wanted === "") return "auto"
  if (wanted === "auto" || wanted === "system" || wanted === "embedded") return wanted
  throw new CofferError("USAGE", "the git back end is one of auto, system, embedded", {
    hint: "coffer --git auto, or unset COFFER_GIT",
  })
}
