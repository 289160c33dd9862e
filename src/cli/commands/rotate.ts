/** The command `rotate`. */
import { rotateGroups } from "../../store/rotate.js"
import { WRITE_ERRORS, WRITE_OPTIONS, writeOptions } from "../arguments.js"
import { defineCommand } from "../command.js"
import { outcome } from "../written.js"

export const rotate = defineCommand({
  name: "rotate",
  summary: "new data keys, and everything sealed again under them, in one commit",
  details:
    "All groups, unless some are named; all or nothing. Values stay as they are: after a leak change them too, with coffer set or coffer generate --force.",
  positionals: {
    groups: { label: "GROUP", help: "the groups; default: all", optional: true, repeats: true },
  },
  options: {
    reason: { type: "string", placeholder: "text", help: "goes into the commit message" },
    dryRun: { type: "boolean", help: "verify and count, and write nothing" },
    compromised: {
      type: "boolean",
      help: "older data keys are refused from now on, also in branches that are not merged yet",
    },
    ...WRITE_OPTIONS,
  },
  errors: WRITE_ERRORS,
  examples: [
    { command: "coffer rotate" },
    { command: "coffer rotate prod --compromised --reason 'laptop stolen'" },
  ],

  async run(session, { groups, reason, dryRun, compromised, ...write }) {
    const request = { groups, reason, dryRun, compromised, ...writeOptions(session, write) }
    return { ...(await rotateGroups(await session.openStore(), request)), dryRun }
  },

  text({ groups, changed, commit, dryRun }) {
    const lines = groups.map(({ group, key, resealed }) =>
      key === null
        ? `${group}: ${resealed} would be sealed again\n`
        : `${group}: data key ${key}, ${resealed} sealed again${outcome({ changed, commit })}\n`,
    )
    return `${lines.join("")}${dryRun ? "" : "values are unchanged; whoever knew them still does\n"}`
  },
  json: ({ groups, commit }) => ({ groups, commit }),
})
