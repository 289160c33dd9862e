/** Fuzzing of everything that parses bytes from elsewhere: typed errors only, quickly, and no prototype touched. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as fc from "fast-check"
import { parseAgeHeader } from "../../src/crypto/age-header.js"
import { asBuffer, decodeUtf8 } from "../../src/encoding.js"
import { CofferError } from "../../src/errors.js"
import { parseCard } from "../../src/format/card.js"
import { parseDotenv } from "../../src/format/dotenv.js"
import { parseEditMap } from "../../src/format/edit-map.js"
import { parseKeyRecord, printKeyRecord } from "../../src/format/key-record.js"
import { parseGroupName, parseReference, parseSecretName } from "../../src/format/names.js"
import { parseSecretFile, printSecretFile } from "../../src/format/secret-file.js"
import { parseSettings, parseUserConfig } from "../../src/format/settings.js"
import { parseStoreFile } from "../../src/format/store-file.js"
import { matchesGlob } from "../../src/scan/path-globs.js"
import { parseConfig } from "../../src/storage/git/config-file.js"
import { parseIndex } from "../../src/storage/git/index-file.js"
import { parseCommit, parseTree, printTree } from "../../src/storage/git/object.js"
import { idsInPackIndex } from "../../src/storage/git/pack.js"
import { compilePattern } from "../../src/storage/git/wildmatch.js"
import { parseState } from "../../src/storage/local-state-file.js"
import { damaged } from "../format/arbitraries.js"

/** A parser and what to feed it. */
export interface Target {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  parse(bytes: Uint8Array): unknown
  /** How many bytes of the same kind it is given at once; fewer where work grows with the square, within a limit of size. */
  readonly longBytes?: number
}

const ID = "0123456789abcdef0123456789abcdef"
const VECTORS = "test/vectors/files"
const vector = (name: string) => readFileSync(join(VECTORS, name))
const text = (...lines: readonly string[]) => lines.map(line => Buffer.from(line))
/** Text parsers get what is UTF-8; bytes that are not never reach them. */
const asText = (parse: (text: string) => unknown) => (bytes: Uint8Array) => parse(decodeUtf8(bytes) ?? "")

const LONG_BYTES = 64 * 1024
/** A library reads them: the files are limited to 64 KiB, which take it a second. */
const LONG_YAML_BYTES = 4096

/** The first line and the second one. */
const inLines = (parse: (first: string, second: string) => unknown) =>
  asText(both => {
    const [first = "", second = ""] = both.split("\n")
    return parse(first, second)
  })

/** A file is accepted only in its one form: what is printed again gives the same bytes. */
function canonical<T>(parse: (bytes: Uint8Array) => T, print: (value: T) => Uint8Array) {
  return (bytes: Uint8Array) => {
    const printed = print(parse(bytes))
    if (!Buffer.from(printed).equals(bytes)) throw new Error("accepted in another form than its own")
  }
}

export const TARGETS: readonly Target[] = [
  {
    name: "secret file",
    seeds: [vector("secret.yaml"), vector("secret-tombstone.yaml"), vector("secret-odd-keys.yaml")],
    parse: canonical(parseSecretFile, printSecretFile),
  },
  {
    name: "key record",
    seeds: [vector("key-newest.yaml"), vector("key-merge.yaml"), vector("key-group.yaml")],
    parse: canonical(parseKeyRecord, printKeyRecord),
  },
  { name: "store file", seeds: [vector("store.yaml")], parse: parseStoreFile },
  {
    name: "settings",
    seeds: text("store: vault\nscan:\n  allow:\n    - docs/**\n", "store: secrets\n"),
    parse: parseSettings,
    longBytes: LONG_YAML_BYTES,
  },
  {
    name: "user config",
    seeds: text("identities:\n  - ~/.age/key.txt\neditor: [vim, -n]\n"),
    parse: parseUserConfig,
    longBytes: LONG_YAML_BYTES,
  },
  {
    name: "edit map",
    seeds: text('A: one\nB: |\n  two\n  lines\nC: "\\u0041"\nD: 0x1f\n', "# note\nX: 'y'\n"),
    parse: asText(parseEditMap),
    longBytes: LONG_YAML_BYTES,
  },
  {
    name: "dotenv",
    seeds: text("A=1\nexport B='two $x'\nC=\"three\\n\"\n# note\n", "A=`x`\r\nB=\r\n"),
    parse: asText(parseDotenv),
  },
  {
    name: "names",
    seeds: text("prod/db/PASSWORD", "a@3~a1b2", "default", "x".repeat(200), "CON", "a.yaml/b"),
    parse: asText(line =>
      [parseSecretName, parseReference, parseGroupName].map(parse => attempt(() => parse(line))),
    ),
  },
  {
    name: "card",
    seeds: text(
      "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
      "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p coffer-sign1qae3zf27tz87rkd434f8mevhlq252k0xkwjvh2md0psug7lharnqpvd0tn",
    ),
    parse: asText(parseCard),
  },
  { name: "age header", seeds: ageSeeds(), parse: parseAgeHeader },
  {
    name: "local state",
    seeds: text(
      `{"coffer":"state/1","place":"p","folders":{},"stores":{}}\n`,
      `{"coffer":"state/1","place":"p","folders":{"secrets":"${ID}"},"stores":{"${ID}":{"newest":{},"verified":[]}}}\n`,
    ),
    parse: bytes => parseState(bytes, { path: "a file", place: "p" }).records(ID),
  },
  {
    name: "path globs",
    seeds: text("docs/**/a?.md\ndocs/x/ab.md", "*.pem\na/b.pem", "a/**\na/b/c"),
    parse: inLines((glob, path) => matchesGlob(path, glob)),
  },
  {
    name: "ignore patterns",
    seeds: text("a/**/b*c?[!d-f[:alpha:]]\na/x/bbcdz", "\\*x\n*x", "**/a\nb/a"),
    parse: inLines((pattern, path) => compilePattern(pattern)?.(path)),
    longBytes: 4096,
  },
  {
    name: "git config",
    seeds: text(
      '[core]\n\tbare = false\n[remote "o\\"x"]\nurl = "a;b" # c\n',
      "[a.b]c=d\\\n e\n[include] path=~/x",
    ),
    parse: asText(config => parseConfig(config, "a file")),
  },
  {
    name: "commit",
    seeds: [
      Buffer.from(
        `tree ${"1".repeat(40)}\nparent ${"2".repeat(40)}\nauthor A <a@b> 1 +0000\ncommitter C <c@d> 2 -0130\n\nwords\n`,
      ),
    ],
    parse: bytes => parseCommit(asBuffer(bytes)),
  },
  {
    name: "tree",
    seeds: [
      printTree([
        { mode: "100644", name: "a", oid: "3".repeat(40) },
        { mode: "40000", name: "b", oid: "4".repeat(40) },
      ]),
    ],
    parse: bytes => parseTree(asBuffer(bytes)),
  },
  { name: "index file", seeds: indexSeeds(), parse: parseIndex },
  { name: "pack index", seeds: packIndexSeeds(), parse: idsOfEveryByte },
]

function ageSeeds(): Uint8Array[] {
  const wraps = JSON.parse(readFileSync("test/vectors/wraps.json", "utf8")) as unknown
  return [...JSON.stringify(wraps).matchAll(/"(YWdl[A-Za-z0-9+/=]+)"/g)].map(([, wrap]) =>
    Buffer.from(wrap!, "base64"),
  )
}

/** An index of git's own making in each version. */
function indexSeeds(): Uint8Array[] {
  return withFiles(["a", "b.txt", "dir-c"], (folder, git) =>
    ["2", "4"].map(version => {
      git("update-index", "--index-version", version)
      return readFileSync(join(folder, ".git", "index"))
    }),
  )
}

/** The index of a pack of git's own making: what is staged is packed, too. */
function packIndexSeeds(): Uint8Array[] {
  return withFiles(["a", "b", "c"], (folder, git) => {
    git("repack", "-adq")
    const packs = join(folder, ".git", "objects", "pack")
    const name = readdirSync(packs).find(each => each.endsWith(".idx"))
    return [readFileSync(join(packs, name!))]
  })
}

function idsOfEveryByte(bytes: Uint8Array): string[] {
  return Array.from({ length: 256 }, (_, byte) => idsInPackIndex(bytes, byte, "a pack index")).flat()
}

/** Makes something of a repository in which these files are staged. */
function withFiles<T>(
  names: readonly string[],
  make: (folder: string, git: (...args: string[]) => void) => T,
): T {
  const folder = mkdtempSync(join(tmpdir(), "coffer-fuzz-"))
  try {
    const git = (...args: string[]) => execFileSync("git", args, { cwd: folder, stdio: "pipe" })
    git("init", "-q")
    for (const name of names) writeFileSync(join(folder, name), name)
    git("add", "-A")
    return make(folder, git)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** @returns what a parser made of it; a typed refusal is undefined. @throws anything else */
function attempt(parse: () => unknown): unknown {
  try {
    return parse()
  } catch (error) {
    if (error instanceof CofferError) return undefined
    throw error
  }
}

const prototype = () => Reflect.ownKeys(Object.prototype).map(String).sort().join()
const PROTOTYPE = prototype()
/** Long for any of these inputs, and short against a parser that backtracks. */
const LIMIT_MS = 2000

/** One case: typed errors only, in time. */
async function tryOne({ name, parse }: Target, input: Uint8Array): Promise<void> {
  // Of the processor: a machine may be busy with something else, or stop a process.
  const start = process.cpuUsage()
  try {
    await parse(input)
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
  }
  const { user, system } = process.cpuUsage(start)
  const ms = (user + system) / 1000
  if (ms > LIMIT_MS) throw new Error(`${name}: took ${ms} ms`)
  if (prototype() !== PROTOTYPE) throw new Error(`${name}: Object.prototype was changed`)
}

/**
 * Feeds one that begins as it should and then has the same few bytes again and again: where a parser's time grows with
 * more than the length, it shows. @throws Error as {@link fuzz}
 */
export async function fuzzLong(target: Target): Promise<void> {
  for (const seed of target.seeds) {
    const cuts = new Set([0, Math.floor(seed.length / 2), seed.length])
    for (const cut of cuts) {
      for (const piece of PIECES) {
        const run = Buffer.alloc(target.longBytes ?? LONG_BYTES, piece)
        for (const end of ["", "x"])
          await tryOne(target, Buffer.concat([seed.subarray(0, cut), run, Buffer.from(end)]))
      }
    }
  }
}

const PIECES = [
  " ",
  "\t",
  "\n",
  "a",
  "A ",
  "/",
  "a/",
  "*",
  "*a",
  "**/a/",
  "?",
  "[",
  "[a",
  "<",
  "< ",
  "> 1 ",
  "\\",
  '"',
  "'",
  "#",
  " #",
].concat(["=", "a=", ".", "-", "\0", "1", "1 ", "{", '{"a":', "- ", ": ", "|\n", "&a *a", "é"])

/** Feeds `runs` cases to a parser. @throws Error with fast-check's counterexample and seed */
export async function fuzz(target: Target, { runs, seed }: { runs: number; seed: number }): Promise<void> {
  const { name, seeds } = target
  if (seeds.length === 0) throw new Error(`${name}: there is nothing to start from`)
  const bytes = fc.oneof(
    { arbitrary: damaged(seeds), weight: 8 },
    { arbitrary: fc.uint8Array({ maxLength: 300 }), weight: 1 },
    {
      arbitrary: fc.string({ unit: "binary", maxLength: 200 }).map(string => Buffer.from(string)),
      weight: 1,
    },
  )
  await fc.assert(
    fc.asyncProperty(bytes, input => tryOne(target, input)),
    { seed, numRuns: runs },
  )
}
