import { type ChildProcess, spawn } from "node:child_process"
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"
import { StartError, startChild } from "../../src/cli/child.js"
import { fakeHost } from "./fake-host.js"

const driver = join(import.meta.dirname, "run-child.js")

interface End {
  status: number | null
  signal: string | null
  stdout: string
  stderr: string
}

function start(
  args: readonly string[],
  env: Record<string, string> = {},
  stdin = "",
): [ChildProcess, Promise<End>] {
  const child = spawn(process.execPath, [driver, ...args], { env: { ...process.env, ...env } })
  let stdout = ""
  let stderr = ""
  child.stdout.on("data", chunk => (stdout += chunk))
  child.stderr.on("data", chunk => (stderr += chunk))
  // A child that has ended by then has read what it wanted.
  child.stdin.on("error", () => {})
  child.stdin.end(stdin)
  const end = new Promise<End>(resolve => {
    child.on("close", (status, signal) => resolve({ status, signal, stdout, stderr }))
  })
  return [child, end]
}

async function run(args: readonly string[], env?: Record<string, string>, stdin?: string): Promise<End> {
  return start(args, env, stdin)[1]
}

/** Starts a shell script, waits until it says it is ready, and sends a signal to coffer. */
async function signalled(script: string, signal: NodeJS.Signals): Promise<End> {
  const [child, end] = start(["sh", "-c", script])
  await new Promise<void>(resolve => child.stdout!.once("data", () => resolve()))
  child.kill(signal)
  return end
}

test("arguments, stdin and stdout are the child's own, without a shell", async () => {
  const { stdout, status } = await run(
    ["sh", "-c", 'cat; printf "[%s]" "$@"', "sh", "a b", "$HOME", "*", ""],
    {},
    "in",
  )
  assert.is(stdout, "in[a b][$HOME][*][]")
  assert.is(status, 0)
})

test("the status is the child's", async () => {
  for (const status of [0, 1, 2, 77, 125, 255]) {
    assert.is((await run(["sh", "-c", `exit ${status}`])).status, status)
  }
})

test("a child ended by a signal that coffer did not get is told by status, as a shell does", async () => {
  for (const [signal, status] of [
    ["TERM", 143],
    ["INT", 130],
    ["HUP", 129],
    ["KILL", 137],
    ["QUIT", 131],
    ["ABRT", 134],
    ["SEGV", 139],
    ["USR1", 138],
    ["PIPE", 141],
  ] as const) {
    const end = await run(["sh", "-c", `ulimit -c 0; kill -${signal} $$`])
    assert.equal([end.status, end.signal], [status, null], signal)
  }
})

test("a signal that ends the child ends coffer the same way, where it was sent to coffer", async () => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    const end = await signalled("echo ready; exec sleep 20", signal)
    assert.is(end.signal, signal)
    assert.is(end.stderr, "cleaned\n")
  }
  // Its effect cannot be repeated, or would leave a core file.
  for (const [signal, status] of [
    ["SIGQUIT", 131],
    ["SIGUSR1", 138],
  ] as const) {
    const end = await signalled("ulimit -c 0; echo ready; exec sleep 20", signal)
    assert.equal([end.status, end.signal], [status, null], signal)
  }
})

test("signals reach the child, which decides", async () => {
  for (const signal of ["TERM", "HUP", "USR1", "USR2", "INT", "QUIT"]) {
    const script = `trap 'echo got; exit 7' ${signal}; echo ready; while :; do sleep 0.05; done`
    const end = await signalled(script, `SIG${signal}` as NodeJS.Signals)
    assert.equal([end.stdout, end.status], ["ready\ngot\n", 7], signal)
  }
})

test("a signal that the child ignores does not end coffer", async () => {
  const end = await signalled("trap '' TERM; echo ready; sleep 0.4; echo done", "SIGTERM")
  assert.equal([end.stdout, end.status], ["ready\ndone\n", 0])
})

test("no private key reaches a child", async () => {
  const { stdout } = await run(["env"], { COFFER_IDENTITY: "x", COFFER_IDENTITY_FILE: "y", COFFER_PIN: "z" })
  assert.not.match(stdout, "COFFER_IDENTITY")
  assert.match(stdout, "COFFER_PIN=z")
})

test("what cannot be started is 127 or 126, as in a shell", async () => {
  const folder = mkdtempSync(join(tmpdir(), "coffer-child-"))
  try {
    const plain = join(folder, "plain")
    writeFileSync(plain, "text")
    assert.is((await run([join(folder, "absent")])).status, 127)
    assert.is((await run(["no-such-program-on-the-path"])).status, 127)
    assert.is((await run([plain])).status, 126)
    assert.is((await run([folder])).status, 126)
    chmodSync(plain, 0o755)
    writeFileSync(plain, "echo from a script without a first line")
    assert.is((await run([plain])).stdout, "from a script without a first line\n")
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test("more than the system takes is 126", async () => {
  const env = { PATH: process.env.PATH, LONG: "x".repeat(200_000) }
  assert.throws(
    () => startChild(fakeHost([]), { file: "true", args: [], env, cwd: "/" }),
    (error: unknown) =>
      error instanceof StartError && error.exit === 126 && !error.message.includes("x".repeat(9)),
  )
})

test.run()
