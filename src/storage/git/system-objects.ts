/** Objects through the git binary: one `git cat-file --batch`, started at the first question and kept for the next. */
import type { ChildProcessWithoutNullStreams } from "node:child_process"
import type { Socket } from "node:net"
import { Readable } from "node:stream"
import { CofferError } from "../../errors.js"
import type { Repository } from "../repository.js"
import { type ByteReader, readBytes } from "./byte-reader.js"
import type { Oid, OidHex } from "./git.js"
import { type GitProgram, wordsOf } from "./git-process.js"
import type { GitObject } from "./object.js"
import { type ObjectReader, objectReader } from "./object-reader.js"

/** A process that nobody has asked for so long is ended: a program that keeps a store open keeps no git. */
const IDLE_MS = 1000

const LINE_END = 10

export function systemObjects(git: GitProgram, at: Repository, oidHex: OidHex): ObjectReader {
  let kept: Session | undefined
  return objectReader(oidHex, async oid => {
    if (kept === undefined || kept.isOver()) kept = startSession(git, at)
    return (await kept.ask(oid)) ?? findAlone(git, at, oid)
  })
}

/**
 * For an object that was not found: a process of its own tells whether it is damaged, which git calls missing too,
 * and whether it was this one that a process with many questions ended of.
 */
async function findAlone(git: GitProgram, at: Repository, oid: Oid): Promise<GitObject | undefined> {
  const { status, stdout, stderr } = await git.run(["cat-file", "--batch"], {
    cwd: at.workTree,
    input: `${oid}\n`,
  })
  const object = await readAnswer(readBytes(Readable.from([stdout])))
  if (object !== undefined) return object
  const words = wordsOf(stderr)
  if (status === 0 && words === "") return undefined
  // An old git knows no GIT_NO_LAZY_FETCH, and dies of an object that a partial clone lacks.
  if (/promisor|lazy fetch/.test(words)) return undefined
  throw new CofferError("GIT_FAILED", `git cat-file: ${words || `status ${status}`}`, { hint: "git fsck" })
}

interface Session {
  /** Many questions may wait. @returns undefined for what git does not have, and once the process has ended */
  ask(oid: Oid): Promise<GitObject | undefined>
  isOver(): boolean
}

function startSession(git: GitProgram, at: Repository): Session {
  const child = git.start(["cat-file", "--batch"], { cwd: at.workTree })
  const reader = readBytes(child.stdout)
  child.stderr.resume()
  let isOver = false
  child.on("close", () => (isOver = true))
  let waiting = 0
  let last: Promise<unknown> = Promise.resolve()
  const idle = setTimeout(() => {
    if (waiting > 0) return
    isOver = true
    child.stdin.end()
  }, IDLE_MS).unref()
  return {
    isOver: () => isOver,
    ask(oid) {
      if (waiting++ === 0) keepAlive(child, true)
      child.stdin.write(`${oid}\n`)
      const answer = last
        .then(() => readAnswer(reader))
        .finally(() => {
          if (--waiting > 0) return
          keepAlive(child, false)
          idle.refresh()
        })
      last = answer
      return answer
    },
  }
}

/** Whether Node waits for the process: only while a question is open. */
function keepAlive(child: ChildProcessWithoutNullStreams, isWanted: boolean): void {
  // A child's streams are sockets, whatever their types say.
  for (const part of [child, ...([child.stdin, child.stdout, child.stderr] as unknown as Socket[])]) {
    if (isWanted) part.ref()
    else part.unref()
  }
}

async function readAnswer(reader: ByteReader): Promise<GitObject | undefined> {
  const header = (await reader.until(LINE_END))?.toString()
  if (header === undefined) return undefined
  const [, type, size] = /^[0-9a-f]+ (\w+) (\d+)$/.exec(header) ?? []
  if (type === undefined) return undefined
  const bytes = await reader.bytes(Number(size) + 1)
  if (bytes.length !== Number(size) + 1) return undefined
  return { type, bytes: bytes.subarray(0, -1) } as GitObject
}
