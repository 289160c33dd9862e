/** Secret files as far as the merge rule reads them, drawn at random, and the driver run on many at a time. */
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join, resolve } from "node:path"
import fc from "fast-check"
import type { SecretName } from "../../src/format/names.js"
import { type MergeSide, settle } from "../../src/keyring/resolve-rule.js"

export const DRIVER = resolve("hooks/merge-secret")

export type Side = Omit<MergeSide["file"], "name" | "state"> & { name: string; sealed: number }

/** The lines of a secret file that matter here, in their order, between others that must not be mistaken. */
export function printSide(side: Side): string {
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
export const plainSide = fc.record({
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
export function runDriver(
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

/**
 * Gives the driver and the rule of `coffer resolve` the same triples.
 *
 * @returns how often each outcome came, and the triples that the two settle differently
 */
export function compareRules(
  dir: string,
  count: number,
  seed: number,
): { taken: ReadonlyMap<string, number>; differ: readonly string[] } {
  const triples = fc.sample(triple, { numRuns: count, seed })
  const results = runDriver(
    dir,
    triples.map(({ base, ours, theirs }) => [base, ours, theirs].map(side => side && printSide(side))),
  )
  const taken = new Map<string, number>()
  const differ: string[] = []
  triples.forEach(({ base, ours, theirs }, index) => {
    const { take } = settle(base && mergeSide(base), mergeSide(ours), mergeSide(theirs))
    const status = take === "conflict" ? 1 : 0
    const { status: actual, result } = results[index]!
    if (actual !== status || result !== printSide(take === "theirs" ? theirs : ours))
      differ.push(JSON.stringify({ base, ours, theirs, take, status: actual }))
    taken.set(take, (taken.get(take) ?? 0) + 1)
  })
  return { taken, differ }
}
