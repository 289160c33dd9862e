/** The command `check`. */
import { CofferError } from "../../errors.js"
import { counted } from "../../format/counted.js"
import { openAndCheck } from "../../store/check.js"
import { guardCommit } from "../../store/guard.js"
import { guardRange } from "../../store/guard-commits.js"
import type { GuardReport } from "../../store/guard-report.js"
import { defineCommand } from "../command.js"
import { FAIL_ON_OPTION, findingJson, findingLines, parseFailOn } from "../findings.js"
import type { Session } from "../session.js"

export const check = defineCommand({
  name: "check",
  summary: "verify every file of the store, what is staged, or a range of commits",
  details:
    "Without an identity it verifies structure, signatures and places; with one it opens every value that it may. --staged and --range look at what the hooks look at: also for plaintext outside the store. Tampering is found, not an error: status 3.",
  options: {
    staged: { type: "boolean", help: "what is about to be committed, as the pre-commit hook sees it" },
    range: {
      type: "string",
      placeholder: "a..b",
      help: "the commits of a range, as the pre-push hook sees them",
    },
    since: {
      type: "string",
      placeholder: "commit",
      help: "nothing that this commit had may be lost or rolled back",
    },
    requirePin: { type: "boolean", help: "without a pin, status 4" },
    failOn: FAIL_ON_OPTION,
  },
  fields: "{checked: {files, opened}, problems: [{code, level, path, message, hint}]}",
  errors: ["NOT_FOUND", "CHECK_INCOMPLETE", "HISTORY_MISSING", "GIT_NO_REPOSITORY"],
  statuses: { 3: "found an error, or what --fail-on names" },
  examples: [
    { command: "coffer check" },
    {
      command: "coffer check --since origin/main --require-pin",
      shows: "in CI, before a merge: no key is needed",
    },
    {
      command: 'coffer check --range "$BASE..$HEAD" --require-pin',
      shows: "plaintext, age keys and lost updates in any of the commits",
    },
    { command: "coffer check --fail-on exposed,overdue" },
  ],

  async run(session, { staged, range, since, requirePin, failOn }) {
    const kinds = failOn === undefined ? undefined : parseFailOn(failOn)
    if ([staged, range !== undefined, since !== undefined].filter(Boolean).length > 1) {
      throw new CofferError("USAGE", "--staged, --range and --since are three checks: one at a time", {
        hint: "coffer check --help",
      })
    }
    const at = session.now()
    const demands = { requirePin, failOn: kinds && { kinds, at } }
    if (staged) return guarded(session, await guardCommit(session.openOptions(), demands))
    if (range !== undefined)
      return guarded(session, await guardRange(session.openOptions(), { range, ...demands }))
    return openAndCheck(session.openOptions(), { at, since, requirePin, failOn: kinds })
  },

  text({ checked, problems }) {
    const { files, opened } = checked
    const errors = problems.filter(({ level }) => level === "error").length
    return `${findingLines(problems)}${counted(files, "file")} checked, ${opened === 0 ? "none" : opened} opened: ${errors} wrong\n`
  },
  json: ({ checked, problems }) => ({ checked, problems: problems.map(findingJson) }),
  status: ({ failed }) => (failed ? 3 : 0),
})

function guarded(session: Session, { checked, findings, notes, failed }: GuardReport) {
  const say = session.openOptions().note!
  for (const note of notes) say(note)
  return { checked: { ...checked, opened: 0 }, problems: findings, failed }
}
