/** The command `status`. */
import { CofferError } from "../../errors.js"
import {
  type ExposedSecret,
  type GroupStatus,
  listExposed,
  reportStatus,
  type StatusReport,
} from "../../store/status.js"
import { defineCommand } from "../command.js"
import { FAIL_ON_OPTION, findingJson, findingLines, parseFailOn } from "../findings.js"
import { table } from "../table.js"

type Shown = { readonly report: StatusReport } | { readonly exposed: readonly ExposedSecret[] }

export const status = defineCommand({
  name: "status",
  summary: "one screen about the store: trust, groups, members, keys, hooks, and what needs care",
  options: {
    exposed: { type: "boolean", help: "list the values that somebody may know who is no member any more" },
    failOn: FAIL_ON_OPTION,
  },
  fields:
    "{store, storeId, pin, trusted, hooks, groups: [{group, members, secrets, key, keyAge, exposed, overdue}], problems: [{code, level, path, message, hint}]}; with --exposed {exposed: [{name, group, version, by: [{member, removed}]}]}",
  errors: ["NOT_FOUND"],
  statuses: { 3: "found an error, or what --fail-on names" },
  examples: [{ command: "coffer status" }, { command: "coffer status --exposed" }],

  async run(session, { exposed, failOn }): Promise<Shown> {
    const kinds = failOn === undefined ? undefined : parseFailOn(failOn)
    if (exposed && kinds !== undefined) {
      throw new CofferError("USAGE", "--exposed lists, and --fail-on judges what it does not show", {
        hint: "coffer status --fail-on exposed",
      })
    }
    const store = await session.openStore()
    if (exposed) return { exposed: await listExposed(store) }
    return { report: await reportStatus(store, { at: session.now(), failOn: kinds }) }
  },

  text: shown => ("report" in shown ? screen(shown.report) : exposedLines(shown.exposed)),
  json: shown => ("report" in shown ? reportJson(shown.report) : shown),
  status: shown => ("report" in shown && shown.report.failed ? 3 : 0),
})

function exposedLines(exposed: readonly ExposedSecret[]): string {
  if (exposed.length === 0) return "nothing is exposed\n"
  return table(
    exposed.map(({ name, version, by }) => {
      const people = by.map(({ member, removed }) =>
        removed === null ? member : `${member} (removed ${removed})`,
      )
      return [name, `version ${version}`, `may be known to ${people.join(", ")}`]
    }),
  )
}

function screen({ store, storeId, pin, trusted, hooks, groups, problems }: StatusReport): string {
  const facts = [
    ["store", `${store}/ (${storeId})`],
    ["pin", pin ?? "none: the key records are refused"],
    ["trusted", trusted ? "yes, pinned" : "not pinned on this machine: coffer init"],
    ["hooks", hooksText(hooks)],
  ]
  const head = ["group", "members", "secrets", "data key", "age", "exposed", "overdue"]
  return `${table(facts)}\n${table([head, ...groups.map(groupRow)])}${problems.length > 0 ? "\n" : ""}${findingLines(problems)}`
}

function hooksText(hooks: StatusReport["hooks"]): string {
  if (hooks === null) return "no git repository here"
  if (hooks.live) return "installed, and they fire"
  return hooks.installed
    ? "installed, but they do not fire: coffer hooks status"
    : "missing: coffer hooks install"
}

function groupRow({ group, members, secrets, key, keyAge, exposed, overdue }: GroupStatus): string[] {
  return [group, String(members), String(secrets), key, `${keyAge} d`, String(exposed), String(overdue)]
}

function reportJson({ failed: _, problems, ...report }: StatusReport) {
  return { ...report, problems: problems.map(findingJson) }
}
