/** The commands `recipients list`, `add` and `remove`. */
import { CofferError } from "../../errors.js"
import { parseCard } from "../../format/card.js"
import { counted } from "../../format/counted.js"
import { ROLES } from "../../format/key-record.js"
import { parseGroupName, parseMemberName } from "../../format/names.js"
import {
  type Added,
  addRecipient,
  listRecipients,
  type Removed,
  removeRecipient,
} from "../../store/members.js"
import { WRITE_ERRORS, WRITE_OPTIONS, writeOptions } from "../arguments.js"
import { type CommandGroup, defineCommand } from "../command.js"
import type { Option } from "../option.js"
import { table } from "../table.js"
import { outcome } from "../written.js"

function groupOption(help: string) {
  return { type: "string", alias: "g", repeats: true, placeholder: "group", help } as const satisfies Option
}

const list = defineCommand({
  name: "recipients list",
  summary: "list the members of each group, with role and public key",
  options: { group: groupOption("only this group; may repeat") },
  fields: "{groups: [{group, members: [{name, role, recipient, added}]}]}",
  errors: ["NOT_FOUND", "PIN_MISMATCH", "ROLLED_BACK"],
  examples: [{ command: "coffer recipients list" }],

  run: async (session, { group }) => ({
    groups: await listRecipients(await session.openStore(), { groups: group.map(parseGroupName) }),
  }),
  text: ({ groups }) =>
    table(
      groups.flatMap(({ group, members }) =>
        members.map(each => [group, each.name, each.role, each.added, each.recipient]),
      ),
    ),
})

const add = defineCommand({
  name: "recipients add",
  summary: "add a member: the card is the line that coffer identity show prints for him",
  details:
    "A new member opens everything in the group, back to the first version. With a signing key in the card the role is writer, else reader.\nWith --new coffer makes an identity for a machine, adds it as reader and prints its private line once: it is kept nowhere.",
  positionals: {
    name: "what the member is called here",
    card: { label: "CARD", help: "age1… and, for who writes, coffer-sign1…", optional: true, repeats: true },
  },
  options: {
    new: { type: "boolean", help: "make a machine identity and print its private line" },
    role: { type: "string", choices: ROLES, placeholder: "role", help: "reader, writer, rotator or admin" },
    group: groupOption("add to this group in place of the default one; may repeat"),
    ...WRITE_OPTIONS,
  },
  fields: "{groups: [{group, key, resealed}], commit}; with --new also identity, the private line",
  errors: ["NAME_INVALID", "CARD_INVALID", "EXISTS", ...WRITE_ERRORS],
  examples: [
    { command: "coffer recipients add maria 'age1… coffer-sign1…'" },
    {
      command: "coffer recipients add ci --new | gh secret set COFFER_IDENTITY",
      shows: "the private line goes nowhere else",
    },
    { command: "coffer recipients add tom 'age1… coffer-sign1…' -g prod --role admin" },
  ],

  async run(session, { name, card, new: machine, role, group, ...write }): Promise<Added> {
    if (machine === card.length > 0) {
      throw new CofferError("USAGE", "coffer recipients add wants a card, or --new", {
        hint: "whom you add runs coffer identity show and sends you the line",
      })
    }
    const request = {
      name: parseMemberName(name),
      role,
      groups: group.map(parseGroupName),
      ...writeOptions(session, write),
    }
    const parsed = machine ? undefined : parseCard(card.join(" "))
    const added = await addRecipient(await session.openStore(), { ...request, card: parsed })
    if (machine) session.note(addedLine(added).trimEnd())
    return added
  },

  text: added => (added.identity === undefined ? addedLine(added) : `${added.identity}\n`),
  json: ({ groups, commit, identity }) => ({
    groups,
    commit,
    ...(identity === undefined ? {} : { identity }),
  }),
})

const remove = defineCommand({
  name: "recipients remove",
  summary: "remove a member from every group: new data keys, everything sealed again, in one commit",
  details:
    "All or nothing. What the member could read stays on the exposure list until each value is changed: coffer status --exposed.",
  positionals: { name: "the member" },
  options: { group: groupOption("from this group only; may repeat"), ...WRITE_OPTIONS },
  fields: "{groups: [{group, key, resealed}], commit, exposed: [{name, group, version}]}",
  errors: ["NAME_INVALID", "NO_ADMIN", ...WRITE_ERRORS],
  examples: [{ command: "coffer recipients remove maria" }],

  async run(session, { name, group, ...write }): Promise<Removed & { name: string }> {
    const request = {
      name: parseMemberName(name),
      groups: group.map(parseGroupName),
      ...writeOptions(session, write),
    }
    return { name, ...(await removeRecipient(await session.openStore(), request)) }
  },

  text(removed) {
    const { name, groups, exposed } = removed
    const count = groups.reduce((sum, { resealed }) => sum + resealed, 0)
    const done = removed.changed
      ? `${count} sealed again${outcome(removed)}`
      : `${name} is no member any more`
    const known = `; ${name} may know ${counted(exposed.length, "value")}: coffer status --exposed`
    return `${done}${exposed.length === 0 ? "" : known}\n`
  },
  json: ({ groups, commit, exposed }) => ({ groups, commit, exposed }),
})

export const recipients: CommandGroup = {
  name: "recipients",
  summary: "who reads and writes: list, add, remove",
  commands: [list, add, remove],
}

function addedLine(added: Added): string {
  const { member, groups } = added
  const where = groups.map(({ group }) => group).join(", ")
  return `${member.name}: ${member.role}${where === "" ? "" : ` of ${where}`}${outcome(added)}\n`
}
