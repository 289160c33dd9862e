/** Secret files merged as text, as git does without our attribute: no mixture of two sides is ever accepted. */
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { signingKeyFromSeed } from "../../src/crypto/signing.js"
import { CofferError } from "../../src/errors.js"
import { parseSecretName } from "../../src/format/names.js"
import { parseSecretFile, printSecretFile, type SecretFile } from "../../src/format/secret-file.js"
import { openFile, resealFile, type SealKey, sealVersion } from "../../src/store/seal.js"
import { succeed } from "../../src/store/succession.js"
import { pick, type Random } from "../keyring/histories.js"

const bytesOf = (text: string) => new Uint8Array(createHash("sha256").update(text).digest())
const KEYS: readonly SealKey[] = ["1-aaaaaaaa", "2-bbbbbbbb", "2-cccccccc"].map(id => ({
  id,
  seal: bytesOf(id),
}))
const SIGNERS = ["ana", "tom"].map(name => ({ name, signingKey: signingKeyFromSeed(bytesOf(name)) }))
const STORE = "0123456789abcdef".repeat(2)

/** How the picks of many pairs ended. */
export interface TextTally {
  pairs: number
  picks: number
  /** A side as it was, or what the base had. */
  whole: number
  /** Refused, by code. */
  readonly codes: Map<string, number>
  readonly accepted: string[]
}

/** Each pair: two sides with one or two edits each, merged by git, and picks of its conflicts. */
export async function mergeAsText(pairs: number, random: Random): Promise<TextTally> {
  const dir = mkdtempSync(join(tmpdir(), "coffer-text-"))
  const tally: TextTally = { pairs: 0, picks: 0, whole: 0, codes: new Map(), accepted: [] }
  try {
    for (; tally.pairs < pairs; tally.pairs++) {
      const base = await edit(await edit(undefined, random), random)
      const [ours, theirs] = [await editSome(base, random), await editSome(base, random)]
      const sides = [base, ours, theirs].map(file => Buffer.from(printSecretFile(file)).toString())
      for (const picked of picksOf(dir, sides, random)) judge(picked, sides, tally)
    }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
  return tally
}

async function editSome(file: SecretFile, random: Random): Promise<SecretFile> {
  const once = await edit(file, random)
  return random() < 0.3 ? edit(once, random) : once
}

/** A value, an entry of meta, a deletion, or only another data key. */
async function edit(file: SecretFile | undefined, random: Random): Promise<SecretFile> {
  const key = pick(random, KEYS)
  const kind = random()
  if (file !== undefined && kind < 0.3) {
    const opened = openFile(file, KEYS.find(({ id }) => id === file.key)!.seal)
    return resealFile(file, opened, key)
  }
  const meta = kind < 0.5 ? [["owner", pick(random, ["ana", "tom", "eva"])] as const] : []
  const state = file !== undefined && kind > 0.9 ? "deleted" : "current"
  const oid = (
    file === undefined ? "" : createHash("sha1").update(printSecretFile(file)).digest("hex")
  ) as string
  const value = state === "deleted" ? "" : "v".repeat(Math.floor(random() * 400))
  return sealVersion(
    {
      store: STORE,
      group: "default",
      name: parseSecretName("A"),
      ...succeed(file === undefined ? [] : [{ file, oid }], new Date(1e12 + Math.floor(random() * 1e9))),
      state,
      type: "text",
      valueKeys: file?.valueKeys ?? [`default/${key.id}`],
      meta: new Map(meta),
    },
    Buffer.from(value),
    key,
    pick(random, SIGNERS),
  )
}

const CONFLICT = /<<<<<<<[^\n]*\n([\s\S]*?)=======\n([\s\S]*?)>>>>>>>[^\n]*\n/g

/** What git leaves in the file, and its conflicts settled piece by piece: by one side, by both, at random. */
function picksOf(dir: string, [base, ours, theirs]: readonly string[], random: Random): string[] {
  for (const [name, text] of Object.entries({ base, ours, theirs })) writeFileSync(join(dir, name), text!)
  const options = { cwd: dir, encoding: "utf8" } as const
  const { stdout: merged } = spawnSync("git", ["merge-file", "-p", "ours", "base", "theirs"], options)
  const settle = (choose: (a: string, b: string) => string) =>
    merged.replace(CONFLICT, (_, a: string, b: string) => choose(a, b))
  const mixtures = Array.from({ length: 5 }, () => settle((a, b) => (random() < 0.5 ? a : b)))
  return [merged, settle(a => a), settle((_, b) => b), settle((a, b) => a + b), ...mixtures]
}

/** Accepted is what parses: what it holds then is signed as a whole. */
function judge(picked: string, sides: readonly string[], tally: TextTally): void {
  tally.picks++
  try {
    parseSecretFile(Buffer.from(picked))
    if (sides.includes(picked)) tally.whole++
    else tally.accepted.push(picked)
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
    tally.codes.set(error.code, 1 + (tally.codes.get(error.code) ?? 0))
  }
}
