/** docs/recovery.py, the second implementation: on the vectors, on the attacks, and as docs/recovery.md says. */
import { execFileSync, spawnSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { suite } from "uvu"
import * as assert from "uvu/assert"
import { parseKeyRecord } from "../src/format/key-record.js"
import { isTime } from "../src/format/times.js"
import { makeNode } from "../src/keyring/graph.js"
import { findMemberFault } from "../src/keyring/record-rules.js"

const VECTORS = resolve("test/vectors")
const SCRIPT = resolve("docs/recovery.py")
const IDENTITIES = join(VECTORS, "store/identities")

const test = suite<{ folder: string }>("recovery")
const readJson = (path: string) => JSON.parse(readFileSync(join(VECTORS, path), "utf8"))
const { pins, secrets } = readJson("store/expected.json")

test.before.each(context => {
  context.folder = mkdtempSync(join(tmpdir(), "coffer-recovery-"))
  cpSync(join(VECTORS, "store/secrets"), join(context.folder, "secrets"), { recursive: true })
})
test.after.each(({ folder }) => rmSync(folder, { recursive: true }))

function recover(folder: string, ...args: string[]) {
  return spawnSync("python3", [SCRIPT, join(folder, "secrets"), ...args], { encoding: "utf8" })
}

test("it gives the same verdicts on all vectors and attacks", () => {
  const output = execFileSync("python3", ["test/recovery-vectors.py"], { encoding: "utf8" })
  const compared = /^([0-9]+) compared\n$/.exec(output)
  assert.ok(Number(compared?.[1]) > 180, output)
})

/** Each is a key record whose first member or his wrap is not as it must be, and the code of the refusal. */
function* oddMembers(): Generator<readonly [why: string, record: Buffer, code: string]> {
  const record = readFileSync(join(VECTORS, "files/key-first.yaml"), "latin1")
  const { recipient } = parseKeyRecord(Buffer.from(record, "latin1")).members[0]!
  for (const other of [
    `${recipient.slice(0, -1)}q`,
    recipient.replace("age1e", "age1E"),
    `${recipient}qqqqqq`,
    "age1",
  ])
    yield [other, Buffer.from(record.replace(recipient, other), "latin1"), "MEMBER_INVALID"]
  const [block, text] = /wrap:\n {2}- \|\n((?: {4}.*\n)+)/.exec(record)!
  const wrap = Buffer.from(text!.replaceAll(/\s/g, ""), "base64").toString("latin1")
  const body = /(?<=X25519 .*\n).*(?=\n---)/
  for (const [why, header] of [
    ["a stanza without a body", wrap.replace(/X25519(.*)\n.*\n/, "X25519$1\n")],
    ["a body that goes on", wrap.replace(body, "$&$&")],
    ["a body of other characters", wrap.replace(body, "!!")],
    ["a body with padding", wrap.replace(body, "$&=")],
    ["a body with bits to spare", wrap.replace(body, "AAB")],
    ["two spaces", wrap.replace("-> X25519 ", "-> X25519  ")],
    ["a line of no kind", wrap.replace("-> X25519", "x\n-> X25519")],
    ["a short MAC", wrap.replace(/--- ./, "--- ")],
    ["CRLF", wrap.replace("v1\n", "v1\r\n")],
  ] as const) {
    const lines = Buffer.from(header, "latin1")
      .toString("base64")
      .replaceAll(/.{1,76}/g, "    $&\n")
    const odd = Buffer.from(record.replace(block, `wrap:\n  - |\n${lines}`), "latin1")
    yield [why, odd, "WRAP_SHAPE"]
  }
}

test("members and wraps that coffer refuses, it refuses too", ({ folder }) => {
  const files: string[] = []
  for (const [why, record, code] of oddMembers()) {
    const fault = findMemberFault(makeNode("odd.yaml", record))
    assert.is(fault?.code, code, why)
    files.push(join(folder, `${files.length}.yaml`))
    writeFileSync(files.at(-1)!, record)
  }
  const program = `
import sys
sys.path.insert(0, "docs")
import recovery
for path in sys.argv[1:]:
    try:
        recovery.check_members(recovery.Record(path, open(path, "rb").read()))
        print("accepted")
    except recovery.Refused as error:
        print(error.code)`
  const verdicts = execFileSync("python3", ["-B", "-c", program, ...files], { encoding: "utf8" })
  const expected = [...oddMembers()].map(([, , code]) => `${code}\n`).join("")
  assert.is(verdicts, expected)
})

test("times that coffer takes, it takes too, and no others", () => {
  const days = [
    "0000-02-29",
    "0001-01-01",
    "0999-12-31",
    "2000-02-29",
    "2023-02-29",
    "2024-02-30",
    "9999-12-31",
  ]
  const hours = ["00:00:00", "23:59:59", "23:59:60", "24:00:00", "12:60:00"]
  const times = days.flatMap(day => hours.map(hour => `${day}T${hour}Z`))
  const program = `
import sys
sys.path.insert(0, "docs")
import recovery
print("\\n".join(time for time in sys.argv[1:] if recovery.is_time(time)))`
  const taken = execFileSync("python3", ["-B", "-c", program, ...times], { encoding: "utf8" })
  assert.is(taken.trim(), times.filter(isTime).join("\n"))
})

test("it reads all values, from the newest pin and from an older one", ({ folder }) => {
  for (const pin of [pins.newest, pins.older]) {
    const { stdout, stderr } = recover(folder, "-i", join(IDENTITIES, "ana.txt"), "--pin", pin)
    const read = JSON.parse(stdout)
    const live = secrets.filter((secret: { state: string }) => secret.state === "current")
    assert.equal(Object.keys(read).sort(), live.map((secret: { name: string }) => secret.name).sort())
    for (const { name, version, valueBase64 } of live) {
      const { value, valueBase64: binary } = read[name]
      assert.is(binary ?? Buffer.from(value).toString("base64"), valueBase64, name)
      assert.is(read[name].version, version)
    }
    assert.is(stderr, "")
  }
})

test("without a pin it says so, and a reader sees no more than his groups", ({ folder }) => {
  const { stdout, stderr } = recover(folder, "-i", join(IDENTITIES, "ci.txt"))
  assert.match(stderr, /^UNPINNED/)
  assert.match(stderr, "NOT_A_MEMBER: no identity reads prod/eu")
  assert.is(JSON.parse(stdout)["prod/KEY"].value, "under the first key")
  assert.is(JSON.parse(stdout)["prod/eu/KEY"], undefined)
})

test("without age, and with what is no identity, one line says so", ({ folder }) => {
  const args = (identity: string) => [SCRIPT, join(folder, "secrets"), "-i", identity, "--pin", pins.newest]
  const python = execFileSync("python3", ["-c", "import sys; print(sys.executable)"], {
    encoding: "utf8",
  }).trim()
  const bare = spawnSync(python, args(join(IDENTITIES, "ana.txt")), {
    env: { PATH: folder },
    encoding: "utf8",
  })
  assert.match(bare.stderr, /^refused: IO_FAILED: age-keygen: .*\n$/)
  const odd = spawnSync("python3", args(join(folder, "secrets/.gitattributes")), { encoding: "utf8" })
  assert.match(odd.stderr, /^refused: IDENTITY_INVALID: .*\n$/)
})

test("links, pipes and other people's files are refused without hanging", ({ folder }) => {
  const check = () => recover(folder, "--pin", pins.newest, "--check")
  assert.is(check().status, 0)
  execFileSync("mkfifo", [join(folder, "secrets/pipe.yaml")])
  assert.match(check().stderr, "NOT_CANONICAL")
  rmSync(join(folder, "secrets/pipe.yaml"))
  execFileSync("ln", ["-s", "/etc/passwd", join(folder, "secrets/link.yaml")])
  assert.match(check().stderr, "NOT_CANONICAL")
})

test("what is no part of a store is refused by a check, and not in the way of whoever reads", ({
  folder,
}) => {
  const strays = [".DS_Store", "app/notes.txt", ".coffer/keys/notes.txt"]
  const put = (path: string) => writeFileSync(join(folder, "secrets", path), "x")
  strays.forEach(put)
  const { status, stderr, stdout } = recover(folder, "-i", join(IDENTITIES, "ana.txt"), "--pin", pins.newest)
  assert.is(status, 0, stderr)
  assert.is(JSON.parse(stdout)["prod/KEY"].value, "under the first key")
  for (const path of strays) rmSync(join(folder, "secrets", path))
  for (const path of strays) {
    put(path)
    assert.match(stderr, `not looked at: ${path} is`)
    assert.match(
      recover(folder, "--pin", pins.newest, "--check").stderr,
      `refused: NOT_CANONICAL: ${path} is`,
    )
    rmSync(join(folder, "secrets", path))
  }
})

test("a check wants the attributes that keep files byte for byte", ({ folder }) => {
  writeFileSync(join(folder, "secrets/.gitattributes"), "* text\n")
  assert.match(
    recover(folder, "--pin", pins.newest, "--check").stderr,
    "refused: NOT_CANONICAL: .gitattributes",
  )
})

/** Runs the shell parts of docs/recovery.md in a folder that holds what the text takes for granted. */
test("docs/recovery.md does what it says", ({ folder }) => {
  const work = join(folder, "work")
  mkdirSync(join(work, "docs"), { recursive: true })
  cpSync(join(folder, "secrets"), join(work, "secrets"), { recursive: true })
  cpSync(SCRIPT, join(work, "docs/recovery.py"))
  cpSync(join(IDENTITIES, "ana.txt"), join(work, "identity.txt"))
  const git = (...args: string[]) =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b", ...args], {
      cwd: work,
      // The user's own settings may sign commits or run hooks.
      env: { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null" },
      stdio: "pipe",
    })
  git("init", "-q")
  git("add", "secrets")
  git("commit", "-qm", "old")
  writeFileSync(join(work, "later"), "")
  git("add", "later")
  git("commit", "-qm", "new")
  const document = readFileSync("docs/recovery.md", "utf8")
  const parts = [...document.matchAll(/<!-- run: (\w+) -->\n```sh\n([\s\S]*?)```/g)]
  assert.equal(
    parts.map(([, name]) => name),
    ["all", "one", "check", "older", "hand"],
  )
  const outputs = parts.map(([, , script]) =>
    execFileSync("bash", ["-euo", "pipefail", "-c", script!], {
      cwd: work,
      env: { ...process.env, PIN: pins.newest, OLDER_PIN: pins.older },
      encoding: "utf8",
      stdio: "pipe",
    }),
  )
  const [all, one, check, older, hand] = outputs
  assert.is(JSON.parse(all!)["prod/db/PASSWORD"].value, "correct horse")
  assert.is(one, "correct horse")
  assert.is(check, "")
  assert.is(JSON.parse(older!)["prod/db/PASSWORD"].value, "correct horse")
  assert.is(hand!.trim(), "32")
})

test("it reads a store that coffer made, groups, rotations and a removal included", ({ folder }) => {
  const work = join(folder, "made")
  mkdirSync(join(folder, "home"))
  mkdirSync(work)
  const env = {
    PATH: process.env.PATH,
    HOME: join(folder, "home"),
    GIT_CONFIG_GLOBAL: "/dev/null",
    ...(process.env.NODE_V8_COVERAGE === undefined ? {} : { NODE_V8_COVERAGE: process.env.NODE_V8_COVERAGE }),
  }
  const coffer = (args: string[], input = "") =>
    execFileSync(process.execPath, [resolve("bin/coffer.js"), ...args], {
      cwd: work,
      env,
      input,
      stdio: "pipe",
    })
  execFileSync("git", ["init", "-q"], { cwd: work, env })
  for (const [key, value] of [
    ["name", "Ana"],
    ["email", "ana@example.org"],
  ]) {
    execFileSync("git", ["config", `user.${key}`, value!], { cwd: work, env })
  }
  coffer(["init", "--name", "ana", "--no-hooks"])
  const pin = coffer(["trust", "pin"]).toString().trim()
  const ana = join(folder, "home/.config/coffer/identity.txt")
  const eve = join(folder, "eve.txt")
  const { card } = JSON.parse(coffer(["--json", "identity", "new", "-o", eve]).toString())
  coffer(["recipients", "add", "eve", card])
  const binary = Buffer.from(Array.from({ length: 300 }, (_, index) => index & 255))
  coffer(["set", "API_TOKEN", "--exact"], "tok\n")
  coffer(["set", "prod/db/PASSWORD", "--meta", "owner=größe"], "first")
  writeFileSync(join(folder, "blob"), binary)
  coffer(["set", "prod/BLOB", "--file", join(folder, "blob")])
  coffer(["group", "create", "prod", "--member", "eve"])
  coffer(["set", "prod/db/PASSWORD"], "second")
  coffer(["move", "API_TOKEN", "prod/API_TOKEN"])
  coffer(["rotate"])
  coffer(["set", "GREETING"], "日本")
  coffer(["recipients", "remove", "eve", "-g", "prod"])
  // A terminal or a locale of another encoding changes nothing: what it prints is JSON.
  const settings = { ...process.env, PYTHONIOENCODING: "latin-1" }
  const recovered = (identity: string, ...names: string[]) =>
    spawnSync("python3", [SCRIPT, join(work, "secrets"), "-i", identity, "--pin", pin, ...names], {
      encoding: "utf8",
      env: settings,
    })
  const partly = recovered(eve)
  assert.is(partly.stderr, "REMOVED: no identity reads prod\n")
  assert.equal(Object.keys(JSON.parse(partly.stdout)), ["GREETING"])
  assert.match(recovered(eve, "prod/BLOB").stderr, "refused: REMOVED")
  assert.match(recovered(ana, "API_TOKEN").stderr, 'refused: NOT_FOUND: "API_TOKEN" was deleted')
  coffer(["recipients", "remove", "eve"])
  const { stdout, stderr } = recovered(ana)
  assert.is(stderr, "")
  const read = JSON.parse(stdout)
  assert.equal(Object.keys(read), ["GREETING", "prod/API_TOKEN", "prod/BLOB", "prod/db/PASSWORD"])
  assert.is(read.GREETING.value, "日本")
  assert.is(read["prod/API_TOKEN"].value, "tok\n")
  assert.is(read["prod/BLOB"].valueBase64, binary.toString("base64"))
  assert.is(read["prod/db/PASSWORD"].value, "second")
  for (const name of Object.keys(read)) {
    const { value, valueBase64 } = read[name]
    assert.equal(coffer(["get", name]), valueBase64 ? Buffer.from(valueBase64, "base64") : Buffer.from(value))
  }
  assert.match(recovered(eve).stderr, "refused: REMOVED")
})

test.run()
