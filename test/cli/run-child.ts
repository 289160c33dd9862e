/** A program for child.test.ts: starts the program of its arguments as `coffer run` does, and ends as that ended. */
import { type ChildEnd, startChild } from "../../src/cli/child.js"
import { processHost } from "../../src/cli/host.js"
import { CofferError } from "../../src/errors.js"

const host = processHost()
host.atExit(() => host.stderr.write("cleaned\n"))
const [file = "", ...args] = host.argv
startChild(host, { file, args, env: host.env, cwd: host.cwd }).ended.then(
  (end: ChildEnd) => ("signal" in end ? host.die(end.signal) : host.exit(end.status)),
  (error: unknown) => host.exit(error instanceof CofferError ? error.exit : 1),
)
