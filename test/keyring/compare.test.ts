import { test } from "uvu"
import * as assert from "uvu/assert"
import type { SecretName } from "../../src/format/names.js"
import type { SecretHeader } from "../../src/format/secret-file.js"
import { findRollback, type SecretSide } from "../../src/keyring/compare.js"

function side(version: number, change: Partial<SecretHeader> = {}, oid = `oid${version}`): SecretSide {
  const header: SecretHeader = {
    store: "00",
    group: "default",
    name: "prod/KEY" as SecretName,
    version,
    state: "current",
    type: "text",
    valueKeys: [],
    created: `2026-01-0${version}T00:00:00Z`,
    author: "ana",
    previous: [],
    meta: new Map(),
    digest: `digest${version}`,
    signer: "ana",
    ...change,
  }
  return { header, oid }
}

function codeOf(seen: SecretSide, present: SecretSide | undefined): string | undefined {
  const refusal = findRollback(seen, present)
  if (refusal !== undefined) assert.match(refusal.message, '"prod/KEY"')
  return refusal?.code
}

test("a later version and a file sealed again are in order", () => {
  assert.is(codeOf(side(1), side(2)), undefined)
  assert.is(codeOf(side(1), side(5)), undefined)
  assert.is(codeOf(side(2), side(2, { group: "prod", signer: "tom" }, "resealed")), undefined)
})

test("an older version put back is ROLLED_BACK", () => {
  assert.is(codeOf(side(3), side(2)), "ROLLED_BACK")
  assert.match(findRollback(side(3, { state: "deleted" }), side(2))!.hint!, "coffer undelete prod/KEY")
  assert.match(findRollback(side(3), side(2))!.hint!, "coffer rollback prod/KEY@2")
})

test("another value under one number is VERSION_TWICE unless it follows ours", () => {
  assert.is(codeOf(side(2), side(2, { digest: "other" })), "VERSION_TWICE")
  assert.is(codeOf(side(2), side(2, { digest: "other", previous: ["1-oid1"] })), "VERSION_TWICE")
  assert.is(codeOf(side(2), side(2, { digest: "other", previous: ["2-oid2"] })), undefined)
})

test("a file that is gone is SECRET_MISSING unless its tombstone was purged", () => {
  assert.is(codeOf(side(2), undefined), "SECRET_MISSING")
  assert.is(codeOf(side(2, { state: "deleted" }), undefined), undefined)
})

test("after a known tombstone only a first version made later begins anew", () => {
  const tombstone = side(4, { state: "deleted" })
  assert.is(codeOf(tombstone, side(1, { created: "2026-01-05T00:00:00Z" })), undefined)
  assert.is(codeOf(tombstone, side(1)), "ROLLED_BACK")
  assert.is(codeOf(tombstone, side(2, { created: "2026-01-05T00:00:00Z" })), "ROLLED_BACK")
  assert.is(codeOf(side(4), side(1, { created: "2026-01-05T00:00:00Z" })), "ROLLED_BACK")
})

test.run()
