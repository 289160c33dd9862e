/** The command `hook`, which git's hooks call: see hooks/check. */
import { CofferError } from "../../errors.js"
import { PROBE_VARIABLE, probeAnswer } from "../../storage/hook-probe.js"
import { HOOK_NAMES, type HookName } from "../../storage/hooks-folder.js"
import { guardCommit } from "../../store/guard.js"
import { guardPush, parsePushedRefs } from "../../store/guard-commits.js"
import type { GuardFinding, GuardReport } from "../../store/guard-report.js"
import { defineCommand } from "../command.js"
import type { Session } from "../session.js"

export const hook = defineCommand({
  name: "hook",
  summary: "what the git hooks run: looks at what is about to be committed or pushed, and changes nothing",
  positionals: {
    name: `one of ${HOOK_NAMES.join(", ")}`,
    args: { help: "what git gives that hook", optional: true, repeats: true },
  },
  errors: ["GIT_NO_REPOSITORY", "GIT_UNSUPPORTED", "SETTING_INVALID"],
  statuses: { 3: "something stands against it" },
  examples: [{ command: "coffer hook pre-commit", shows: "as git will run it" }],

  async run(session, { name, args }) {
    if (!isHookName(name)) {
      throw new CofferError("USAGE", `coffer hook wants one of: ${HOOK_NAMES.join(", ")}`, {
        hint: "coffer hooks install",
      })
    }
    // "hooks status" asks whether git reaches this line. A hook never passes for that.
    if (session.env[PROBE_VARIABLE]) {
      session.host.stderr.write(probeAnswer(name))
      return undefined
    }
    const report = await look(session, name, args)
    const say = session.openOptions().note!
    for (const line of report.notes) say(line)
    for (const { level, message, code } of report.findings)
      if (level !== "error") say(`${level}: ${message} (${code})`)
    return { name, report }
  },

  text: () => "",
  complaints(result) {
    if (result === undefined || !result.report.failed) return []
    const errors = result.report.findings.filter(({ level }) => level === "error")
    return [...errors.map(toError), refused(result.name, errors.length)]
  },
  status: result => (result === undefined ? 1 : result.report.failed ? 3 : 0),
})

async function look(
  session: Session,
  name: HookName,
  [remote = ""]: readonly string[],
): Promise<GuardReport> {
  const options = session.openOptions()
  if (name !== "pre-push") return guardCommit(options)
  const chunks: Uint8Array[] = []
  for await (const chunk of session.host.stdin.chunks()) chunks.push(chunk)
  const refs = parsePushedRefs(Buffer.concat(chunks).toString())
  return guardPush(options, { remote, refs })
}

function isHookName(name: string): name is HookName {
  return (HOOK_NAMES as readonly string[]).includes(name)
}

/** The store's own findings name a secret; here it has to be clear which file that is. */
function toError({ code, message, hint, path, commit }: GuardFinding): CofferError {
  const what = message.includes(path) ? message : `${path}: ${message}`
  const where = commit === undefined ? "" : `, commit ${commit.slice(0, 7)}`
  return new CofferError(code as CofferError["code"], `${what} (${code}${where})`, { hint })
}

/** What looks again at what was let through. */
const AFTERWARDS = {
  commit: "values are looked for nowhere else, age keys and .env files by coffer check --range",
  push: "coffer check --range looks again",
}

function refused(name: HookName, count: number): CofferError {
  const what = name === "pre-push" ? "push" : "commit"
  return new CofferError(
    "CHECK_INCOMPLETE",
    `${count === 1 ? "this stands" : "these stand"} against the ${what}`,
    { hint: `git ${what} --no-verify does it all the same; ${AFTERWARDS[what]}` },
  )
}
