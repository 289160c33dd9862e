// Settings are compared with what `git config` itself makes of the same files.
import { execFileSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import fc from "fast-check"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { CofferError } from "../../../src/errors.js"
import { findPerson } from "../../../src/storage/git/author.js"
import { parseConfig } from "../../../src/storage/git/config-file.js"
import { readConfig } from "../../../src/storage/git/embedded-config.js"
import { openGit } from "../../../src/storage/git/open.js"
import { compilePattern } from "../../../src/storage/git/wildmatch.js"
import { findRepository } from "../../../src/storage/repository.js"
import { env, freshFolder, git, makeRepository } from "./repositories.js"

const SYNTAX = [
  "[core]\n\tbare = false\n  editor=vim\n",
  '[user]\nname = "Ann  Other" ; comment\nemail = a@b # more\n',
  '[a "Sub.Section \\"x\\" \\\\"]\nKey = v\n[A "other"] k2 = on the same line\n',
  "[a.Dotted]\nk = v\n",
  '[x]\nflag\nempty =\nspaced =   a  b   \nquoted = "  a " b\n',
  '[x]\nlong = one \\\n  two\nesc = "tab\\t newline\\n quote\\" back\\\\"\nhash = "a#b;c"\n',
  "; only a comment\n\n#another\n[z]\n k = v;comment\n",
  "[crlf]\r\nkey = value\r\nother\r\n",
  "\uFEFF[bom]\nk = v\n",
  "[last]\nk = no line end",
  "without = section\n[x]\nk = v\n",
  "[n]\nnum-ber = 1\n[n]\nnum-ber = 2\n",
]

const BROKEN = [
  "[x\nk=v\n",
  '[x]\nk = "open\n',
  "[x]\nk = \\q\n",
  "[x]\n1k = v\n",
  '[x "y]\nk=v\n',
  "[x]\nk v\n",
]

function listWithGit(file: string): string[] {
  const records = execFileSync("git", ["config", "--list", "-z", "--file", file], { env, stdio: "pipe" })
  return records.toString().split("\0").slice(0, -1)
}

test("reads files as git does", () => {
  const file = join(freshFolder(), "config")
  for (const text of SYNTAX) {
    writeFileSync(file, text)
    const ours = parseConfig(text, file).map(({ key, value }) =>
      value === undefined ? key : `${key}\n${value}`,
    )
    assert.equal(ours, listWithGit(file), text)
  }
})

test("stops where git stops, naming the line", () => {
  const file = join(freshFolder(), "config")
  for (const text of BROKEN) {
    writeFileSync(file, text)
    assert.throws(() => listWithGit(file), undefined, text)
    assert.throws(() => parseConfig(text, file), /bad git configuration in ".*config", line \d+/, text)
  }
})

test("random text gives typed errors only", () => {
  const piece = fc.constantFrom(
    "[",
    "]",
    '"',
    "\\",
    "\n",
    "=",
    " ",
    "a",
    "A1",
    ".",
    "#",
    ";",
    "\t",
    "[s]\n",
    "\r\n",
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), pieces => {
      try {
        parseConfig(pieces.join(""), "x")
      } catch (error) {
        if (!(error instanceof CofferError)) throw error
      }
    }),
    { numRuns: 2000 },
  )
})

/** All settings as git lists them, the last value of each. */
function settings(folder: string, environment: Record<string, string | undefined>): Map<string, string> {
  const list = execFileSync("git", ["config", "--list", "-z"], {
    cwd: folder,
    env: environment,
    stdio: "pipe",
  })
  const records = list.toString().split("\0").slice(0, -1)
  return new Map(records.map(record => [record.split("\n", 1)[0]!, record.slice(record.indexOf("\n") + 1)]))
}

test("takes files, includes, conditions and the environment in git's order", () => {
  const folder = makeRepository()
  const home = join(freshFolder(), "home")
  mkdirSync(join(home, ".config/git"), { recursive: true })
  const put = (path: string, text: string) => writeFileSync(path, text)
  put(join(home, "system"), "[t]\na = system\nb = system\nc = system\nd = system\n")
  put(join(home, ".config/git/config"), "[t]\nb = xdg\nc = xdg\nd = xdg\n[include]\npath = ../../more\n")
  put(join(home, "more"), "[t]\ninc = relative\nd = more\n")
  const conditions = {
    "gitdir-yes": `gitdir:${folder}/`,
    "gitdir-no": "gitdir:/elsewhere/",
    "gitdir-glob": `gitdir:${folder.slice(folder.lastIndexOf("/") + 1)}/**`,
    "gitdir-case": `gitdir/i:${folder.toUpperCase()}/.git`,
    "branch-yes": "onbranch:ma*",
    "branch-no": "onbranch:topic/",
    "remote-yes": "hasconfig:remote.*.url:https://example.org/**",
    "remote-no": "hasconfig:remote.*.url:ssh://**",
    unknown: "nonsense:x",
  }
  let global = "[t]\nc = global\n[include]\npath = ~/more\n"
  for (const [name, condition] of Object.entries(conditions)) {
    put(join(home, name), `[cond]\n${name} = yes\n`)
    global += `[includeIf "${condition}"]\npath = ${name}\n`
  }
  put(join(home, ".gitconfig"), global)
  git(folder, "config", "t.d", "local")
  git(folder, "config", "remote.origin.url", "https://example.org/x/y.git")
  git(folder, "config", "extensions.worktreeConfig", "true")
  put(join(folder, ".git/config.worktree"), "[t]\nworktree = yes\n")
  const environment = {
    PATH: process.env.PATH,
    HOME: home,
    GIT_CONFIG_SYSTEM: join(home, "system"),
    GIT_CONFIG_COUNT: "2",
    GIT_CONFIG_KEY_0: "T.Sub.E",
    GIT_CONFIG_VALUE_0: "environment",
    GIT_CONFIG_KEY_1: "t.a",
    GIT_CONFIG_VALUE_1: "environment",
  }
  const config = readConfig(findRepository(folder)!, "refs/heads/main", environment)
  const expected = settings(folder, environment)
  assert.is(expected.get("cond.branch-yes"), "yes")
  for (const [key, value] of expected) assert.is(config.get(key), value, key)
  for (const name of Object.keys(conditions)) {
    assert.is(config.has(`cond.${name}`), expected.has(`cond.${name}`), name)
  }
  assert.is(config.get("t.Sub.e"), "environment")
})

test("answers in any spelling of section and name, and knows booleans", async () => {
  const folder = makeRepository()
  writeFileSync(join(folder, ".git/config"), "[a]\nFlag\nno = off\nodd = maybe\npath = ~/x\n", { flag: "a" })
  const opened = await openGit(folder, env, "embedded")
  assert.is(await opened.config("A.FLAG"), "true")
  assert.is(await opened.config("a.none"), undefined)
  const config = readConfig(findRepository(folder)!, null, env)
  assert.equal(
    [config.getBoolean("a.flag"), config.getBoolean("a.no"), config.getBoolean("a.x")],
    [true, false, undefined],
  )
  assert.throws(() => config.getBoolean("a.odd"), /neither true nor false/)
  assert.is(config.getPath("a.path"), join(env.HOME, "x"))
})

test("half a pair in the environment is an error", () => {
  const folder = makeRepository()
  for (const more of [
    { GIT_CONFIG_COUNT: "1" },
    { GIT_CONFIG_COUNT: "1", GIT_CONFIG_KEY_0: "x", GIT_CONFIG_VALUE_0: "" },
  ]) {
    assert.throws(() => readConfig(findRepository(folder)!, null, { ...env, ...more }), /GIT_CONFIG_/)
  }
})

test("an include that includes itself ends", () => {
  const folder = makeRepository()
  git(folder, "config", "include.path", "config")
  assert.throws(() => readConfig(findRepository(folder)!, null, env), /includes itself/)
})

test("people are named as git names them", () => {
  const folder = makeRepository()
  const names = [" . Ann <Other>, ", 'A "B" C', "Änne\n", "x.", "<>"]
  for (const name of names) {
    const environment = { ...env, GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: ` <${name}@x> ` }
    const ask = () =>
      execFileSync("git", ["var", "GIT_AUTHOR_IDENT"], {
        cwd: folder,
        env: environment,
        stdio: "pipe",
      }).toString()
    const config = readConfig(findRepository(folder)!, null, environment)
    if (name === "<>") {
      assert.throws(ask)
      assert.throws(() => findPerson("author", config, environment), /does not know who you are/)
      continue
    }
    const person = findPerson("author", config, environment)
    assert.is(`${person.name} <${person.email}>`, ask().replace(/ \d+ [+-]\d+\n$/, ""))
  }
})

test("patterns match as git's do", () => {
  const cases: [pattern: string, text: string, matches: boolean][] = [
    ["a*c", "abbc", true],
    ["a*c", "ab/c", false],
    ["**/c", "a/b/c", true],
    ["**/c", "c", true],
    ["a/**", "a/b/c", true],
    ["a/**/c", "a/c", true],
    ["a**c", "abc", true],
    ["a**c", "a/c", false],
    ["[a-c]x", "bx", true],
    ["[!a-c]x", "dx", true],
    ["[^a-c]x", "bx", false],
    ["[]]x", "]x", true],
    ["[[:digit:]]", "7", true],
    ["[a", "[a", false],
    ["a?b", "a/b", false],
    ["a[/]b", "a/b", false],
    ["\\*x", "*x", true],
    ["x\\", "x\\", false],
    ["a.b(c)+", "a.b(c)+", true],
    ["[a\\]b]", "]", true],
  ]
  for (const [pattern, text, matches] of cases) {
    assert.is(compilePattern(pattern)?.(text) ?? false, matches, `${pattern} ${text}`)
  }
})

test("a pattern of a hostile repository's own takes no more time than its length", () => {
  const name = "a".repeat(1000)
  assert.is(compilePattern(`${"*a".repeat(40)}*b`)!(name), false)
  assert.is(compilePattern(`${"*a".repeat(40)}*b`)!(`${name}b`), true)
  const path = "a/".repeat(1000)
  assert.is(compilePattern(`${"**/a/".repeat(40)}b`)!(`${path}c`), false)
  assert.is(compilePattern(`${"**/a/".repeat(40)}b`)!(`${path}b`), true)
})

test.run()
