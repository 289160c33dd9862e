/** Where a call starts that may be a plain form of `get`: these load little more than this. */
import { openStore } from "../store/store.js"
import { get } from "./commands/get.js"
import { entry } from "./entry.js"
import { runCommand } from "./output.js"
import { findPlainGet } from "./plain-get.js"
import { startSession } from "./session.js"

export const { main, runMain } = entry(async host => {
  const plain = findPlainGet(host.argv)
  if (plain !== undefined) {
    return runCommand(startSession(host, plain.globals, openStore), get, () => plain.args)
  }
  const { dispatch } = await import("./dispatch.js")
  return dispatch(host)
})
