/** Why neither back end opens a repository. */
import { CofferError } from "../../errors.js"

/** @param dir - the folder that was looked from. */
export function noRepository(dir: string): CofferError {
  return new CofferError("GIT_NO_REPOSITORY", `"${dir}" is not in a git repository`, { hint: "git init" })
}

/** A bare repository, or the inside of a `.git` folder. */
export function noWorkTree(): CofferError {
  return new CofferError("GIT_UNSUPPORTED", "this repository has no work tree here", {
    hint: "work in a clone of it: git clone, then cd",
  })
}

/** Another user's repository, whose configuration would decide what happens. */
export function foreignOwner(workTree: string): CofferError {
  return new CofferError("GIT_REFUSED", `the repository "${workTree}" belongs to another user`, {
    hint: `if you trust it: git config --global --add safe.directory '${workTree}'`,
  })
}
