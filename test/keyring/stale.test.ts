import { test } from "uvu"
import * as assert from "uvu/assert"
import { isStale } from "../../src/keyring/stale.js"
import { verifyKeyring } from "../../src/keyring/verify.js"
import { forge, inputOf, makePeople, member, register } from "./graphs.js"

const { ana, tom } = await makePeople("ana", "tom")
register(ana, tom)

test("files are stale once their group was sealed again, not because a member was added", () => {
  const root = forge({ by: ana, members: [member(ana, "admin")] })
  const both = [member(ana, "admin"), member(tom, "writer")]
  const added = forge({ by: ana, members: both, parents: [root], reason: "add" })
  const rotated = forge({ by: ana, members: both, parents: [added], reason: "rotate" })
  const group = (...nodes: (typeof root)[]) =>
    verifyKeyring(inputOf(nodes, { pin: root })).groups.get("default")!
  assert.not.ok(isStale(group(root, added), root.id))
  const last = group(root, added, rotated)
  assert.equal(
    [root, added, rotated].map(node => isStale(last, node.id)),
    [true, true, false],
  )
  assert.not.ok(isStale(last, "9-00000000"))
})

test.run()
