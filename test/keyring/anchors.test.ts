import { test } from "uvu"
import * as assert from "uvu/assert"
import { findOldAnchors, renewAnchors } from "../../src/keyring/anchors.js"
import type { RecordNode } from "../../src/keyring/graph.js"
import { verifyKeyring } from "../../src/keyring/verify.js"
import { forge, inputOf, makePeople, member, register } from "./graphs.js"

const people = await makePeople("ana", "tom", "eva")
const { ana, tom, eva } = people
register(...Object.values(people))

const admins = [member(ana, "admin"), member(tom, "admin"), member(eva, "writer")]
const founded = forge({ by: ana, members: admins, group: "prod" })
const left = forge({ by: ana, members: [member(ana, "admin")], group: "prod", parents: [founded] })
const root = forge({ by: ana, members: admins, groups: new Map([["prod", founded.sha256]]) })
const writerLeft = forge({ by: ana, members: admins.slice(0, 2), parents: [root] })
const adminLeft = forge({ by: ana, members: [member(ana, "admin")], parents: [writerLeft] })

function codes(pin: RecordNode, ...nodes: RecordNode[]): string[] {
  const input = inputOf(nodes, { pin })
  return findOldAnchors(verifyKeyring(input), input.pin).map(finding => finding.code)
}

test("PIN_OLD once somebody who could sign records has lost that right", () => {
  assert.equal(codes(root, root, founded), [])
  assert.equal(codes(root, root, writerLeft, founded), [])
  assert.equal(codes(root, root, writerLeft, adminLeft, founded), ["PIN_OLD"])
  assert.equal(codes(writerLeft, root, writerLeft, adminLeft, founded), ["PIN_OLD"])
  assert.equal(codes(adminLeft, root, writerLeft, adminLeft, founded), [])
})

test("PIN_OLD also where he came and went after the pin", () => {
  const came = forge({
    by: ana,
    members: [member(ana, "admin"), member(tom, "rotator")],
    parents: [adminLeft],
  })
  const went = forge({ by: ana, members: [member(ana, "admin")], parents: [came] })
  const nodes = [root, writerLeft, adminLeft, came, went, founded]
  assert.equal(codes(adminLeft, ...nodes), ["PIN_OLD"])
  assert.equal(codes(went, ...nodes), [])
})

test("ANCHOR_OLD for a group whose listed record is older than such a loss", () => {
  assert.equal(codes(root, root, founded, left), ["ANCHOR_OLD"])
  const keyring = verifyKeyring(inputOf([root, founded, left], { pin: root }))
  assert.equal([...renewAnchors(keyring)], [["prod", left.sha256]])
  const young = verifyKeyring(inputOf([root, founded], { pin: root }))
  assert.equal([...renewAnchors(young)], [["prod", founded.sha256]])
})

test.run()
