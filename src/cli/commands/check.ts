/** The command `check`. */
import { checkStore } from "../../store/check.js"
import { defineCommand } from "../command.js"
import { FAIL_ON_OPTION, findingJson, findingLines, parseFailOn } from "../findings.js"

export const check = defineCommand({
  name: "check",
  summary: "verify every file of the store",
  details:
    "Without an identity it verifies structure, signatures and places; with one it opens every value that it may. Tampering is found, not an error: status 3.",
  options: {
    staged: { type: "boolean", help: "what is staged, in place of the work tree" },
    since: {
      type: "string",
      placeholder: "commit",
      help: "nothing that this commit had may be lost or rolled back",
    },
    requirePin: { type: "boolean", help: "without a pin, status 4" },
    failOn: FAIL_ON_OPTION,
  },
  errors: ["NOT_FOUND", "CHECK_INCOMPLETE", "HISTORY_MISSING", "GIT_NO_REPOSITORY"],
  statuses: { 3: "found an error, or what --fail-on names" },
  examples: [
    { command: "coffer check" },
    {
      command: "coffer check --since origin/main --require-pin",
      shows: "in CI, before a merge: no key is needed",
    },
    { command: "coffer check --fail-on exposed,overdue" },
  ],

  async run(session, { staged, since, requirePin, failOn }) {
    const kinds = failOn === undefined ? undefined : parseFailOn(failOn)
    const store = await session.openStore()
    return checkStore(store, { at: session.now(), staged, since, requirePin, failOn: kinds })
  },

  text({ checked, problems }) {
    const opened = checked.opened > 0 ? `, ${checked.opened} opened` : ", none opened"
    const errors = problems.filter(({ level }) => level === "error").length
    return `${findingLines(problems)}${checked.files} files checked${opened}: ${errors} wrong\n`
  },
  json: ({ checked, problems }) => ({ checked, problems: problems.map(findingJson) }),
  status: ({ failed }) => (failed ? 3 : 0),
})
