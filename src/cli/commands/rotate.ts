/** The command `rotate`. */
import { CofferError } from "../../errors.js"
import { isSecretName, parseGroupName, parseMemberName } from "../../format/names.js"
import { finishRotation } from "../../store/finish.js"
import { mergeKeyrings } from "../../store/merge-groups.js"
import { rotateGroups } from "../../store/rotate.js"
import { WRITE_ERRORS, WRITE_OPTIONS, writeOptions } from "../arguments.js"
import { defineCommand } from "../command.js"
import { outcome } from "../written.js"

export const rotate = defineCommand({
  name: "rotate",
  summary: "new data keys, and everything sealed again under them, in one commit",
  details:
    "All groups, unless some are named; all or nothing. Values stay as they are: after a leak change them too, with coffer set or coffer generate --force.\nTwo branches that both changed members or keys leave a diverged keyring after their merge: it reads, and --merge joins it. Files that the other branch sealed under keys that are refused now are taken in by --finish.",
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
    merge: { type: "boolean", help: "join keyrings that two branches changed" },
    finish: {
      type: "boolean",
      help: "take in what a branch sealed under a retired or refused key, after showing who wrote it",
    },
    accept: {
      type: "string",
      repeats: true,
      placeholder: "name",
      help: "with --merge: take in this member whom one side added; with --finish: what this former member signed; may repeat, nobody is asked then",
    },
    keep: {
      type: "string",
      placeholder: "key",
      help: "with --merge: the data key whose keyring stays where two branches made the same group",
    },
    ...WRITE_OPTIONS,
  },
  fields: "{groups: [{group, key, resealed}], commit}",
  errors: ["NAME_INVALID", ...WRITE_ERRORS],
  examples: [
    { command: "coffer rotate" },
    { command: "coffer rotate prod --compromised --reason 'laptop stolen'" },
    { command: "coffer rotate --merge" },
    { command: "coffer rotate --finish --accept maria" },
  ],

  async run(session, { groups, reason, dryRun, compromised, merge, finish, accept, keep, ...write }) {
    if (Number(merge) + Number(finish) + Number(dryRun || compromised) > 1) {
      throw new CofferError("USAGE", "--merge, --finish and a rotation are three different things", {
        hint: "coffer rotate --merge, then coffer rotate --finish",
      })
    }
    if (accept.length > 0 && !merge && !finish) throw misplaced("--accept goes with --merge or --finish")
    if (keep !== undefined && !merge) throw misplaced("--keep goes with --merge")
    if (reason !== undefined) refuseUnwritten(write, merge)
    const request = { groups: groups.map(parseTarget), reason, ...writeOptions(session, write) }
    // Without a name people are asked; with one, whoever is not named is left out.
    const consent = { ...request, accept: accept.length === 0 ? undefined : accept.map(parseMemberName) }
    const store = await session.openStore()
    if (merge) return { ...(await mergeKeyrings(store, { ...consent, keep })), did: "merge" as const }
    if (finish) return { ...(await finishRotation(store, consent)), did: "finish" as const }
    const rotated = await rotateGroups(store, { ...request, dryRun, compromised })
    return { ...rotated, did: dryRun ? ("count" as const) : ("rotate" as const) }
  },

  text({ groups, changed, commit, did }) {
    if (groups.length === 0) return did === "merge" ? "no keyring is diverged\n" : "nothing to take in\n"
    const lines = groups.map(({ group, key, resealed }) =>
      key === null
        ? `${group}: ${resealed} would be sealed again\n`
        : `${group}: data key ${key}, ${resealed} sealed again${outcome({ changed, commit })}\n`,
    )
    return `${lines.join("")}${did === "rotate" ? "values are unchanged; whoever knew them still does\n" : ""}`
  },
  json: ({ groups, commit }) => ({ groups, commit }),
})

function misplaced(message: string): CofferError {
  return new CofferError("USAGE", message, { hint: "coffer rotate --help" })
}

/** A reason is for a commit's message; a merge wants one besides, for a choice that it makes. */
function refuseUnwritten({ message, commit }: { message?: string; commit: boolean }, merge: boolean): void {
  const hint = "leave one of them out"
  if (message !== undefined) {
    const taken = "--reason goes into the message of the commit, and --message takes the place of all of it"
    throw new CofferError("USAGE", taken, { hint })
  }
  if (!commit && !merge) {
    const none = "--reason goes into the message of a commit, and --no-commit makes none"
    throw new CofferError("USAGE", none, { hint })
  }
}

/** A group; or a secret, of which the store can say what its owner wants instead. */
function parseTarget(text: string): string {
  return isSecretName(text) ? text : parseGroupName(text)
}
