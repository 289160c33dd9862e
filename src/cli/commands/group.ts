/** The commands `group list` and `group create`. */
import { CofferError } from "../../errors.js"
import { ROLES, type Role } from "../../format/key-record.js"
import { parseGroupName, parseMemberName } from "../../format/names.js"
import { createGroup, type GroupCreated, listGroups } from "../../store/groups.js"
import { WRITE_ERRORS, WRITE_OPTIONS, writeOptions } from "../arguments.js"
import { type CommandGroup, defineCommand } from "../command.js"
import { table } from "../table.js"
import { outcome } from "../written.js"

const list = defineCommand({
  name: "group list",
  summary: "list the groups and their members",
  fields: "{groups: [{group, members: [{name, role}]}]}",
  errors: ["PIN_MISMATCH", "ROLLED_BACK"],
  examples: [{ command: "coffer group list" }],

  run: async session => ({ groups: await listGroups(await session.openStore()) }),
  text: ({ groups }) =>
    table(
      groups.map(({ group, members }) => [
        group,
        members.map(({ name, role }) => `${name} (${role})`).join(", "),
      ]),
    ),
})

const create = defineCommand({
  name: "group create",
  summary: "give the secrets below a path members and data keys of their own",
  details:
    "Secrets that are below the path already move into the group in the same commit; those of its members that are left behind go on the exposure list. You are its admin.",
  positionals: { group: { label: "NAME", help: "the path: prod, or prod/payments" } },
  options: {
    member: {
      type: "string",
      repeats: true,
      placeholder: "name[:role]",
      help: "a member of another group, with the role there unless said; may repeat",
    },
    like: { type: "string", placeholder: "group", help: "the members and roles of this group" },
    ...WRITE_OPTIONS,
  },
  fields: "{group, key, moved, exposed: [{name, group, version}], commit}",
  errors: ["NAME_INVALID", "EXISTS", ...WRITE_ERRORS],
  examples: [{ command: "coffer group create prod --member tom:admin --member ci:reader" }],

  async run(session, { group, member, like, ...write }) {
    const request = {
      group: parseGroupName(group),
      members: parseMembers(member),
      like: like === undefined ? undefined : parseGroupName(like),
      ...writeOptions(session, write),
    }
    return createGroup(await session.openStore(), request)
  },

  text(created: GroupCreated) {
    const { group, key, moved, exposed, commit } = created
    const known = exposed.length === 0 ? "" : `; ${exposed.length} known to others: coffer status --exposed`
    return `group ${group}: data key ${key}, ${moved.length} moved${outcome({ changed: true, commit })}${known}\n`
  },
})

export const group: CommandGroup = {
  name: "group",
  summary: "paths with members of their own: list, create",
  commands: [list, create],
}

function parseMembers(texts: readonly string[]): Member[] {
  const members = new Map<string, Member>()
  for (const member of texts.map(parseMember)) {
    const before = members.get(member.name)
    if (before !== undefined && before.role !== member.role) {
      throw new CofferError("USAGE", `--member gives "${member.name}" twice, not alike`, {
        hint: "leave one of them out",
      })
    }
    members.set(member.name, member)
  }
  return [...members.values()]
}

interface Member {
  readonly name: string
  readonly role?: Role
}

function parseMember(text: string): Member {
  const [typed = "", role, ...others] = text.split(":")
  const name = parseMemberName(typed)
  if (role === undefined) return { name }
  const known = ROLES.find(each => each === role)
  if (known === undefined || others.length > 0) {
    throw new CofferError("USAGE", `--member takes NAME, or NAME: and one of ${ROLES.join(", ")}`, {
      hint: "--member tom:admin",
    })
  }
  return { name, role: known }
}
