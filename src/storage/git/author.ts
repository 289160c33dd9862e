/** Who a commit is by, from the environment and git's configuration. */
import { CofferError } from "../../errors.js"
import type { Environment } from "../environment.js"
import type { Person } from "./object.js"

/**
 * Git also guesses from the host's account names; a commit of secrets should not be by "root@localhost".
 *
 * @throws CofferError `GIT_NO_AUTHOR`
 */
export function findPerson(
  role: "author" | "committer",
  config: { get(key: string): string | undefined },
  env: Environment,
): Person {
  const variable = `GIT_${role.toUpperCase()}`
  const name = env[`${variable}_NAME`] ?? config.get(`${role}.name`) ?? config.get("user.name")
  const email =
    env[`${variable}_EMAIL`] ?? config.get(`${role}.email`) ?? config.get("user.email") ?? env.EMAIL
  const person = { name: clean(name), email: clean(email) }
  if (person.name === "" || person.email === "") {
    throw new CofferError("GIT_NO_AUTHOR", "git does not know who you are", {
      hint: "git config --global user.name NAME; git config --global user.email ADDRESS",
    })
  }
  return person
}

/** Git's strbuf_addstr_without_crud: what would break the line goes, and punctuation at both ends. */
function clean(text: string | undefined): string {
  return (text ?? "").replace(/^[\x00-\x20.,:;<>"\\']+|[\x00-\x20.,:;<>"\\']+$/g, "").replace(/[\n<>]/g, "")
}
