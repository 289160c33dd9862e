import { test } from "uvu"
import * as assert from "uvu/assert"
import { buildGraph, type RecordNode } from "../../src/keyring/graph.js"
import { mergeBases, mergeGroups, mergeMembers, mergePolicies } from "../../src/keyring/merge.js"
import { forge, makePeople, member, register } from "./graphs.js"

const people = await makePeople("ana", "tom", "eva", "bot", "max")
const { ana, tom, eva, bot, max } = people
register(...Object.values(people))

const base = [member(ana, "admin"), member(tom, "writer"), member(eva, "writer")]
const root = forge({ by: ana, members: base })
const on = (members: ReturnType<typeof member>[], ...parents: RecordNode[]) =>
  forge({ by: ana, members, parents })

function merged(...tips: RecordNode[]) {
  const { members, additions, dropped, contested } = mergeMembers(
    buildGraph("default", [root, ...tips]),
    tips,
  )
  const names = (list: readonly { name: string }[]) => list.map(entry => entry.name)
  return { members: names(members), additions: names(additions), dropped, contested }
}

test("a removal wins, an addition is asked for", () => {
  const left = on([member(ana, "admin"), member(eva, "writer"), member(bot, "rotator")], root)
  const right = on([...base, member(max, "reader")], root)
  assert.equal(merged(left, right), {
    members: ["ana", "eva"],
    additions: ["bot", "max"],
    dropped: ["tom"],
    contested: [],
  })
})

test("of three lines one may have dropped whom another has kept since they parted, and the third never had", () => {
  const added = on([...base, member(bot, "writer")], root)
  const [kept, removed, aside] = [on(added.record.members.slice(), added), on(base, added), on(base, root)]
  const graph = buildGraph("default", [root, added, kept, removed, aside])
  const { additions, dropped } = mergeMembers(graph, [kept, removed, aside])
  assert.equal([additions, dropped], [[], ["bot"]])
  // Taken back after they parted, he is a member that one side added.
  const back = on(added.record.members.slice(), removed)
  const again = buildGraph("default", [root, added, removed, back, aside])
  assert.equal(
    mergeMembers(again, [back, aside]).additions.map(({ name }) => name),
    ["bot"],
  )
})

test("a changed entry wins over an unchanged one; two different changes leave the member out", () => {
  const promoted = on([member(ana, "admin"), member(tom, "admin"), member(eva, "writer")], root)
  const same = on([...base, member(max, "writer")], root)
  assert.is(
    mergeMembers(buildGraph("default", [root, promoted, same]), [promoted, same]).members[1]!.name,
    "eva",
  )
  const kept = mergeMembers(buildGraph("default", [root, promoted, same]), [promoted, same])
  assert.equal(
    kept.members.find(entry => entry.name === "tom"),
    member(tom, "admin"),
  )
  const demoted = on([member(ana, "admin"), member(tom, "reader"), member(eva, "writer")], root)
  assert.equal(merged(promoted, demoted).contested, ["tom"])
  const twoWays = on([...base, member(max, "admin")], root)
  assert.equal(merged(same, twoWays).contested, ["max"])
  const alike = merged(same, on([...base, member(max, "writer")], root))
  assert.equal([alike.members, alike.additions], [["ana", "eva", "max", "tom"], []])
})

test("unrelated first records have no base: every member is asked for", () => {
  const other = forge({ by: tom, members: [member(tom, "admin"), member(max, "writer")] })
  const graph = buildGraph("prod", [root, other])
  assert.equal(mergeBases(graph, [root, other]), [])
  const { members, additions, contested } = mergeMembers(graph, [root, other])
  assert.equal(members, [])
  assert.equal(
    additions.map(entry => entry.name),
    ["ana", "eva", "max"],
  )
  assert.equal(contested, ["tom"])
})

test("groups: the union, without what a side dropped; the newer of two related records", () => {
  const founded = forge({ by: ana, members: base, group: "prod" })
  const renewed = forge({ by: ana, members: base, group: "prod", parents: [founded] })
  const stranger = forge({ by: tom, members: [member(tom, "admin")], group: "prod" })
  const prod = buildGraph("prod", [founded, renewed, stranger])
  const list = (entries: Record<string, string>, ...parents: RecordNode[]) =>
    forge({ by: ana, members: base, parents, groups: new Map(Object.entries(entries)) })
  const merge = (before: Record<string, string>, ...sides: Record<string, string>[]) => {
    const start = list(before)
    const tips = sides.map(side => list(side, start))
    const { groups, contested } = mergeGroups(buildGraph("default", [start, ...tips]), tips, name =>
      name === "prod" ? prod : undefined,
    )
    return [Object.fromEntries(groups), contested]
  }
  const [a, b, c] = [founded.sha256, renewed.sha256, stranger.sha256]
  assert.equal(merge({}, { prod: a }, { stage: b }), [{ prod: a, stage: b }, []])
  assert.equal(merge({ prod: a }, { prod: a, stage: b }, {}), [{ stage: b }, []])
  assert.equal(merge({ prod: a }, { prod: a }, { prod: b }), [{ prod: b }, []])
  assert.equal(merge({}, { prod: a }, { prod: b }), [{ prod: b }, []])
  assert.equal(merge({}, { prod: a }, { prod: c }), [{}, ["prod"]])
})

test("policies: the stricter of each limit", () => {
  assert.equal(mergePolicies([{}, {}]), {})
  assert.equal(
    mergePolicies([
      { rotation: { interval: 90, maxVersions: 5 } },
      { rotation: { interval: 30 }, retention: { maxAge: 9 } },
    ]),
    { rotation: { interval: 30, maxVersions: 5 }, retention: { maxAge: 9 } },
  )
})

test.run()
