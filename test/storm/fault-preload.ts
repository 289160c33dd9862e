/**
 * Loaded into the built program before anything of its own (`NODE_OPTIONS=--import`): counts its steps on files and
 * with git, and lets one of them fail, be the last, or meet something else than was there a moment ago.
 */
import childProcess from "node:child_process"
import fs from "node:fs"
import { syncBuiltinESMExports } from "node:module"
import { ANSWERS, type Step, WORDS } from "./fault-steps.js"
import type { StepFault } from "./faults.js"

type AnyFunction = (...args: never[]) => unknown

const fault = JSON.parse(process.env.STORM_FAULT ?? "null") as StepFault
const real = { ...fs, native: fs.realpathSync.native }
const opened = new Map<number, string>()
let steps = 0
let isReached = false

function isWatched(path: unknown): path is string {
  return typeof path === "string" && fault.below.some(folder => path.startsWith(folder))
}

/** Counts a step. @returns whether it is the one that fails; the last one never returns. */
function isHit(step: Step, what: string, torn?: () => void): boolean {
  steps++
  if (fault.kind === "count") real.appendFileSync(fault.trace, `${step}\t${what}\n`)
  if (fault.kind === "swap") swap(what)
  if (fault.kind === "fail") {
    const wasReached = isReached
    isReached ||= typeof fault.step === "string" ? what.endsWith(fault.step) : steps === fault.step
    if (!isReached || (wasReached && !fault.lasting) || !ANSWERS[fault.errno].includes(step)) return false
    real.appendFileSync(fault.trace, `${step}\t${what}\n`)
    return true
  }
  if (fault.kind === "kill" && steps === fault.step) {
    torn?.()
    die(step, what)
  }
  return false
}

function die(step: Step, what: string): never {
  if (fault.kind !== "kill") throw new Error("nothing is to be killed")
  real.appendFileSync(fault.trace, `${step}\t${what}\n`)
  process.kill(fault.withChildren ? 0 : process.pid, "SIGKILL")
  for (;;);
}

/** Puts the bait where the target was, and after some steps takes it away again. */
function swap(what: string): void {
  if (fault.kind !== "swap") return
  if (steps === fault.step) {
    real.appendFileSync(fault.trace, `${what}\n`)
    exchange(fault.target, fault.aside, fault.bait)
  }
  if (steps === fault.back) exchange(fault.target, fault.bait, fault.aside)
}

function exchange(target: string, aside: string, next: string): void {
  try {
    real.renameSync(target, aside)
  } catch {
    // A lock or a journal is not there all the time.
  }
  try {
    real.renameSync(next, target)
  } catch {
    // Nothing was put aside.
  }
}

function refusal(): Error {
  const errno = fault.kind === "fail" ? fault.errno : "EIO"
  return Object.assign(new Error(`${errno}: injected`), { code: errno, errno: -5, syscall: "injected" })
}

function replace(name: keyof typeof fs, wrapped: AnyFunction): void {
  Object.defineProperty(fs, name, { value: wrapped, configurable: true, writable: true, enumerable: true })
}

/** A function whose first argument is a path. */
function watchPath(name: keyof typeof fs, step: Step): void {
  const original = real[name as keyof typeof real] as (...args: unknown[]) => unknown
  const wrapped = (...args: unknown[]) => {
    if (isWatched(args[0]) && isHit(step, `${name} ${args[0]}`)) throw refusal()
    return original.apply(fs, args)
  }
  replace(name, Object.assign(wrapped, original))
}

/** A function whose first argument is an open file. */
function watchOpened(name: keyof typeof fs, step: Step): void {
  const original = real[name as keyof typeof real] as (...args: unknown[]) => unknown
  replace(name, ((fd: number, ...args: unknown[]) => {
    const path = opened.get(fd)
    const failing = path !== undefined && isHit(step, `${name} ${path}`)
    // An error of close leaves the file closed all the same.
    if (failing && name !== "closeSync") throw refusal()
    if (name === "closeSync") opened.delete(fd)
    const result = original.call(fs, fd, ...args)
    if (failing) throw refusal()
    return result
  }) as AnyFunction)
}

for (const name of ["readFileSync", "readdirSync", "readlinkSync", "opendirSync"] as const)
  watchPath(name, "read")
for (const name of ["statSync", "lstatSync", "accessSync", "realpathSync"] as const) watchPath(name, "look")
for (const name of [
  "mkdirSync",
  "mkdtempSync",
  "renameSync",
  "linkSync",
  "copyFileSync",
  "symlinkSync",
] as const)
  watchPath(name, "create")
for (const name of ["unlinkSync", "rmSync", "rmdirSync", "chmodSync", "utimesSync"] as const)
  watchPath(name, "change")
for (const name of ["fsyncSync", "closeSync"] as const) watchOpened(name, "sync")
for (const name of ["readSync", "fstatSync", "fchmodSync"] as const) watchOpened(name, "read")

fs.realpathSync.native = ((path: string, options?: fs.EncodingOption) => {
  if (isWatched(path) && isHit("look", `realpath ${path}`)) throw refusal()
  return real.native(path, options as BufferEncoding)
}) as typeof fs.realpathSync.native

replace("existsSync", ((path: string) => {
  if (isWatched(path) && isHit("look", `existsSync ${path}`)) return false
  return real.existsSync(path)
}) as AnyFunction)

replace("openSync", ((path: string, flags: number | string = "r", mode?: number) => {
  const isReading = flags === "r" || (typeof flags === "number" && (flags & 3) === 0)
  if (isWatched(path) && isHit(isReading ? "look" : "create", `openSync ${path}`)) throw refusal()
  const fd = real.openSync(path, flags, mode)
  if (isWatched(path)) opened.set(fd, path)
  return fd
}) as AnyFunction)

/** What fails in the middle of a write, or dies there, has written half. */
function writeStep(fd: number, bytes: Uint8Array, at: number | null = null): number {
  const path = opened.get(fd)
  const half = () => void real.writeSync(fd, bytes, 0, bytes.length >> 1, at)
  if (path !== undefined && isHit("write", `write ${path}`, half)) {
    half()
    throw refusal()
  }
  return real.writeSync(fd, bytes, 0, bytes.length, at)
}

replace("writeSync", ((
  fd: number,
  bytes: Uint8Array,
  offset = 0,
  length = bytes.length - offset,
  at: number | null = null,
) =>
  opened.has(fd)
    ? writeStep(fd, bytes.subarray(offset, offset + length), at)
    : real.writeSync(fd, bytes, offset, length, at)) as AnyFunction)

/** In its parts, each a step. */
function writeWhole(flag: string) {
  return (file: string | number, content: string | Uint8Array, options?: fs.WriteFileOptions) => {
    const given = typeof options === "object" ? options : undefined
    const bytes = typeof content === "string" ? Buffer.from(content) : content
    const fd = typeof file === "number" ? file : fs.openSync(file, given?.flag ?? flag, given?.mode ?? 0o666)
    try {
      for (let at = 0; at < bytes.length; ) at += writeStep(fd, bytes.subarray(at))
    } finally {
      if (typeof file !== "number") fs.closeSync(fd)
    }
  }
}
replace("writeFileSync", writeWhole("w"))
replace("appendFileSync", writeWhole("a"))

const spawn = childProcess.spawn as (...args: unknown[]) => childProcess.ChildProcess
const FAILING = { refuse: "", after: '"$0" "$@"; ' } as const

/** A git that cannot be started, that stops at once, or that reports an error after its work. */
function spawnFailing(file: string, args: readonly string[], options: unknown): childProcess.ChildProcess {
  if (fault.kind !== "fail") throw new Error("nothing is to fail")
  if (fault.errno === "EACCES" && fault.git === "refuse") return spawn("/dev/null", [], options)
  const script = `${FAILING[fault.git]}echo "fatal: ${WORDS[fault.errno]}" >&2; exit 128`
  return spawn("/bin/sh", ["-c", script, file, ...args], options)
}

Object.assign(childProcess, {
  spawn(file: string, args: readonly string[], options: unknown) {
    if (!/(^|\/)git$/.test(file)) return spawn(file, args, options)
    const command = args.filter((word, index) => word !== "-c" && args[index - 1] !== "-c")[0]
    let started: childProcess.ChildProcess | undefined
    // Dies while git works: that git is done by now is as likely as that it has not begun.
    const dying = () => {
      started = spawn(file, args, options)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, fault.kind === "kill" ? fault.pauseMs : 0)
    }
    if (isHit("git", `git ${command}`, dying)) return spawnFailing(file, args, options)
    started ??= spawn(file, args, options)
    if (command === "update-ref") watchInput(started)
    return started
  },
})

/** Each word to a git that waits for words is a step, too. */
function watchInput(child: childProcess.ChildProcess): void {
  const input = child.stdin
  if (input === null) return
  const write = input.write.bind(input) as (chunk: string) => boolean
  Object.assign(input, {
    write(chunk: string) {
      if (isHit("git", `git update-ref: ${chunk.split("\n")[0]}`, () => {})) child.kill("SIGKILL")
      return write(chunk)
    },
  })
}

syncBuiltinESMExports()
