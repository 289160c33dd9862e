import { test } from "uvu"
import * as assert from "uvu/assert"
import { verifyWrites } from "../../src/crypto/signing.js"
import { type ErrorCode, hasCode } from "../../src/errors.js"
import type { SecretName } from "../../src/format/names.js"
import type { SecretFile } from "../../src/format/secret-file.js"
import type { RecordNode } from "../../src/keyring/graph.js"
import { badSignature, placeSecret, type SecretPlace, verifySecret } from "../../src/keyring/secret.js"
import { type Keyring, verifyKeyring } from "../../src/keyring/verify.js"
import { forge, inputOf, makePeople, member, register } from "./graphs.js"
import { forgeSecret, type SecretForgery } from "./secrets.js"

const people = await makePeople("ana", "tom", "eva", "bot", "max")
const { ana, tom, eva, bot, max } = people
register(...Object.values(people))

const team = [member(ana, "admin"), member(tom, "writer"), member(eva, "reader"), member(bot, "rotator")]
const prodRoot = forge({ by: ana, members: [member(ana, "admin"), member(max, "writer")], group: "prod" })
const groups = new Map([["prod", prodRoot.sha256]])
const root = forge({ by: ana, members: team, groups })
const rotated = forge({ by: bot, members: team, parents: [root] })
const keyring = verifyKeyring(inputOf([root, rotated, prodRoot], { pin: root }))

function pathOf(file: SecretFile): string {
  return `${file.name}.yaml`
}

function refused(
  code: ErrorCode,
  file: SecretFile,
  where: Partial<SecretPlace> & { keyring?: Keyring } = {},
): void {
  const place = { path: pathOf(file), ...where }
  assert.throws(
    () => verifySecret(where.keyring ?? keyring, file, place),
    (error: unknown) => hasCode(error, code) && error.message.includes(`"${place.path}"`),
    code,
  )
}

function accepted(forgery: SecretForgery, where: Partial<SecretPlace> = {}, ring = keyring): RecordNode {
  const file = forgeSecret(forgery)
  return verifySecret(ring, file, { path: pathOf(file), ...where }).record
}

test("what a writer signed is accepted under the newest data key and under older ones", () => {
  assert.is(accepted({ name: "KEY", by: tom, under: rotated }).id, rotated.id)
  assert.is(accepted({ name: "KEY", by: ana, under: root }).id, root.id)
  assert.is(accepted({ name: "prod/db/KEY", by: max, under: prodRoot }).id, prodRoot.id)
})

test("SECRET_MOVED: a file renamed, or of another store", () => {
  const file = forgeSecret({ name: "KEY", by: tom, under: root })
  refused("SECRET_MOVED", file, { path: "OTHER.yaml" })
  refused("SECRET_MOVED", forgeSecret({ name: "KEY", by: tom, under: root, store: "f".repeat(32) }))
  // An old version may have had another name.
  assert.is(accepted({ name: "KEY", by: tom, under: root }, { path: "OTHER.yaml", old: true }).id, root.id)
})

test("SECRET_WRONG_GROUP: a name never falls to another group than its own", () => {
  refused("SECRET_WRONG_GROUP", forgeSecret({ name: "prod/KEY", by: tom, under: root }))
  refused("SECRET_WRONG_GROUP", forgeSecret({ name: "KEY", by: max, under: prodRoot }))
  assert.is(accepted({ name: "prod/KEY", by: tom, under: root }, { old: true }).id, root.id)
  const stray = forgeSecret({
    name: "stage/KEY",
    by: ana,
    under: forge({ by: ana, members: team, group: "stage" }),
  })
  refused("SECRET_WRONG_GROUP", stray, { old: true })
})

test("KEY_UNKNOWN: a data key that is not here, or of a refused fork", () => {
  const elsewhere = forge({ by: ana, members: team, parents: [root] })
  refused("KEY_UNKNOWN", forgeSecret({ name: "KEY", by: tom, under: elsewhere }))
  const removal = forge({ by: ana, members: team.filter(entry => entry.name !== "tom"), parents: [root] })
  const fork = forge({ by: bot, members: team, parents: [root] })
  const forked = verifyKeyring(inputOf([root, removal, fork, prodRoot], { pin: root }))
  refused("KEY_UNKNOWN", forgeSecret({ name: "KEY", by: tom, under: fork }), { keyring: forked })
})

test("KEY_RETIRED: an old file put back after a removal", () => {
  const removal = forge({ by: ana, members: team.filter(entry => entry.name !== "tom"), parents: [rotated] })
  const after = verifyKeyring(inputOf([root, rotated, removal, prodRoot], { pin: root }))
  for (const by of [tom, ana]) {
    refused("KEY_RETIRED", forgeSecret({ name: "KEY", by, under: rotated }), { keyring: after })
    assert.is(accepted({ name: "KEY", by, under: rotated }, { old: true }, after).id, rotated.id)
  }
})

test("KEY_RETIRED: in a diverged keyring each current record retires what it holds", () => {
  const removal = forge({ by: ana, members: team.filter(entry => entry.name !== "tom"), parents: [root] })
  const other = forge({ by: ana, members: team, parents: [root] })
  const diverged = verifyKeyring(inputOf([root, removal, other, prodRoot], { pin: root }))
  refused("KEY_RETIRED", forgeSecret({ name: "KEY", by: ana, under: root }), { keyring: diverged })
  assert.is(accepted({ name: "KEY", by: tom, under: other }, {}, diverged).id, other.id)
})

test("WRITER_NOT_ALLOWED: readers, rotators, strangers, and a demoted writer who backdates", () => {
  for (const by of [eva, bot, max])
    refused("WRITER_NOT_ALLOWED", forgeSecret({ name: "KEY", by, under: rotated }))
  const demoted = team.map(entry => (entry.name === "tom" ? member(tom, "rotator") : entry))
  const demotion = forge({ by: ana, members: demoted, parents: [rotated] })
  const after = verifyKeyring(inputOf([root, rotated, demotion, prodRoot], { pin: root }))
  const backdated = forgeSecret({ name: "KEY", by: tom, under: demotion, created: root.record.created })
  refused("WRITER_NOT_ALLOWED", backdated, { keyring: after })
})

test("WRITE_SIGNATURE: a claimed signer, and a signed write carried to another place", () => {
  refused("WRITE_SIGNATURE", forgeSecret({ name: "KEY", by: tom, under: root, signing: eva.signing }))
  const file = forgeSecret({ name: "KEY", by: tom, under: root })
  const changes: Partial<SecretFile>[] = [
    { name: "OTHER" as SecretName },
    { version: 2 },
    { state: "deleted" },
    { type: "binary" },
    { valueKeys: [] },
    { created: "2030-01-01T00:00:00Z" },
    { author: "ana" },
    { previous: [`1-${"a".repeat(40)}`] },
    { meta: new Map([["env", "PATH"]]) },
    { digest: "0".repeat(64) },
    { signer: "ana" },
  ]
  for (const change of changes) refused("WRITE_SIGNATURE", { ...file, ...change })
  // To another group, by somebody who writes in both: ana signed it for the root group.
  const anas = forgeSecret({ name: "KEY", by: ana, under: root })
  refused("WRITE_SIGNATURE", { ...anas, name: "prod/KEY" as SecretName, group: "prod", key: prodRoot.id })
})

test("many signatures are checked in one batch", async () => {
  const files = ["A", "B", "C"].map(name => forgeSecret({ name, by: tom, under: root }))
  const forged = forgeSecret({ name: "D", by: tom, under: root, signing: eva.signing })
  const writes = [...files, forged].map(file => placeSecret(keyring, file, { path: pathOf(file) }).write)
  assert.equal(await verifyWrites(writes), [true, true, true, false])
  assert.is(badSignature(forged, { path: "D.yaml" }).code, "WRITE_SIGNATURE")
})

test.run()
