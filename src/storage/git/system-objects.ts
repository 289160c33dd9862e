/** Objects through the git binary: one `git cat-file --batch`, started at the first question and kept for the next. */
import type { ChildProcessWithoutNullStreams } from "node:child_process"
import type { Socket } from "node:net"
import { Readable } from "node:stream"
import { setImmediate } from "node:timers/promises"
import { CofferError } from "../../errors.js"
import type { Repository } from "../repository.js"
import { type ByteReader, LINE_END, readBytes } from "./byte-reader.js"
import type { Oid, OidHex } from "./git.js"
import { type GitProgram, wordsOf } from "./git-process.js"
import type { GitObject } from "./object.js"
import { type ObjectReader, objectReader } from "./object-reader.js"
import { isLackOf } from "./partial-clone.js"

/** A process that nobody has asked for so long is ended: a program that keeps a store open keeps no git. */
const IDLE_MS = 1000

/** So many questions are written at a time: a system call for each took longer than git's answer. */
const BLOCK = 64

export function systemObjects(git: GitProgram, at: Repository, oidHex: OidHex): ObjectReader {
  let kept: Session | undefined
  const ask = (oids: readonly Oid[]): { oid: Oid; answer: () => Promise<Answer> }[] => {
    if (oids.length === 0) return []
    if (kept === undefined || kept.isOver()) kept = startSession(git, at)
    const answers = kept.ask(oids)
    return oids.map((oid, index) => ({ oid, answer: answers[index]! }))
  }
  return objectReader(oidHex, async function* (oids) {
    const blocks = inBlocks(oids, BLOCK)
    let open = ask([])
    for (;;) {
      // Git looks for the next block while the last one is being read.
      if (open.length < BLOCK) open.push(...ask(blocks.next().value ?? []))
      const question = open.shift()
      if (question === undefined) return
      const answer = await question.answer()
      // What was asked after that has no answer either: it is asked again.
      if (answer === "ended") open = ask(open.map(({ oid }) => oid))
      const { oid } = question
      yield { oid, object: typeof answer === "string" ? await findAlone(git, at, oid) : answer }
    }
  })
}

function* inBlocks<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let block: T[] = []
  for (const item of items) {
    block.push(item)
    if (block.length < size) continue
    yield block
    block = []
  }
  if (block.length > 0) yield block
}

/** A process of its own tells whether it was this object that git ended of or complained about. */
async function findAlone(git: GitProgram, at: Repository, oid: Oid): Promise<GitObject | undefined> {
  const { status, stdout, stderr } = await git.run(["cat-file", "--batch"], {
    cwd: at.workTree,
    input: `${oid}\n`,
  })
  const object = await readAnswer(readBytes(Readable.from([stdout])))
  if (typeof object === "object") return object
  const words = wordsOf(stderr)
  if (status === 0 && words === "") return undefined
  // An old git knows no GIT_NO_LAZY_FETCH, and dies of an object that a partial clone lacks.
  if (isLackOf(words)) return undefined
  throw new CofferError("GIT_FAILED", `git cat-file: ${words || `status ${status}`}`, { hint: "git fsck" })
}

/** Undefined: git does not have it. "unclear": the same, and git has complained, as it does of damaged ones. */
type Answer = GitObject | undefined | "unclear" | "ended"

interface Session {
  /**
   * Asks at once; each answer is read when it is called for, or a later one is, so that a block of large files does
   * not stand in memory.
   */
  ask(oids: readonly Oid[]): (() => Promise<Answer>)[]
  isOver(): boolean
}

function startSession(git: GitProgram, at: Repository): Session {
  const child = git.start(["cat-file", "--batch"], { cwd: at.workTree })
  const reader = readBytes(child.stdout)
  let words = ""
  child.stderr.on("data", chunk => (words += chunk))
  let isOver = false
  child.on("close", () => (isOver = true))
  let reading = 0
  const idle = setTimeout(() => {
    if (reading > 0) return
    isOver = true
    child.kill()
  }, IDLE_MS).unref()
  const read = async (before: Promise<unknown>): Promise<Answer> => {
    await before
    if (reading++ === 0) keepAlive(child, true)
    try {
      const answer = await readAnswer(reader)
      if (answer === "ended") isOver = true
      if (answer !== undefined) return answer
      // Git complains before it answers, on another stream: by the next turn that has been read as well.
      await setImmediate()
      return /^(error|fatal): /m.test(words) ? "unclear" : undefined
    } finally {
      if (--reading === 0) keepAlive(child, false)
      idle.refresh()
    }
  }
  let last = async (): Promise<unknown> => undefined
  return {
    isOver: () => isOver,
    ask(oids) {
      child.stdin.write(oids.map(oid => `${oid}\n`).join(""))
      return oids.map(() => {
        const before = last
        let answer: Promise<Answer> | undefined
        const next = () => {
          answer ??= read(before())
          return answer
        }
        last = next
        return next
      })
    },
  }
}

/** Whether Node waits for the process: only while a question is open. */
function keepAlive(child: ChildProcessWithoutNullStreams, isWanted: boolean): void {
  // A child's streams are sockets, whatever their types say. One that is closed would wait to be connected again.
  const sockets = ([child.stdin, child.stdout, child.stderr] as unknown as Socket[]).filter(
    socket => !socket.destroyed,
  )
  for (const part of [child, ...sockets]) {
    if (isWanted) part.ref()
    else part.unref()
  }
}

async function readAnswer(reader: ByteReader): Promise<Exclude<Answer, "unclear">> {
  const header = (await reader.until(LINE_END))?.toString()
  if (header === undefined) return "ended"
  const [, type, size] = /^[0-9a-f]+ (\w+) (\d+)$/.exec(header) ?? []
  if (type === undefined) return undefined
  const bytes = await reader.bytes(Number(size) + 1)
  if (bytes.length !== Number(size) + 1) return "ended"
  return { type, bytes: bytes.subarray(0, -1) } as GitObject
}
