import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { parseSecretName, pathOf } from "../../src/format/names.js"
import { parseSecretFile, printSecretFile, type SecretFile } from "../../src/format/secret-file.js"
import { type CheckRequest, checkStore, counts } from "../../src/store/check.js"
import { addRecipient, removeRecipient } from "../../src/store/members.js"
import { rotateGroups } from "../../src/store/rotate.js"
import { listSecrets, setSecret } from "../../src/store/secrets.js"
import { listExposed, reportStatus } from "../../src/store/status.js"
import type { OpenOptions } from "../../src/store/store.js"
import { type Actor, assertRefused, makeTeam, now, type Team } from "./team.js"

let team: Team
let ana: Actor
test.before(async () => {
  team = await makeTeam()
  ana = team.ana
  await ana.set("A", "a1")
  await ana.set("prod/B", "b1")
  await ana.set("prod/C", "c1")
})
test.before.each(() => {
  ana.git("reset", "-q", "--hard")
  ana.git("clean", "-qfdx")
})

const inStore = (path: string) => join(ana.dir, "secrets", path)
const fileOf = (name: string) => inStore(pathOf(parseSecretName(name)))
const request = (more: Partial<CheckRequest> = {}): CheckRequest => ({ at: now(), ...more })
const check = async (more: Partial<CheckRequest> = {}, options: Partial<OpenOptions> = {}) =>
  checkStore(await ana.open(options), request(more))
const withEnv = (changes: Record<string, string | undefined>) => ({ env: { ...ana.options.env, ...changes } })

/** Codes and paths of what is found, errors and warnings alike. */
async function found(
  more: Partial<CheckRequest> = {},
  options: Partial<OpenOptions> = {},
): Promise<string[]> {
  const { problems } = await check(more, options)
  return problems.map(({ code, path }) => `${code} ${path}`)
}

/** Changes a secret's file as somebody who recomputes its sum. */
function edit(name: string, change: (file: SecretFile) => Partial<SecretFile>): void {
  const file = parseSecretFile(readFileSync(fileOf(name)))
  writeFileSync(fileOf(name), printSecretFile({ ...file, ...change(file) }))
}

test("a sound store: every file is looked at, every value opened, nothing is found", async () => {
  assert.equal(await check(), { checked: { files: 6, opened: 3 }, problems: [], failed: false })
})

test("a file removed by hand, not yet committed, is missing", async () => {
  rmSync(fileOf("prod/B"))
  assert.equal(await found(), ["SECRET_MISSING prod/B.yaml"])
})

test("an older version in the work tree, not yet committed, is found; a newer one is in order", async () => {
  await ana.set("prod/B", "b2")
  const newer = readFileSync(fileOf("prod/B"))
  writeFileSync(fileOf("prod/B"), ana.git("show", "HEAD~1:secrets/prod/B.yaml"))
  assert.equal(await found(), ["ROLLED_BACK prod/B.yaml"])
  ana.git("reset", "-q", "--hard", "HEAD~1")
  writeFileSync(fileOf("prod/B"), newer)
  assert.equal(await found(), [])
})

test("without an identity structure, signatures and places are checked", async () => {
  const { checked, problems } = await check({}, withEnv({ COFFER_IDENTITY: "" }))
  assert.equal(checked, { files: 6, opened: 0 })
  assert.equal(problems, [])
})

test("without a pin it warns; --fail-on pin and --require-pin insist on one", async () => {
  const options = withEnv({ COFFER_PIN: undefined })
  const { problems, failed } = await check({}, options)
  assert.equal(
    problems.map(({ code, level }) => `${code} ${level}`),
    ["UNPINNED warning"],
  )
  assert.is(failed, false)
  assert.is((await check({ failOn: ["pin"] }, options)).failed, true)
  await assertRefused("CHECK_INCOMPLETE", () => check({ requirePin: true }, options))
  await assertRefused("CHECK_INCOMPLETE", () => check({ requirePin: true }, withEnv({ COFFER_PIN: "tofu" })))
})

test("each file that is not what it says is named with its code", async () => {
  const damaged = readFileSync(fileOf("A"), "utf8").replace(/(?<=sum: ")./, digit =>
    digit === "0" ? "1" : "0",
  )
  const cases: [string, () => void, string[]][] = [
    ["damage", () => writeFileSync(fileOf("A"), damaged), ["DAMAGED A.yaml"]],
    [
      "a formatter",
      () => writeFileSync(fileOf("A"), `${readFileSync(fileOf("A"), "utf8")}\n`),
      ["NOT_CANONICAL A.yaml"],
    ],
    [
      "git mv",
      () => renameSync(fileOf("A"), inStore("Z.yaml")),
      ["SECRET_MISSING A.yaml", "SECRET_MOVED Z.yaml"],
    ],
    ["another author", () => edit("A", () => ({ author: "eva" })), ["WRITE_SIGNATURE A.yaml"]],
    ["another signer", () => edit("A", () => ({ signer: "eva" })), ["WRITER_NOT_ALLOWED A.yaml"]],
    ["another value", () => edit("A", ({ value }) => ({ value: value.toReversed() })), ["TAMPERED A.yaml"]],
    ["another data key", () => edit("A", () => ({ key: "9-00000000" })), ["KEY_UNKNOWN A.yaml"]],
    ["a note", () => writeFileSync(inStore("README.md"), "x"), ["NOT_CANONICAL README.md"]],
    ["plaintext", () => writeFileSync(inStore("x.yaml"), "password: 1\n"), ["NOT_CANONICAL x.yaml"]],
    [
      "attributes below",
      () => writeFileSync(inStore("prod/.gitattributes"), "* text\n"),
      ["NOT_CANONICAL prod/.gitattributes"],
    ],
    [
      "attributes below .coffer",
      () => writeFileSync(inStore(".coffer/.gitattributes"), "* text\n"),
      ["NOT_CANONICAL .coffer/.gitattributes"],
    ],
    [
      "its attributes",
      () => writeFileSync(inStore(".gitattributes"), "* text\n"),
      ["NOT_CANONICAL .gitattributes"],
    ],
    ["no attributes", () => rmSync(inStore(".gitattributes")), ["NOT_CANONICAL .gitattributes"]],
    ["a link", () => symlinkSync("/etc/passwd", inStore("L.yaml")), ["NOT_CANONICAL L.yaml"]],
    [
      "case",
      () => writeFileSync(inStore("prod/b.yaml"), readFileSync(fileOf("A"))),
      ["NAME_INVALID prod/b.yaml"],
    ],
    [
      "an executable, staged",
      () => ana.git("update-index", "--chmod=+x", "secrets/A.yaml"),
      ["NOT_CANONICAL A.yaml"],
    ],
    [
      "an unlisted group",
      () => {
        mkdirSync(inStore(".coffer/keys/prod"))
        const record = ana.git("ls-files", "secrets/.coffer/keys").trim()
        writeFileSync(inStore(".coffer/keys/prod/1-00000000.yaml"), readFileSync(join(ana.dir, record)))
      },
      ["GROUP_NOT_LISTED .coffer/keys/prod/1-00000000.yaml"],
    ],
  ]
  for (const [what, change, expected] of cases) {
    change()
    assert.equal(await found(), expected, what)
    assert.is((await check()).failed, true, what)
    ana.git("reset", "-q", "--hard")
    ana.git("clean", "-qfdx")
  }
})

test("names that are no UTF-8 are found, and hold up nobody who reads", async () => {
  const odd = (path: string) => Buffer.concat([Buffer.from(inStore(path)), Buffer.from([0xff])])
  mkdirSync(odd("folder"))
  writeFileSync(Buffer.concat([odd("folder"), Buffer.from("/file")]), "plain")
  writeFileSync(odd("file"), "plain")
  const { problems } = await check()
  assert.equal(
    problems.map(({ code, path }) => [code, path]),
    [
      ["NOT_CANONICAL", "file\ufffd"],
      ["NOT_CANONICAL", "folder\ufffd"],
    ],
  )
  assert.ok((await listSecrets(await ana.open())).length > 0)
  rmSync(odd("file"))
  rmSync(odd("folder"), { recursive: true })
})

test("a value altered under the same signature is found only with an identity", async () => {
  edit("A", ({ value }) => ({ value: value.toReversed() }))
  assert.equal(await found({}, withEnv({ COFFER_IDENTITY: "" })), [])
  assert.equal(await found(), ["TAMPERED A.yaml"])
})

test("folders of .coffer that this version does not know are named, and no error", async () => {
  mkdirSync(inStore(".coffer/recovery"))
  writeFileSync(inStore(".coffer/recovery/x.yaml"), "x")
  const { problems, failed } = await check()
  assert.equal(
    problems.map(({ level, path }) => `${level} ${path}`),
    ["note .coffer/recovery/x.yaml"],
  )
  assert.is(failed, false)
})

test("--since finds what was lost since a commit, needs no key, and lets a branch be ahead", async () => {
  const keyless = withEnv({ COFFER_IDENTITY: "" })
  const base = ana.git("rev-parse", "HEAD").trim()
  await ana.set("A", "a2")
  const after = ana.git("rev-parse", "HEAD").trim()
  assert.equal(await found({ since: base }, keyless), [])
  ana.git("branch", "-f", "ahead")
  ana.git("reset", "-q", "--hard", base)
  assert.equal(await found({ since: "ahead" }, keyless), [])
  assert.equal(await found({ since: after }, keyless), ["HISTORY_REWRITTEN secrets", "ROLLED_BACK A.yaml"])
  ana.git("reset", "-q", "--hard", after)
  ana.git("checkout", "-q", base, "--", "secrets/A.yaml")
  ana.git("rm", "-q", "secrets/prod/C.yaml")
  ana.git("commit", "-qm", "back")
  assert.equal(await found({ since: "ahead" }, { ...keyless, note: () => {} }), [
    "ROLLED_BACK A.yaml",
    "SECRET_MISSING prod/C.yaml",
  ])
  await assertRefused("HISTORY_MISSING", () => check({ since: "0".repeat(40) }))
  await assertRefused("HISTORY_MISSING", () => check({ since: "--all" }))
  ana.git("reset", "-q", "--hard", base)
})

test("a merge that dropped one side's value is found", async () => {
  const base = ana.git("rev-parse", "HEAD").trim()
  ana.git("switch", "-qc", "side")
  await ana.set("A", "theirs")
  ana.git("switch", "-q", "main")
  await ana.set("A", "ours")
  await ana.set("A", "ours again")
  ana.git("merge", "-q", "-s", "ours", "-m", "merge", "side")
  const { problems } = await check()
  assert.equal(
    problems.map(({ code, path }) => `${code} ${path}`),
    ["VERSION_TWICE A.yaml"],
  )
  assert.match(problems[0]!.message, "version 2")
  ana.git("reset", "-q", "--hard", base)
})

test("where git cannot be used, status says why it knows nothing of hooks", async () => {
  const at = now()
  const without = await ana.open({ git: "system", env: { ...ana.options.env, PATH: "/nonexistent" } })
  const { hooks, hooksUnknown } = await reportStatus(without, { at })
  assert.is(hooks, null)
  assert.match(hooksUnknown ?? "", "git")
  assert.not.match(hooksUnknown ?? "", "no git repository")
  assert.is((await reportStatus(await ana.open(), { at })).hooksUnknown, null)
})

test("overdue, exposed, stale: warnings that --fail-on makes count; status shows them", async () => {
  const base = ana.git("rev-parse", "HEAD").trim()
  const bob = await team.join("bob")
  await addRecipient(await ana.open(), { name: "bob", card: bob.card, at: now() })
  // Adding somebody leaves the files as they are: the older key is not retired by that.
  assert.equal(await found(), [])
  // Whoever asks for it is told of every older key.
  assert.equal(await found({ failOn: ["stale"] }), ["STALE .coffer/keys/default"])
  assert.is((await check({ failOn: ["stale"] })).failed, true)
  ana.git("switch", "-qc", "in-flight")
  await ana.set("D", "d1")
  ana.git("switch", "-q", "main")
  await rotateGroups(await ana.open(), { at: now() })
  ana.git("merge", "-q", "-m", "merge", "in-flight")
  assert.equal(await found(), ["STALE D.yaml"])
  assert.is((await check()).failed, false)
  assert.is((await check({ failOn: ["stale"] })).failed, true)

  await removeRecipient(await ana.open(), { name: "bob", at: now() })
  assert.equal(await found(), [
    "EXPOSED A.yaml",
    "EXPOSED D.yaml",
    "EXPOSED prod/B.yaml",
    "EXPOSED prod/C.yaml",
  ])
  assert.is((await check({ failOn: ["exposed"] })).failed, true)
  const [exposed] = await listExposed(await ana.open())
  assert.is(exposed?.name, "A")
  assert.equal(
    exposed?.by.map(({ member }) => member),
    ["bob"],
  )
  await ana.set("A", "a2")
  assert.equal(await found(), ["EXPOSED D.yaml", "EXPOSED prod/B.yaml", "EXPOSED prod/C.yaml"])

  const meta = new Map([["rotateAfter", "90d"]])
  await setSecret(await ana.open(), { name: parseSecretName("A"), meta, at: now() })
  const later = new Date(now().getTime() + 91 * 86_400_000)
  assert.ok((await found({ at: later })).includes("OVERDUE A.yaml"))
  assert.is((await check({ at: later, failOn: ["overdue"] })).failed, true)

  const report = await reportStatus(await ana.open(), { at: later })
  assert.is(report.trusted, true)
  assert.is(report.failed, false)
  assert.equal(report.groups.length, 1)
  const [group] = report.groups
  assert.is(group?.secrets, 4)
  assert.is(group?.members, 1)
  assert.is(group?.exposed, 3)
  assert.is(group?.overdue, 1)
  assert.ok((group?.keyAge ?? 0) >= 91)
  assert.is((await reportStatus(await ana.open(), { at: later, failOn: ["overdue"] })).failed, true)
  ana.git("reset", "-q", "--hard", base)
})

test("status tells about a store whose key records are refused", async () => {
  const store = await ana.open(
    withEnv({ COFFER_PIN: team.pin.replace(/.$/, last => (last === "a" ? "q" : "a")) }),
  )
  const report = await reportStatus(store, { at: now() })
  assert.is(report.pin, null)
  assert.equal(report.groups, [])
  assert.is(report.problems[0]?.code, "PIN_MISMATCH")
})

test("an error counts whatever --fail-on says", () => {
  const finding = { code: "TAMPERED", level: "error", message: "" } as const
  assert.is(counts(finding, []), true)
  assert.is(counts({ ...finding, level: "note" }, ["pin", "stale"]), false)
})

test("files that a killed write left half way are put right before they are read", async () => {
  const { ana } = await makeTeam()
  const file = join(ana.dir, "secrets/C.yaml")
  await ana.set("C", "c1")
  await ana.set("D", "d1")
  const from = ana.git("rev-parse", "HEAD").trim()
  const before = readFileSync(file)
  await rotateGroups(await ana.open(), { at: now(), compromised: true })
  const to = ana.git("rev-parse", "HEAD").trim()
  // The user has committed what was staged; only some files are in place.
  ana.git("commit", "-q", "--amend", "-m", "mine")
  const oid = (commit: string, path: string) =>
    ana.git("ls-tree", "-r", "--format=%(objectname)", commit, path).trim() || null
  const files = ana
    .git("diff", "--name-only", from, to)
    .trim()
    .split("\n")
    .map(path => ({ path, was: oid(from, path), to: oid(to, path) }))
  const journal = { format: 1, token: "0".repeat(32), commit: { ref: "refs/heads/main", from, to }, files }
  writeFileSync(join(ana.dir, ".git/coffer/journal"), JSON.stringify(journal))
  writeFileSync(file, before)
  const { problems } = await checkStore(await ana.open(), request())
  assert.equal(problems, [])
  assert.is(await ana.get("C"), "c1")
})

test.run()
