import { test } from "uvu"
import * as assert from "uvu/assert"
import { type Command, defineCommand } from "../../src/cli/command.js"
import { findWord, parseWords } from "../../src/cli/parse.js"
import { CofferError } from "../../src/errors.js"

const sample = defineCommand({
  name: "sample",
  summary: "a command of every kind of argument",
  positionals: { name: "the first", others: { help: "more", optional: true, repeats: true } },
  options: {
    file: { type: "string", help: "a path" },
    cas: { type: "integer", help: "a number" },
    meta: { type: "string", repeats: true, help: "several" },
    commit: { type: "boolean", default: true, help: "on unless said" },
    ifIdentity: { type: "boolean", help: "off unless said" },
    message: { type: "string", alias: "m", help: "with a letter" },
    role: { type: "string", choices: ["reader", "writer"], default: "reader", help: "one of" },
  },
  errors: [],
  examples: [],
  run: async (_, args) => args,
  text: () => "",
})
const one: Command = { ...sample, positionals: { name: "the only" } }
const withRest: Command = { ...sample, positionals: {}, rest: { label: "CMD", help: "a program" } }

async function parse(line: string, command: Command = sample): Promise<unknown> {
  return (await parseWords(command, line === "" ? [] : line.split(" "))).arguments()
}

async function refused(line: string, command?: Command): Promise<CofferError> {
  try {
    await parse(line, command)
  } catch (error) {
    if (error instanceof CofferError) return error
    throw error
  }
  throw new Error(`not refused: ${line}`)
}

const defaults = { others: [], meta: [], commit: true, ifIdentity: false, role: "reader" }

test("words, options and their values", async () => {
  assert.equal(await parse("A"), { ...defaults, name: "A" })
  assert.equal(await parse("A B C"), { ...defaults, name: "A", others: ["B", "C"] })
  assert.equal(await parse("--cas 3 A --file=x --meta a=b --meta=c=d --no-commit --if-identity -m text"), {
    ...defaults,
    name: "A",
    cas: 3,
    file: "x",
    meta: ["a=b", "c=d"],
    commit: false,
    ifIdentity: true,
    message: "text",
  })
  assert.equal(await parse("--role writer -- -A"), { ...defaults, name: "-A", role: "writer" })
})

test("names that look like numbers, booleans or paths of objects stay what they are", async () => {
  for (const name of ["1e3", "007", "true", "null", "a.b", "__proto__", "constructor"]) {
    assert.equal(await parse(`--if-identity ${name}`), { ...defaults, name, ifIdentity: true })
  }
})

test("what follows -- belongs to the program, whatever it looks like", async () => {
  const { rest } = (await parse("--cas 1 -- prog --cas --no-commit -- x", withRest)) as { rest: string[] }
  assert.equal(rest, ["prog", "--cas", "--no-commit", "--", "x"])
  assert.not("rest" in ((await parse("", withRest)) as object))
})

test("words before --, options and their values that do not fit are refused", async () => {
  for (const line of [
    "",
    "A --cas",
    "A --cas x",
    "A --cas -1",
    "A --cas 1.5",
    "A --cas= ",
    "A --cas 1 --cas 2",
    "A --file=",
    "A --file --if-identity",
    "A --role admin",
    "A --commit=false",
    "A --no-file",
    "A --no-if-identity",
    "A --if-identity=true",
    "A --nothing",
    "A -z",
    "A --__proto__ x",
    "A -mtext",
  ]) {
    const { code, hint } = await refused(line)
    assert.equal([code, hint === undefined], ["USAGE", false], line)
  }
  assert.is((await refused("A B", one)).code, "USAGE")
  assert.is((await refused("prog", withRest)).code, "USAGE")
})

test("nothing that was typed is repeated, except options that exist", async () => {
  for (const line of [
    "A hunter2",
    "A=hunter2 B",
    "A --hunter2",
    "A --hunter2=x",
    "A --password=hunter2",
    "A --cas hunter2",
    "A --role hunter2",
    "A --cas=1 --cas=hunter2",
    "A -hunter2",
  ]) {
    const { message, hint } = await refused(line, one)
    assert.not.match(`${message} ${hint}`, "hunter", line)
  }
  assert.match((await refused("A --comit")).hint ?? "", "--no-commit")
  assert.match((await refused("A --mesage x")).hint ?? "", "--message")
})

test("a command may say more about a word too many", async () => {
  const said: Command = {
    ...one,
    surplus: words => ({ message: `after ${words.join()}`, hint: "type less" }),
  }
  const { message, hint } = await refused("A hunter2 x", said)
  assert.equal([message, hint], ["after A", "type less"])
})

test("global options stand before the word, and are handed on with what follows it", async () => {
  const found = await findWord(["-C", "x", "--json", "get", "--cas", "1", "--", "y"])
  assert.is(found.word, "get")
  assert.equal(found.others, ["-C", "x", "--json", "--cas", "1", "--", "y"])
  const none = await findWord(["--version"])
  assert.is(none.word, undefined)
  assert.is(none.globals.version, true)
})

test("global options may stand after the word too", async () => {
  const { globals } = await parseWords(one, ["A", "-C", "a", "-C", "b", "-i", "f", "--no-input", "-q"])
  assert.equal([globals.C, globals.identity, globals.input, globals.quiet], [["a", "b"], ["f"], false, true])
})

test.run()
