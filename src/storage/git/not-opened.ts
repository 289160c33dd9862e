/** Why neither back end opens a repository. */
import { CofferError } from "../../errors.js"
import { findDeadLink } from "../repository.js"

/** @param dir - the folder that was looked from. */
export function noRepository(dir: string): CofferError {
  const link = findDeadLink(dir)
  if (link !== undefined) {
    return new CofferError("GIT_NO_REPOSITORY", `"${link}" leads to no git repository`, {
      hint: "git worktree repair, where the repository was moved; otherwise a new clone, or git worktree add",
    })
  }
  return new CofferError("GIT_NO_REPOSITORY", `"${dir}" is not in a git repository`, { hint: "git init" })
}

/** A bare repository, or the inside of a `.git` folder. */
export function noWorkTree(): CofferError {
  return new CofferError("GIT_UNSUPPORTED", "this repository has no work tree here", {
    hint: "work in a clone of it: git clone, then cd",
  })
}

/** `core.worktree` names another folder, in which nothing leads back to the repository. */
export function workTreeElsewhere(place: string, gitDir: string): CofferError {
  const message = `this repository has its work tree in another place ("${place}", core.worktree)`
  return new CofferError("GIT_UNSUPPORTED", message, {
    hint: `work there, with a file .git that holds the line "gitdir: ${gitDir}"; or git config --unset core.worktree`,
  })
}

/** Another user's repository, whose configuration would decide what happens. */
export function foreignOwner(workTree: string): CofferError {
  return new CofferError("GIT_REFUSED", `the repository "${workTree}" belongs to another user`, {
    hint: `if you trust it: git config --global --add safe.directory '${workTree}'`,
  })
}
