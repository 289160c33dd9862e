import { test } from "uvu"
import * as assert from "uvu/assert"
import { exposureOf } from "../../src/keyring/exposure.js"
import type { RecordNode } from "../../src/keyring/graph.js"
import { verifyKeyring } from "../../src/keyring/verify.js"
import { forge, inputOf, makePeople, member, register } from "./graphs.js"
import { forgeSecret } from "./secrets.js"

const people = await makePeople("ana", "tom", "eva", "max")
const { ana, tom, eva, max } = people
register(...Object.values(people))

const prodRoot = forge({ by: ana, members: [member(ana, "admin"), member(max, "reader")], group: "prod" })
const groups = new Map([["prod", prodRoot.sha256]])
const root = forge({ by: ana, members: [member(ana, "admin"), member(tom, "writer")], groups })
const added = forge({
  by: ana,
  members: [member(ana, "admin"), member(tom, "writer"), member(eva, "reader")],
  parents: [root],
})
const removal = forge({ by: ana, members: [member(ana, "admin"), member(eva, "reader")], parents: [added] })
const keyring = verifyKeyring(inputOf([root, added, removal, prodRoot], { pin: root }))
const exposed = exposureOf(keyring)

function secret(under: RecordNode, valueKeys: string[], more: { group?: string; state?: "deleted" } = {}) {
  return forgeSecret({ name: "KEY", by: ana, under, valueKeys, ...more })
}

const key = (node: RecordNode) => `${node.record.group}/${node.id}`

test("a removed member stays on the list of each value of his time", () => {
  const tomWas = { member: "tom", removed: removal.record.created }
  assert.equal(exposed(secret(removal, [key(root)])), [tomWas])
  assert.equal(exposed(secret(removal, [key(added)])), [tomWas])
  assert.equal(exposed(secret(removal, [key(removal)])), [])
})

test("a tombstone is not exposed", () => {
  assert.equal(exposed(secret(removal, [key(root)], { state: "deleted" })), [])
})

test("a value that came from another group exposes those who were left behind there", () => {
  const moved = { ...secret(prodRoot, [key(root), key(prodRoot)]), group: "prod" }
  assert.equal(exposed(moved), [
    { member: "eva", removed: null },
    { member: "tom", removed: removal.record.created },
  ])
  assert.equal(exposed(secret(removal, [key(prodRoot), key(removal)])), [{ member: "max", removed: null }])
})

test("a value of a group that is no longer listed counts as exposed", () => {
  const value = secret(removal, ["gone/1-00000000"])
  assert.equal(exposed(value), [{ member: "(members of gone)", removed: null }])
  assert.equal(exposed(secret(removal, ["prod/9-00000000"])), [
    { member: "(members of prod)", removed: null },
  ])
})

test("the present group's first member of another name with the same key is no stranger", () => {
  const renamed = forge({
    by: ana,
    members: [member(ana, "admin"), member({ ...eva, name: "eve" }, "reader")],
    parents: [removal],
  })
  const ring = verifyKeyring(inputOf([root, added, removal, renamed, prodRoot], { pin: root }))
  assert.equal(exposureOf(ring)(secret(renamed, [key(removal)])), [])
})

test.run()
