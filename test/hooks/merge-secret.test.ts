/** The merge driver against the rule that `coffer resolve` uses, and as git runs it. */
import { execFileSync, spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import fc from "fast-check"
import { suite } from "uvu"
import * as assert from "uvu/assert"
import type { SecretName } from "../../src/format/names.js"
import { type MergeSide, settle } from "../../src/keyring/resolve-rule.js"
import { installMergeDriver } from "../../src/storage/merge-driver.js"

const test = suite<{ dir: string }>("merge-secret")
const DRIVER = resolve("hooks/merge-secret")

test.before.each(context => {
  context.dir = realpathSync(mkdtempSync(join(tmpdir(), "coffer merge ")))
})
test.after.each(({ dir }) => rmSync(dir, { recursive: true, force: true }))

type Side = Omit<MergeSide["file"], "name" | "state"> & { name: string; sealed: number }

/** The lines of a secret file that matter here, in their order, between others that must not be mistaken. */
function printSide(side: Side): string {
  return [
    "coffer: secret/1",
    `store: "${side.store}"`,
    'group: "default"',
    `name: "${side.name}"`,
    `version: ${side.version}`,
    "state: current",
    "type: text",
    'valueKeys:\n  - "default/1-aaaaaaaa"',
    'created: "2026-01-01T00:00:00Z"',
    'author: "ana"',
    side.previous.length === 0
      ? "previous: []"
      : `previous:\n${side.previous.map(id => `  - "${id}"`).join("\n")}`,
    'meta:\n  "key": "9-ffffffff"\n  "version": "7"',
    `digest: "${side.digest}"`,
    'signer: "ana"',
    "signature: |\n  c2lnbmF0dXJl",
    `key: "${side.key}"`,
    `nonce: |\n  bm9uY2U${side.sealed}`,
    'version: 99\ndigest: "not read"\n',
  ].join("\n")
}

function blobId(text: string): string {
  return createHash("sha1")
    .update(`blob ${Buffer.byteLength(text)}\0${text}`)
    .digest("hex")
}

function mergeSide(side: Side): MergeSide {
  return { file: { ...side, name: side.name as SecretName, state: "current" }, oid: blobId(printSide(side)) }
}

// Small domains, so that equal versions, digests and keys are common.
const plainSide = fc.record({
  store: fc.constantFrom("s1", "s1", "s1", "s2"),
  name: fc.constantFrom("A", "A", "A", "prod/B"),
  version: fc.constantFrom(1, 2, 10),
  digest: fc.constantFrom("d1", "d2"),
  previous: fc.constant([] as string[]),
  key: fc.constantFrom("1-aaaaaaaa", "2-aaaaaaaa", "2-bbbbbbbb", "10-aaaaaaaa"),
  sealed: fc.nat(9),
})

const triple = fc
  .tuple(
    fc.option(plainSide, { nil: undefined }),
    plainSide,
    plainSide,
    fc.constantFrom("none", "ours", "theirs", "wrong"),
  )
  .map(([base, ours, theirs, link]) => {
    const entry = (side: Side) => `${side.version}-${blobId(printSide(side))}`
    if (link === "ours") return { base, ours: { ...ours, previous: ["1-00ff", entry(theirs)] }, theirs }
    if (link === "theirs") return { base, ours, theirs: { ...theirs, previous: [entry(ours)] } }
    if (link === "wrong") return { base, ours: { ...ours, previous: [`9${entry(theirs)}`] }, theirs }
    return { base, ours, theirs }
  })

/** Runs the driver on many triples in one shell; gives status and result of each. */
function runDriver(
  dir: string,
  triples: (readonly (string | undefined)[])[],
): { status: number; result: string }[] {
  triples.forEach((files, index) => {
    mkdirSync(join(dir, `${index}`))
    const names = ["base", "ours", "theirs"]
    for (const [side, text] of files.entries()) writeFileSync(join(dir, `${index}`, names[side]!), text ?? "")
  })
  const script =
    'i=0; while [ $i -lt "$2" ]; do sh "$1" $i/base $i/ours $i/theirs; echo $?; i=$((i + 1)); done'
  const args = ["-c", script, "sh", DRIVER, String(triples.length)]
  const output = execFileSync("sh", args, {
    cwd: dir,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  })
  return output
    .trim()
    .split("\n")
    .map((status, index) => ({
      status: Number(status),
      result: readFileSync(join(dir, `${index}/ours`), "utf8"),
    }))
}

test("settles what the rule settles, as the rule does", ({ dir }) => {
  const triples = fc.sample(triple, 150)
  const results = runDriver(
    dir,
    triples.map(({ base, ours, theirs }) => [base, ours, theirs].map(side => side && printSide(side))),
  )
  const taken = new Map<string, number>()
  triples.forEach(({ base, ours, theirs }, index) => {
    const { take } = settle(base && mergeSide(base), mergeSide(ours), mergeSide(theirs))
    const expected = {
      status: take === "conflict" ? 1 : 0,
      result: printSide(take === "theirs" ? theirs : ours),
    }
    assert.equal(results[index], expected, JSON.stringify({ base, ours, theirs, take }))
    taken.set(take, (taken.get(take) ?? 0) + 1)
  })
  assert.ok(
    [...taken.values()].length === 3 && [...taken.values()].every(count => count > 8),
    "all outcomes occur",
  )
})

test("what is no secret file is a conflict, with ours whole", ({ dir }) => {
  const good = fc.sample(plainSide, 1)[0]!
  const other = printSide({ ...good, version: 3 })
  const text = printSide(good)
  const broken = [
    "",
    `coffer: secret/2\n${text.slice(text.indexOf("\n") + 1)}`,
    text.replaceAll("\n", "\r\n"),
    `\uFEFF${text}`,
    ` ${text}`,
    text.replace(/^key: .*$/m, 'key: "1x-aa"'),
    text.replace(/^key: .*$/m, ""),
    "coffer: key/1\n",
    "\0\0\0",
  ]
  const results = runDriver(dir, [
    ...broken.map(ours => [text, ours, text] as const),
    ...broken.map(theirs => [text, text, theirs] as const),
    ...broken.map(base => [base, text, other] as const),
  ])
  results.forEach(({ status, result }, index) => {
    const ours = index < broken.length ? broken[index] : text
    assert.equal({ status, result }, { status: 1, result: ours }, `case ${index}`)
  })
})

test("a broken key number on both sides is no tie", ({ dir }) => {
  const text = printSide(fc.sample(plainSide, 1)[0]!).replace(/^key: .*$/m, 'key: "1x-aa"')
  assert.equal(runDriver(dir, [[text, text, text]]), [{ status: 1, result: text }])
})

test("variables of the caller's environment do not reach the rule", ({ dir }) => {
  const [side] = fc.sample(plainSide, 1)
  const [ours, theirs] = [printSide({ ...side!, version: 1 }), printSide({ ...side!, version: 2 })]
  writeFileSync(join(dir, "base"), "")
  writeFileSync(join(dir, "ours"), ours)
  writeFileSync(join(dir, "theirs"), theirs)
  const [secret] = [`store: "${side!.store}" name: "${side!.name}" `]
  const env = { ...process.env, base_secret: secret, base_value: `version: 1 digest: "${side!.digest}" ` }
  assert.is(spawnSync("sh", [DRIVER, "base", "ours", "theirs"], { cwd: dir, env }).status, 1)
})

test("git merges by it: one side rotated, the other set", ({ dir }) => {
  const git = (...args: string[]) => {
    const run = spawnSync("git", ["-c", "user.name=a", "-c", "user.email=a@b", ...args], {
      cwd: dir,
      encoding: "utf8",
    })
    return { status: run.status, output: run.stdout + run.stderr }
  }
  git("init", "-q", "-b", "main")
  installMergeDriver(join(dir, ".git"), ["secrets"], process.cwd())
  mkdirSync(join(dir, "secrets"))
  const side = { ...fc.sample(plainSide, 1)[0]!, name: "A", version: 1, digest: "d1", key: "1-aaaaaaaa" }
  const write = (change: Partial<Side>) => {
    writeFileSync(join(dir, "secrets/A.yaml"), printSide({ ...side, ...change }))
    git("add", ".")
    git("commit", "-qm", "x")
  }
  write({})
  git("checkout", "-qb", "rotated")
  write({ key: "2-bbbbbbbb", sealed: 5 })
  git("checkout", "-qb", "set", "main")
  write({ version: 2, digest: "d2" })
  git("checkout", "-qb", "other", "main")
  write({ version: 2, digest: "d3" })

  git("checkout", "-q", "rotated")
  assert.is(git("merge", "-q", "set").status, 0)
  assert.is(
    readFileSync(join(dir, "secrets/A.yaml"), "utf8"),
    printSide({ ...side, version: 2, digest: "d2" }),
  )
  const { status, output } = git("merge", "-q", "other")
  assert.is(status, 1)
  assert.match(output, "CONFLICT")
  assert.is(
    readFileSync(join(dir, "secrets/A.yaml"), "utf8"),
    printSide({ ...side, version: 2, digest: "d2" }),
  )
})

test.run()
