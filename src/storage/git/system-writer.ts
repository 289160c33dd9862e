/** What the system back end writes: objects through one `git fast-import`, index, and refs in a transaction. */
import { existsSync, rmSync } from "node:fs"
import { join } from "node:path"
import { pipeline } from "node:stream"
import { CofferError, hasCode } from "../../errors.js"
import { cofferFolder } from "../coffer-folder.js"
import { findPerson } from "./author.js"
import type { Backend, IndexEdit, RefLock, RefUpdate } from "./backend.js"
import { LINE_END, readBytes } from "./byte-reader.js"
import { runMessageHooks } from "./commit-hooks.js"
import { requireBoolean } from "./config-file.js"
import type { CommitChange, Oid, OidHex } from "./git.js"
import { collect, type RunOptions, wordsOf } from "./git-process.js"
import { refreshIndexFile } from "./index-refresh.js"
import { noOid, type Person, printPerson, printTime } from "./object.js"
import type { WriterContext } from "./system-context.js"
import { head } from "./system-reader.js"
import type { WrittenFiles } from "./work-files.js"

type SystemWriter = Pick<
  Backend,
  "writeBlobs" | "writeCommit" | "requireCommit" | "signs" | "editIndex" | "refreshIndex" | "lockRef"
>

export function systemWriter(context: WriterContext): SystemWriter {
  return {
    async writeBlobs(blobs) {
      await fastImport(context, blobStream(blobs))
    },
    writeCommit: change => writeCommit(context, change),
    async requireCommit() {
      await findPeople(context)
      await signs(context)
    },
    signs: () => signs(context),
    editIndex: (file, edits) => editIndex(context, file, edits),
    refreshIndex: (file, paths, written) => refreshIndex(context, file, paths, written),
    lockRef: update => lockRef(context, update),
  }
}

/** 2.36 has the first of these, and warns of the second, which is all that older ones have. */
const DURABLE = ["core.fsync=all", "core.fsyncObjectFiles=true"]

function durably({ at }: WriterContext): RunOptions & { cwd: string } {
  return { cwd: at.workTree, settings: DURABLE }
}

async function writeCommit(context: WriterContext, change: CommitChange): Promise<Oid> {
  const people = await findPeople(context)
  const isSigned = await signs(context)
  const author = printPerson(people.author, change.at)
  const committer = printPerson(people.committer, change.at)
  const message = change.verify ? await runMessageHooks(context, change.message) : change.message
  const { oidHex } = context
  const commit = await fastImport(context, commitStream(change, { author, committer, message, oidHex }))
  // Nothing is what a branch is deleted with.
  if (commit.length !== oidHex) throw new CofferError("GIT_FAILED", "git fast-import named no commit")
  return isSigned ? signedCommit(context, change, commit, message) : commit
}

async function findPeople({ settings, env }: WriterContext): Promise<{ author: Person; committer: Person }> {
  const config = await settings()
  return { author: findPerson("author", config, env), committer: findPerson("committer", config, env) }
}

async function signs({ settings }: WriterContext): Promise<boolean> {
  return requireBoolean("commit.gpgsign", (await settings()).get("commit.gpgsign") ?? "false")
}

/** The "@" makes git take small numbers for seconds too. */
function gitDate(at: Date): string {
  return `@${printTime(at)}`
}

/**
 * fast-import puts a commit on a ref; this one is reset to nothing in the same stream and never seen. Nobody else has
 * it, and the store lock is held: a lock on it is what a killed fast-import has left.
 */
const IMPORT_REF = "refs/coffer/write"

async function* commitStream(
  { base, files }: CommitChange,
  head: { author: string; committer: string; message: string; oidHex: OidHex },
): AsyncGenerator<Part[]> {
  yield [
    `commit ${IMPORT_REF}\nmark :1\nauthor ${head.author}\ncommitter ${head.committer}\n`,
    ...data(Buffer.from(head.message)),
  ]
  if (base !== null) yield [`from ${base}\n`]
  for await (const [path, bytes] of files.entries()) {
    if (bytes === null) yield [`D ${quote(path)}\n`]
    else yield [`M 100644 inline ${quote(path)}\n`, ...data(bytes)]
  }
  yield [`\nget-mark :1\nreset ${IMPORT_REF}\nfrom ${noOid(head.oidHex)}\n\ndone\n`]
}

function* blobStream(blobs: Iterable<Uint8Array>): Generator<Part[]> {
  for (const bytes of blobs) yield ["blob\n", ...data(bytes)]
  yield ["done\n"]
}

/** A piece of what fast-import reads. Its streams give a list of them for each object. */
type Part = Uint8Array | string

function data(bytes: Uint8Array): Part[] {
  return [`data ${bytes.length}\n`, bytes, "\n"]
}

function quote(path: string): string {
  return `"${path.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`
}

/**
 * For glibc: fast-import gets and frees a quarter megabyte for each object, and giving it back to the system every
 * time costs ten times what all else does (10,000 objects: 15 s, with this 1.3 s).
 */
const KEEP_MEMORY = { MALLOC_TRIM_THRESHOLD_: "67108864", MALLOC_TOP_PAD_: "1048576" }

/**
 * Writes all objects in one process: below a hundred as loose files, else as one pack. None as a difference from the
 * one before: that saves a fifth of a pack of sealed files, which `git gc` does not, and every reader pays for it.
 */
async function fastImport(context: WriterContext, stream: Stream): Promise<string> {
  rmSync(join(context.at.commonDir, `${IMPORT_REF}.lock`), { force: true })
  const child = context.git.start(["fast-import", "--quiet", "--done", "--depth=0"], {
    ...durably(context),
    env: KEEP_MEMORY,
  })
  const feeding: Feeding = { isWhole: false }
  // That git ends early is seen below.
  pipeline(toBuffers(stream, feeding), child.stdin, () => {})
  const { status, stdout, stderr } = await collect(child)
  if (status === 0 && feeding.isWhole) return stdout.toString().trim()
  const words = dropCrashReport(context, stderr)
  if (feeding.failure !== undefined) throw feeding.failure
  throw new CofferError("GIT_FAILED", `git fast-import: ${wordsOf(words) || `status ${status}`}`)
}

/** Removes the report of its state that git leaves, and the line that tells of it: git may be a script, with git as its child. */
function dropCrashReport({ at }: WriterContext, words: string): string {
  return words.replace(/^fast-import: dumping crash report to .*(fast_import_crash_\d+)\n/gm, (_, name) => {
    rmSync(join(at.gitDir, name), { force: true })
    return ""
  })
}

type Stream = Iterable<Part[]> | AsyncIterable<Part[]>

/** How far a stream has come. */
interface Feeding {
  isWhole: boolean
  failure?: unknown
}

/** In chunks worth a system call. */
async function* toBuffers(stream: Stream, feeding: Feeding): AsyncGenerator<Buffer> {
  let parts: Uint8Array[] = []
  let length = 0
  try {
    for await (const object of stream) {
      for (const part of object) {
        const bytes = typeof part === "string" ? Buffer.from(part) : part
        parts.push(bytes)
        length += bytes.length
      }
      if (length < 64 * 1024) continue
      yield Buffer.concat(parts)
      parts = []
      length = 0
    }
    feeding.isWhole = true
  } catch (error) {
    feeding.failure = error
    throw error
  }
  yield Buffer.concat(parts)
}

/** The same commit again with the user's signature: `commit-tree` signs only when told to. */
async function signedCommit(
  context: WriterContext,
  { base, at }: CommitChange,
  unsigned: Oid,
  message: string,
): Promise<Oid> {
  const parents = base === null ? [] : ["-p", base]
  const { cwd } = durably(context)
  const { status, stdout, stderr } = await context.git.run(
    ["commit-tree", "-S", ...parents, `${unsigned}^{tree}`],
    {
      cwd,
      settings: [...DURABLE, "i18n.commitEncoding=UTF-8"],
      env: { GIT_AUTHOR_DATE: gitDate(at), GIT_COMMITTER_DATE: gitDate(at) },
      input: message,
      programs: "hooks",
    },
  )
  if (status === 0) return stdout.toString().trim()
  throw new CofferError("GIT_SIGN_FAILED", `the commit could not be signed: ${wordsOf(stderr)}`, {
    hint: "git commit -S --allow-empty -m test tries the same; git config commit.gpgSign false turns it off",
  })
}

/** In a sparse index `update-index` puts a file beside the one entry of its folder, which holds it already: none is kept. */
const ON_INDEX = [...DURABLE, "index.sparse=false"]

/**
 * How git changes a private index. It runs where none of the files are: otherwise it puts those that may have been
 * changed in the moment in which the index was written through the filters that the repository's settings name.
 */
function onIndex({ at }: WriterContext, file: string): RunOptions {
  const cwd = cofferFolder(at.gitDir)
  return { cwd, settings: ON_INDEX, env: { GIT_DIR: at.gitDir, GIT_WORK_TREE: cwd, GIT_INDEX_FILE: file } }
}

async function editIndex(context: WriterContext, file: string, edits: readonly IndexEdit[]): Promise<void> {
  const options = onIndex(context, file)
  const none = noOid(context.oidHex)
  const lines = edits.map(
    ({ path, to }) => `${to === null ? `0 ${none}` : `${to.mode} ${to.oid} 0`}\t${path}\0`,
  )
  const isHeld = edits.some(edit => edit.to?.held === true)
  await context.git.text(["update-index", "-z", "--index-info"], {
    ...options,
    // What is set with this has the bit of --assume-unchanged.
    settings: [...ON_INDEX, ...(isHeld ? ["core.ignoreStat=true"] : [])],
    input: lines.join(""),
  })
  const leftOut = edits.filter(edit => edit.to?.skipWorktree === true)
  if (leftOut.length === 0) return
  const input = leftOut.map(({ path }) => `${path}\0`).join("")
  await context.git.text(["update-index", "--skip-worktree", "-z", "--stdin"], { ...options, input })
}

/** Not `git add --refresh`: that would put the files through whatever filters the repository's settings name. */
async function refreshIndex(
  context: WriterContext,
  file: string,
  paths: readonly string[],
  written?: WrittenFiles,
): Promise<void> {
  const { at, git, oidHex } = context
  try {
    if (oidHex === 40) return refreshIndexFile(file, { ...at, oidHex }, paths, written)
  } catch (error) {
    if (!hasCode(error, "GIT_UNSUPPORTED")) throw error
  }
  await git.text(["update-index", "--no-assume-unchanged", "-z", "--stdin"], {
    ...onIndex(context, file),
    input: paths.map(path => `${path}\0`).join(""),
  })
}

async function lockRef(context: WriterContext, update: RefUpdate): Promise<RefLock> {
  const { git, at, oidHex } = context
  const child = git.start(["update-ref", "-m", update.reason, "--stdin"], {
    cwd: at.workTree,
    // Two settings more: git's own wait for a lock on the ref is a tenth of a second.
    settings: [...DURABLE, "core.filesRefLockTimeout=3000"],
    env: { GIT_COMMITTER_DATE: gitDate(update.at) },
    programs: "hooks",
  })
  let words = ""
  child.stderr.on("data", chunk => (words += chunk))
  const ended = new Promise(resolve => child.on("close", resolve))
  const answers = readBytes(child.stdout)
  /** Whether git says that it has done the step. */
  const step = async (command: string, name: string) => {
    child.stdin.write(command)
    for (let line = await answers.until(LINE_END); line !== undefined; line = await answers.until(LINE_END)) {
      if (line.toString() === `${name}: ok`) return true
    }
    await ended
    return false
  }
  const release = async () => {
    child.stdin.end()
    await ended
  }
  // Through HEAD, so that its reflog tells of the commit too.
  const lines = `start\nupdate HEAD ${update.to} ${update.from ?? noOid(oidHex)}\nprepare\n`
  if (!(await step(lines, "prepare"))) throw await refused(context, update, words)
  if ((await head(git, at)).ref !== update.ref) {
    await release()
    throw headMoved()
  }
  return {
    async commit() {
      if (!(await step("commit\n", "commit"))) throw await refused(context, update, words)
    },
    release,
  }
}

/** Why git would not: told from what is there, since its words are for people. */
async function refused(
  { git, at, hooks }: WriterContext,
  update: RefUpdate,
  words: string,
): Promise<CofferError> {
  const now = await head(git, at)
  if (now.ref !== update.ref || now.commit !== update.from) return headMoved()
  const locks = [
    join(at.gitDir, "HEAD.lock"),
    ...(update.ref === null ? [] : [join(at.commonDir, `${update.ref}.lock`)]),
  ]
  const lock = locks.find(path => existsSync(path))
  if (lock !== undefined) {
    return new CofferError("GIT_LOCKED", `another git process works on the branch: "${lock}" is there`, {
      hint: "try again when it is done; if none runs any more, git's own advice holds: remove the file",
    })
  }
  const hook = join(hooks, "reference-transaction")
  const isHook = existsSync(hook)
  return new CofferError(isHook ? "GIT_REFUSED" : "GIT_FAILED", `git update-ref: ${wordsOf(words)}`, {
    hint: isHook ? `the hook reference-transaction decides what may move; it is "${hook}"` : undefined,
  })
}

function headMoved(): CofferError {
  return new CofferError("GIT_MOVED", "HEAD has moved meanwhile", { hint: "run the command again" })
}
