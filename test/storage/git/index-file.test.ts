import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import fc from "fast-check"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { CofferError, hasCode } from "../../../src/errors.js"
import {
  emptyIndex,
  type IndexFile,
  isSkipWorktree,
  parseIndex,
  slotMode,
  slotOid,
} from "../../../src/storage/git/index-file.js"
import { type IndexEntry, patchIndex } from "../../../src/storage/git/index-patch.js"
import { blobId } from "../../../src/storage/git/object.js"
import { lookAtFiles, prepareFiles } from "../../../src/storage/git/work-files.js"

const root = mkdtempSync(join(tmpdir(), "coffer-index-"))
test.after(() => rmSync(root, { recursive: true, force: true }))

const env = {
  PATH: process.env.PATH,
  HOME: root,
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_AUTHOR_NAME: "a",
  GIT_AUTHOR_EMAIL: "a@example.org",
  GIT_COMMITTER_NAME: "a",
  GIT_COMMITTER_EMAIL: "a@example.org",
}

function gitIn(folder: string) {
  return (args: string[], input?: string | Buffer, indexFile?: string) =>
    execFileSync("git", args, {
      cwd: folder,
      input,
      stdio: ["pipe", "pipe", "pipe"],
      env: indexFile === undefined ? env : { ...env, GIT_INDEX_FILE: indexFile },
    })
}

function write(folder: string, path: string, content: string) {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), content)
}

type Git = ReturnType<typeof gitIn>

/** Ways to make an index look different to its reader. */
const shapes: Record<string, (git: Git, folder: string) => void> = {
  plain: git => git(["commit", "-qm", "first"]),
  "never committed": () => undefined,
  "version 3": (git, folder) => {
    git(["commit", "-qm", "first"])
    write(folder, "later.txt", "later")
    git(["add", "-N", "later.txt"])
    git(["update-index", "--skip-worktree", "src/b/2.txt", "secrets/b.yaml"])
    git(["update-index", "--assume-unchanged", "src/b/4.txt"])
  },
  "version 4": git => git(["update-index", "--index-version", "4"]),
  "version 4 with flags": git => {
    git(["update-index", "--index-version", "4"])
    git(["update-index", "--skip-worktree", "src/b/2.txt", "secrets/b.yaml"])
  },
  "cached trees": git => {
    git(["commit", "-qm", "first"])
    git(["read-tree", "HEAD"])
  },
  "conflict and resolve-undo": (git, folder) => {
    git(["commit", "-qm", "first"])
    for (const side of ["left", "right"]) {
      git(["checkout", "-q", "-B", side, "HEAD"])
      write(folder, "src/a/1.txt", side)
      write(folder, "src/a/2.txt", side)
      git(["commit", "-qam", side])
      if (side === "left") git(["checkout", "-q", "HEAD~1"])
    }
    assert.throws(() => git(["merge", "left"]))
    write(folder, "src/a/2.txt", "settled")
    git(["add", "src/a/2.txt"])
  },
  "untracked cache": git => git(["update-index", "--force-untracked-cache"]),
  "long and odd names": (git, folder) => {
    const oid = git(["hash-object", "-w", "--stdin"], "x").toString().trim()
    const record = (path: string) => Buffer.from(`100644 ${oid}\t${path}\0`, "latin1")
    const names = ["caf\xe9", "a\\b", "tab\there", "d".repeat(200).concat("/x").repeat(25), "100755"]
    git(["update-index", "-z", "--index-info"], Buffer.concat(names.map(record)))
    write(folder, "link-less", "")
  },
}

function makeRepository(shape: string): { git: Git; folder: string } {
  const folder = mkdtempSync(join(root, "repo-"))
  const git = gitIn(folder)
  git(["init", "-q", "-b", "main"])
  for (let i = 0; i < 12; i++) write(folder, `src/${i % 2 ? "a" : "b"}/${i}.txt`, `${i}`)
  for (const name of ["a", "b", "prod/x"]) write(folder, `secrets/${name}.yaml`, name)
  git(["add", "."])
  shapes[shape]!(git, folder)
  return { git, folder }
}

function listing(git: Git, indexFile?: string) {
  const listed = git(["ls-files", "-s", "-t", "-v", "-z"], undefined, indexFile).toString("latin1")
  const undo = git(["ls-files", "--resolve-undo", "-z"], undefined, indexFile).toString("latin1")
  return { listed: listed.split("\0"), undo: undo.split("\0") }
}

/** What `git update-index` makes of the same changes. */
function patchWithGit(git: Git, folder: string, changes: ReadonlyMap<string, IndexEntry | null>): string {
  const copy = join(folder, ".git", "copy")
  writeFileSync(copy, readFileSync(join(folder, ".git/index")))
  const lines = [...changes].map(([path, entry]) =>
    entry === null ? `0 ${"0".repeat(40)}\t${path}` : `${entry.mode} ${entry.oid}\t${path}`,
  )
  git(["update-index", "-z", "--index-info"], lines.map(line => `${line}\0`).join(""), copy)
  return copy
}

function compareListing(git: Git, index: IndexFile): void {
  const ours = index.slots.map(
    slot => `${slotMode(index, slot)} ${slotOid(index, slot)} ${slot.stage}\t${slot.path}`,
  )
  assert.equal(ours, git(["ls-files", "-s", "-z"]).toString("latin1").split("\0").slice(0, -1))
  const sparse = index.slots.filter(slot => isSkipWorktree(index, slot)).map(slot => slot.path)
  const listed = git(["ls-files", "-t", "-z"]).toString("latin1").split("\0")
  assert.equal(
    sparse,
    listed.filter(line => line.startsWith("S ")).map(line => line.slice(2)),
  )
}

for (const shape of Object.keys(shapes)) {
  test(`reads like ls-files and changes like update-index: ${shape}`, () => {
    const { git, folder } = makeRepository(shape)
    compareListing(git, parseIndex(readFileSync(join(folder, ".git/index"))))
    const oid = git(["hash-object", "-w", "--stdin"], "new value").toString().trim()
    const entry = { mode: "100644", oid, skipWorktree: false }
    const changes = new Map<string, IndexEntry | null>([
      ["secrets/a.yaml", entry],
      ["secrets/prod/x.yaml", null],
      ["secrets/prod/db/y.yaml", entry],
      ["0first", entry],
      ["zlast", entry],
      ["not/there", null],
    ])
    const expected = listing(git, patchWithGit(git, folder, changes))
    const treeOf = (file: string) => {
      try {
        return git(["write-tree"], undefined, file).toString()
      } catch {
        return "no tree while there are conflicts"
      }
    }
    const expectedTree = treeOf(join(folder, ".git/copy"))
    const patched = join(folder, ".git", "patched")
    writeFileSync(patched, patchIndex(parseIndex(readFileSync(join(folder, ".git/index"))), changes))
    assert.equal(listing(git, patched), expected)
    assert.is(treeOf(patched), expectedTree)
    writeFileSync(join(folder, ".git/index"), readFileSync(patched))
    git(["fsck", "--strict"])
    git(["status"])
  })
}

test("setting every entry to what it is changes nothing that git lists", () => {
  for (const version of ["2", "4"]) {
    const { git, folder } = makeRepository("plain")
    git(["update-index", "--index-version", version])
    const file = join(folder, ".git/index")
    const index = parseIndex(readFileSync(file))
    const same = new Map(
      index.slots.map(slot => [
        slot.path,
        { mode: slotMode(index, slot), oid: slotOid(index, slot), skipWorktree: false },
      ]),
    )
    const before = listing(git)
    writeFileSync(file, patchIndex(index, same))
    assert.equal(listing(git), before)
    assert.is(git(["status", "--porcelain"]).toString(), "")
  }
})

test("cached trees of other folders survive, those above a change do not", () => {
  const { git, folder } = makeRepository("cached trees")
  const file = join(folder, ".git/index")
  const oid = git(["hash-object", "-w", "--stdin"], "new").toString().trim()
  writeFileSync(
    file,
    patchIndex(
      parseIndex(readFileSync(file)),
      new Map([["secrets/a.yaml", { mode: "100644", oid, skipWorktree: false }]]),
    ),
  )
  const trees = parseIndex(readFileSync(file)).extensions.find(({ signature }) => signature === "TREE")
  const text = trees!.data.toString("latin1")
  assert.ok(text.startsWith("\0-1 2\n"))
  assert.match(text, /secrets\0-1 1\n/)
  assert.match(text, /prod\x001 0\n/)
  assert.match(text, /src\x0012 2\n/)
})

test("marks a path that a sparse checkout leaves out, in every version", () => {
  for (const shape of ["plain", "version 3", "version 4"]) {
    const { git, folder } = makeRepository(shape)
    const file = join(folder, ".git/index")
    const oid = git(["hash-object", "-w", "--stdin"], "new").toString().trim()
    const changes = new Map([["secrets/b.yaml", { mode: "100644", oid, skipWorktree: true }]])
    writeFileSync(file, patchIndex(parseIndex(readFileSync(file)), changes))
    assert.is(git(["ls-files", "-t", "secrets/b.yaml"]).toString(), "S secrets/b.yaml\n")
    assert.is(git(["ls-files", "-s", "secrets/b.yaml"]).toString(), `100644 ${oid} 0\tsecrets/b.yaml\n`)
  }
})

test("refuses what it could not keep, by name", () => {
  const split = makeRepository("plain")
  split.git(["update-index", "--split-index"])
  const sparse = makeRepository("plain")
  sparse.git(["sparse-checkout", "set", "--cone", "--sparse-index", "src/a"])
  for (const [{ folder }, name] of [
    [split, "split index"],
    [sparse, "sparse index"],
  ] as const) {
    assert.throws(
      () => parseIndex(readFileSync(join(folder, ".git/index"))),
      (error: unknown) => hasCode(error, "GIT_UNSUPPORTED") && error.message.includes(name),
      name,
    )
  }
})

test("refuses a file in place of a folder", () => {
  const entry = { mode: "100644", oid: "1".repeat(40), skipWorktree: false }
  const withFile = parseIndex(patchIndex(emptyIndex(), new Map([["a/b", entry]])))
  for (const path of ["a", "a/b/c"]) {
    assert.throws(
      () => patchIndex(withFile, new Map([[path, entry]])),
      (error: unknown) => hasCode(error, "GIT_DIRTY"),
    )
  }
  assert.is(
    parseIndex(
      patchIndex(
        withFile,
        new Map([
          ["a", entry],
          ["a/b", null],
        ]),
      ),
    ).slots.length,
    1,
  )
})

test("accepts the zero sum of index.skipHash", () => {
  const { folder } = makeRepository("plain")
  const bytes = readFileSync(join(folder, ".git/index"))
  bytes.fill(0, bytes.length - 20)
  assert.is(parseIndex(bytes).slots.length, 15)
})

test("a file that was put in place is not read again, until somebody changes it", async () => {
  const { folder } = makeRepository("plain")
  const tree = { workTree: folder, gitDir: join(folder, ".git"), oidHex: 40 as const }
  const path = "secrets/new/b.yaml"
  const prepared = prepareFiles(tree, "token", new Map([[path, Buffer.from("ours..")]]))
  prepared.place(path)
  prepared.discard()
  // What it does not hold shows that it was not read.
  const written = { oid: blobId(Buffer.from("other"), 40), mark: prepared.markOf(path)! }
  assert.is(lookAtFiles(tree).statsOf(path, written.oid, written)?.size, 6n)
  assert.is(lookAtFiles(tree).statsOf(path, written.oid), undefined)
  await new Promise(later => setTimeout(later, 20))
  writeFileSync(join(folder, path), "theirs")
  assert.is(lookAtFiles(tree).statsOf(path, written.oid, written), undefined)
})

test("random bytes and damaged files give typed errors only", () => {
  const { folder } = makeRepository("conflict and resolve-undo")
  const v4 = makeRepository("version 4 with flags")
  const samples = [folder, v4.folder].map(place => readFileSync(join(place, ".git/index")))
  const attempt = (bytes: Buffer) => {
    // With the sum zeroed, damage reaches the parser.
    bytes.fill(0, Math.max(0, bytes.length - 20))
    try {
      const index = parseIndex(bytes)
      for (const slot of index.slots) slotOid(index, slot)
      parseIndex(
        patchIndex(index, new Map([["m/n", { mode: "100644", oid: "1".repeat(40), skipWorktree: false }]])),
      )
    } catch (error) {
      if (!(error instanceof CofferError)) throw error
    }
  }
  const edits = fc.array(fc.tuple(fc.nat(4000), fc.nat(255)), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(fc.constantFrom(...samples), edits, fc.nat(4000), (sample, changes, cut) => {
      const bytes = Buffer.from(cut % 3 ? sample : sample.subarray(0, cut % sample.length))
      for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value
      attempt(bytes)
    }),
    { numRuns: 3000 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), tail => {
      attempt(Buffer.concat([Buffer.from("DIRC\0\0\0\x04\0\0\0\x02", "latin1"), tail]))
      attempt(Buffer.from(tail))
    }),
    { numRuns: 1000 },
  )
})

test.run()
