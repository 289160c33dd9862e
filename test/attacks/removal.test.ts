import { spawnSync } from "node:child_process"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { asDataKey, type DataKey, deriveKeys, openPreviousKey } from "../../src/crypto/data-key.js"
import { openValue } from "../../src/crypto/value.js"
import { hasCode } from "../../src/errors.js"
import { parseSecretFile, type SecretFile, sealContext } from "../../src/format/secret-file.js"
import { makeNode, type RecordNode } from "../../src/keyring/graph.js"
import { openFile, resealFile, type SealKey } from "../../src/store/seal.js"
import { dataKeyOf, member, type Person } from "../keyring/graphs.js"
import {
  files,
  first,
  forgeFile,
  forgeRecord,
  people,
  prodFirst,
  prodTip,
  sealKeyOf,
  secrets,
  team,
  tip,
} from "./cast.js"
import { attack, coffer, git, gitBytes, plant, publish, reads, refuses } from "./world.js"

const { ana, tom, maria, zoe } = people

/** Every blob of the store that HEAD has and `now` had not. */
function newBlobs(): { records: RecordNode[]; secrets: SecretFile[] } {
  const changed = git("ana", "diff", "--name-only", "--no-renames", "now", "HEAD").split("\n")
  const read = (path: string) => gitBytes("ana", "cat-file", "blob", `HEAD:${path}`)
  const isRecord = (path: string) => path.startsWith("secrets/.coffer/keys/")
  return {
    records: changed.filter(isRecord).map(path => makeNode(path.slice("secrets/".length), read(path))),
    secrets: changed.filter(path => !isRecord(path)).map(path => parseSecretFile(read(path))),
  }
}

/** The age binary as whoever has only that. */
function ageOpens(person: Person, message: Uint8Array): boolean {
  const { error, status } = spawnSync("sh", ["-c", `age -d -i /dev/fd/3 3<<END\n${person.line}\nEND`], {
    input: message,
  })
  if (error) throw error
  assert.ok(status === 0 || status === 1)
  return status === 0
}

/** What of the new blobs a person opens: through wraps, with our reader and with age; with the keys of before, through links and sealed parts. */
async function opened(person: Person): Promise<{ ours: number; age: number; links: number; values: number }> {
  const { records, secrets } = newBlobs()
  const known: [RecordNode, DataKey][] = [first, prodFirst, tip, prodTip].map(node => [node, dataKeyOf(node)])
  const count = { ours: 0, age: 0, links: 0, values: 0 }
  for (const node of records) {
    for (const wrap of node.record.wrap) {
      const bytes = await person.identity.unwrap(wrap)
      if (ageOpens(person, wrap)) count.age++
      if (bytes === null) continue
      count.ours++
      known.push([node, asDataKey(bytes)!])
    }
  }
  for (const [node, dataKey] of known) {
    const { store, group, number } = node.record
    for (const { id, record } of records) {
      const { previous } = deriveKeys(dataKey, { store, group, number: record.number })
      count.links += record.previous.filter(link => openPreviousKey(previous, id, link.id, link)).length
    }
    const { seal } = deriveKeys(dataKey, { store, group, number })
    count.values += secrets.filter(file => opensValue(file, seal)).length
  }
  return count
}

function opensValue(file: SecretFile, seal: Uint8Array): boolean {
  try {
    openValue(seal, sealContext(file), file)
    return true
  } catch (error) {
    if (hasCode(error, "TAMPERED")) return false
    throw error
  }
}

function remove(name: string): void {
  const { status, stderr } = coffer("ana", ["recipients", "remove", name])
  assert.is(status, 0, stderr)
  publish("ana")
}

attack(
  "byte by byte, the removed identity opens no new blob: our reader, age, and every old data key",
  async () => {
    remove("tom")
    const { records, secrets: sealed } = newBlobs()
    assert.equal(records.map(node => node.record.group).sort(), ["default", "prod"])
    assert.equal(sealed.map(file => file.name).sort(), Object.keys(secrets).sort())
    assert.equal(await opened(tom), { ours: 0, age: 0, links: 0, values: 0 })
    // Of the default group alone she opens one wrap, the link to the old key, and three values.
    assert.equal(await opened(maria), { ours: 1, age: 1, links: 1, values: 3 })
    refuses("REMOVED", "tom", { who: "tom" })
  },
)

/** The new data key of the default group: more than the removed one has. */
async function newKey(): Promise<SealKey> {
  const node = newBlobs().records.find(({ record }) => record.group === "default")!
  const wraps = await Promise.all(node.record.wrap.map(wrap => ana.identity.unwrap(wrap)))
  const dataKey = asDataKey(wraps.find(bytes => bytes !== null)!)!
  const { store, group, number } = node.record
  return { id: node.id, seal: deriveKeys(dataKey, { store, group, number }).seal }
}

attack("nothing that the removed one signs is accepted, even if somebody lends him the new key", async () => {
  remove("tom")
  const key = await newKey()
  const forged = forgeFile({ name: "API_TOKEN", by: tom })
  plant(files(forged))
  refuses("KEY_RETIRED", "API_TOKEN.yaml", { who: "ana" })
  plant(files(resealFile(forged, openFile(forged, sealKeyOf(tip).seal), key)))
  refuses("WRITER_NOT_ALLOWED", "API_TOKEN.yaml", { who: "ana" })
  const record = await forgeRecord({ by: tom, members: team, parents: [tip] })
  plant(files(record))
  refuses("SIGNER_NOT_ALLOWED", record.path, { who: "ana" })
})

attack("what the removed one had signed stays readable, signed again by who removed him", () => {
  remove("tom")
  const read = JSON.parse(coffer("maria", ["get", "--json", "API_TOKEN"]).stdout)
  assert.equal([read.value, read.version, read.author, read.signer], ["token two", 2, "tom", "ana"])
})

/** Everything that a removal could touch. */
function everything(): string {
  return [
    git("ana", "rev-parse", "HEAD"),
    git("ana", "status", "--porcelain", "--ignored"),
    git("ana", "ls-files", "-s"),
    git("ana", "for-each-ref"),
  ].join("\n")
}

attack("one file cannot be sealed again: nothing changes at all", () => {
  const opened = openFile(secrets.DB_URL, sealKeyOf(tip).seal)
  plant(files(resealFile(secrets.DB_URL, { ...opened, value: Buffer.from("other") }, sealKeyOf(tip))))
  reads("token two", { who: "ana" })
  const before = everything()
  refuses("TAMPERED", "DB_URL", { who: "ana", run: ["recipients", "remove", "tom"] })
  assert.is(everything(), before)
  reads("token two")
})

attack("a group cannot be opened by the admin: nothing changes at all", async () => {
  const members = [...team, member(zoe, "admin")]
  plant(files(await forgeRecord({ by: ana, members, parents: [tip], groups: tip.record.groups! })))
  coffer("zoe", ["list"])
  const head = git("zoe", "rev-parse", "HEAD")
  refuses("NOT_A_MEMBER", "prod", { who: "zoe", run: ["recipients", "remove", "tom"] })
  assert.is(git("zoe", "rev-parse", "HEAD"), head)
  assert.is(git("zoe", "status", "--porcelain"), "")
})

/** Who may know which value, by name. */
function exposed(): Record<string, string> {
  const { status, stdout, stderr } = coffer("ana", ["status", "--exposed", "--json"])
  assert.is(status, 0, stderr)
  const list: { name: string; by: { member: string }[] }[] = JSON.parse(stdout).exposed
  return Object.fromEntries(list.map(({ name, by }) => [name, by.map(({ member }) => member).join(" ")]))
}

function run(command: string, input = ""): void {
  const { status, stderr } = coffer("ana", command.split(" "), { input })
  assert.is(status, 0, `${command}: ${stderr}`)
}

attack("nothing but a new value shortens the exposure list", () => {
  const start = { DB_URL: "eva max", "prod/TOKEN": "max", "stage/KEY": "eva max" }
  assert.equal(exposed(), start)
  run("rollback API_TOKEN@1")
  run("copy DB_URL COPY")
  run("move DB_URL prod/URL")
  run("delete stage/KEY")
  run("undelete stage/KEY")
  run("set COPY", "url one")
  run("rotate --compromised")
  run("group create stage")
  assert.equal(exposed(), {
    API_TOKEN: "eva max",
    COPY: "eva max",
    "prod/TOKEN": "max",
    "prod/URL": "eva maria max rot",
    "stage/KEY": "eva maria max rot tom",
  })
  run("recipients remove rot")
  run("set API_TOKEN", "new")
  run("set prod/URL", "new")
  assert.equal(exposed(), { COPY: "eva max rot", "prod/TOKEN": "max", "stage/KEY": "eva maria max rot tom" })
})

test.run()
