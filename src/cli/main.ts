/** Where a call of coffer starts. Kept small: the plain forms of `get` load little more than this. */
import { type Host, processHost } from "./host.js"
import { errorForm, reportError, runCommand } from "./output.js"
import { findPlainGet } from "./plain-get.js"
import { startSession } from "./session.js"

/** Runs coffer in the real process. */
export function main(): void {
  const host = processHost()
  runMain(host).then(host.exit)
}

/** Runs coffer and returns the exit status. Never throws. */
export async function runMain(host: Host): Promise<number> {
  try {
    const plain = findPlainGet(host.argv)
    if (plain === undefined) {
      const { dispatch } = await import("./dispatch.js")
      return await dispatch(host)
    }
    const { get } = await import("./commands/get.js")
    return await runCommand(startSession(host, plain.globals), get, () => plain.args)
  } catch (error) {
    return reportError(host, error, errorForm(host.argv))
  }
}
