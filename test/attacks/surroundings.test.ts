import { execFileSync } from "node:child_process"
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { parse } from "yaml"
import { printSecretFile } from "../../src/format/secret-file.js"
import { files, forgeFile, people, tip } from "./cast.js"
import { attack, clone, coffer, finds, git, plant, reads, refuses } from "./world.js"

const { tom } = people

const UNTRUSTED = [
  "group: prod",
  "groups: [prod]",
  "editor: [sh, -c, id]",
  "identities: [/tmp/x]",
  "pin: coffer1-1-x",
  "host: evil.example",
]

attack(".coffer.yaml names a group, a command, a host or a key", () => {
  for (const line of UNTRUSTED) {
    writeFileSync(join(clone("tom"), ".coffer.yaml"), `${line}\n`)
    refuses("SETTING_UNKNOWN", line.split(":")[0]!)
  }
})

attack(".coffer.yaml names a store outside the repository, or behind a link", () => {
  symlinkSync(join(clone("ana"), "secrets"), join(clone("tom"), "elsewhere"))
  for (const store of ["../ana/secrets", "elsewhere", "."]) {
    writeFileSync(join(clone("tom"), ".coffer.yaml"), `store: ${store}\n`)
    const { status, stdout } = coffer("tom", ["get", "API_TOKEN"])
    assert.is(status, 2)
    assert.is(stdout, "")
  }
})

/** What may lie in place of a file; each is made at an absolute path. */
const OBSTACLES: Readonly<Record<string, (path: string) => void>> = {
  "a link to a file": path => symlinkSync("/etc/hostname", path),
  "a link to a device that never ends": path => symlinkSync("/dev/zero", path),
  "a named pipe": path => void execFileSync("mkfifo", [path]),
  "a file of 5 MiB": path => writeFileSync(path, new Uint8Array(5 * 1024 * 1024)),
}
const PLACES = ["API_TOKEN.yaml", tip.path]

for (const [what, make] of Object.entries(OBSTACLES)) {
  attack(`${what} lies in place of a store file: refused without hanging`, () => {
    for (const place of PLACES) {
      const path = join(clone("tom"), "secrets", place)
      rmSync(path)
      make(path)
      refuses("NOT_CANONICAL", place)
      finds("NOT_CANONICAL", place)
      rmSync(path, { recursive: true })
      git("tom", "checkout", "-q", "--", "secrets")
    }
  })
}

attack("a pipe lies in place of store.yaml, of the settings, or of what coffer notes in .git", () => {
  for (const place of ["secrets/.coffer/store.yaml", ".coffer.yaml", ".git/coffer/seen"]) {
    const path = join(clone("tom"), place)
    plant({ note: place })
    rmSync(path, { force: true })
    execFileSync("mkfifo", [path])
    const { status, stdout } = coffer("tom", ["get", "API_TOKEN"])
    assert.ok(status === 12 || status === 14, `${place}: ${status}`)
    assert.is(stdout, "")
    rmSync(path)
    git("tom", "checkout", "-q", "--", ".")
  }
})

attack("a pipe lies where a folder below would have its .git", () => {
  const folder = join(clone("tom"), "below")
  mkdirSync(folder)
  execFileSync("mkfifo", [join(folder, ".git")])
  reads("token two", { run: ["-C", "below", "get", "API_TOKEN"] })
})

attack("a folder on the way to a store file is a link", () => {
  const folder = join(clone("tom"), "secrets", "prod")
  rmSync(folder, { recursive: true })
  symlinkSync(join(clone("ana"), "secrets", "prod"), folder)
  refuses("NOT_CANONICAL", "prod", { run: ["get", "prod/TOKEN"] })
})

attack("a link is committed, and executable bits", () => {
  const path = join(clone("tom"), "secrets", "API_TOKEN.yaml")
  git("tom", "update-index", "--chmod=+x", "secrets/API_TOKEN.yaml")
  git("tom", "commit", "-qm", "mode")
  refuses("NOT_CANONICAL", "API_TOKEN.yaml", { run: ["set", "API_TOKEN"] })
  rmSync(path)
  symlinkSync("DB_URL.yaml", path)
  git("tom", "commit", "-qam", "link")
  refuses("NOT_CANONICAL", "API_TOKEN.yaml")
  refuses("NOT_CANONICAL", "API_TOKEN.yaml", { run: ["set", "API_TOKEN"] })
})

attack("names that YAML could take for something else", () => {
  for (const name of ["1e3", "true", "null", "0123456789", "~", "a.yaml/b", "../x", "CON", ".hidden"]) {
    const { status } = coffer("tom", ["set", name, "--json"], { input: "value" })
    const isName = /^[0-9a-z]+$/.test(name)
    assert.is(status, isName ? 0 : 2, name)
    if (!isName) continue
    const text = git("tom", "show", `HEAD:secrets/${name}.yaml`)
    assert.is(parse(text).name, name)
    reads("value", { run: ["get", name] })
  }
  // What is wrong with it is named, and the name is not: it may be a value.
  refuses("NAME_INVALID", ".yaml", { run: ["set", "a.yaml/b"] })
})

// Escape sequences, bidirectional overrides, line feeds that begin a message of their own.
const ESCAPE = "\u001b]0;owned\u0007\u001b[2J"
const HOSTILE = `${ESCAPE}\u202e\u200b\u009b`
const POSE = "coffer: error: pay here"
const UNSAFE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/

attack("hostile names, authors, meta, settings and remote text never reach a terminal unescaped", () => {
  const meta = new Map([["description", "a\u202eb\u200bc"]])
  plant({
    ...files(forgeFile({ name: "API_TOKEN", by: tom, meta })),
    [`${HOSTILE}.yaml`]: "x",
    [`a\n${POSE}.yaml`]: "x",
    [`.coffer/keys/${HOSTILE}/1-00000000.yaml`]: "x",
    [`.coffer/${HOSTILE}`]: "x",
    "DB_URL.yaml": Buffer.from(printSecretFile(forgeFile({ name: "DB_URL", by: tom })))
      .toString()
      .replace("meta: {}", `meta:\n  "description": "${HOSTILE}"`),
  })
  git(
    "tom",
    "commit",
    "-q",
    "--allow-empty",
    `--author=${ESCAPE} <${ESCAPE}@example.com>`,
    "-m",
    `${HOSTILE}\n${POSE}`,
  )
  git("tom", "checkout", "-qb", `a\u202eb`)
  const folder = join(clone("tom"), HOSTILE)
  mkdirSync(folder)
  writeFileSync(join(folder, ".env"), "A=b\n")
  writeFileSync(join(clone("tom"), "hostile.env"), `A=1\n${HOSTILE}=2\n`)
  git("tom", "add", "-A", "--", ".")
  const commands = [
    "list --long",
    "check",
    "check --staged",
    "status",
    "versions API_TOKEN",
    "get API_TOKEN --json",
    "get DB_URL",
    "set NEW",
    "grep o",
    "export -p .",
    "import hostile.env",
    "hook pre-commit",
  ]
  for (const command of commands) assertPrintable(command)
  writeFileSync(join(clone("tom"), ".coffer.yaml"), `"${JSON.stringify(HOSTILE).slice(1, -1)}": 1\n`)
  assertPrintable("get API_TOKEN")
})

attack("what a hook of git says is escaped", () => {
  const hook = join(clone("tom"), ".git/hooks/commit-msg")
  mkdirSync(dirname(hook), { recursive: true })
  writeFileSync(hook, `#!/bin/sh\nprintf '${ESCAPE}\\n${POSE}\\n' >&2; exit 1\n`, { mode: 0o755 })
  const { status, stderr } = coffer("tom", ["set", "NEW"], { input: "value" })
  assert.is(status, 14, stderr)
  assert.match(stderr, /owned/)
  assert.not.match(stderr, UNSAFE)
  assert.not.match(stderr, new RegExp(`^${POSE}`, "m"))
})

function assertPrintable(command: string): void {
  const { status, stdout, stderr } = coffer("tom", command.split(" "), { input: "value" })
  assert.is.not(status, null, command)
  assert.is.not(status, 1, `${command}: ${stderr}`)
  assert.not.match(stdout, UNSAFE, command)
  assert.not.match(stderr, UNSAFE, command)
  assert.not.match(`${stdout}\n${stderr}`, new RegExp(`^${POSE}`, "m"), command)
}

// Only root can give a repository to somebody else.
if (process.geteuid?.() === 0) {
  for (const kind of ["system", "embedded"]) {
    attack(`a write to another user's repository, ${kind} back end`, () => {
      execFileSync("chown", ["-R", "65534:65534", clone("tom")])
      const refused = { env: { COFFER_GIT: kind }, run: ["set", "API_TOKEN"] }
      refuses("GIT_REFUSED", clone("tom"), refused)
      assert.is(coffer("tom", ["get", "API_TOKEN"], { env: { COFFER_GIT: kind } }).stdout, "token two")
    })
  }
}

test.run()
