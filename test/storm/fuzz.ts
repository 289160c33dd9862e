/** Fuzzing of everything that parses bytes from elsewhere: typed errors only, quickly, and no prototype touched. */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as fc from "fast-check"
import { parseAgeHeader } from "../../src/crypto/age-header.js"
import { decodeUtf8 } from "../../src/encoding.js"
import { CofferError } from "../../src/errors.js"
import { parseCard } from "../../src/format/card.js"
import { parseDotenv } from "../../src/format/dotenv.js"
import { parseEditMap } from "../../src/format/edit-map.js"
import { parseKeyRecord, printKeyRecord } from "../../src/format/key-record.js"
import { parseGroupName, parseReference, parseSecretName } from "../../src/format/names.js"
import { parseSecretFile, printSecretFile } from "../../src/format/secret-file.js"
import { parseSettings, parseUserConfig } from "../../src/format/settings.js"
import { parseStoreFile } from "../../src/format/store-file.js"
import { parseIndex } from "../../src/storage/git/index-file.js"
import { idsInPackIndex } from "../../src/storage/git/pack.js"
import { damaged } from "../format/arbitraries.js"

/** A parser and what to feed it. */
export interface Target {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  parse(bytes: Uint8Array): unknown
}

const VECTORS = "test/vectors/files"
const vector = (name: string) => readFileSync(join(VECTORS, name))
const text = (...lines: readonly string[]) => lines.map(line => Buffer.from(line))
/** Text parsers get what is UTF-8; bytes that are not never reach them. */
const asText = (parse: (text: string) => unknown) => (bytes: Uint8Array) => parse(decodeUtf8(bytes) ?? "")

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
  },
  {
    name: "user config",
    seeds: text("identities:\n  - ~/.age/key.txt\neditor: [vim, -n]\n"),
    parse: parseUserConfig,
  },
  {
    name: "edit map",
    seeds: text('A: one\nB: |\n  two\n  lines\nC: "\\u0041"\nD: 0x1f\n', "# note\nX: 'y'\n"),
    parse: asText(parseEditMap),
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

/** Feeds `runs` cases to a parser. @throws Error with fast-check's counterexample and seed */
export async function fuzz(
  { name, seeds, parse }: Target,
  { runs, seed }: { runs: number; seed: number },
): Promise<void> {
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
    fc.asyncProperty(bytes, async input => {
      const start = process.hrtime.bigint()
      try {
        await parse(input)
      } catch (error) {
        if (!(error instanceof CofferError)) throw error
      }
      const ms = Number(process.hrtime.bigint() - start) / 1e6
      if (ms > LIMIT_MS) throw new Error(`${name}: took ${ms} ms`)
      if (prototype() !== PROTOTYPE) throw new Error(`${name}: Object.prototype was changed`)
    }),
    { seed, numRuns: runs },
  )
}
