/** What the system tells of processes, so that a later one with the same number is not taken for the one that was meant. */
import { readFileSync, readlinkSync } from "node:fs"
import { errnoOf } from "./files.js"

/** When a process started, in clock ticks since boot (proc(5), field 22); "" where that is unknown. */
export function startOf(pid: number): string {
  return statOf(pid)[19] ?? ""
}

/** Fields of proc(5)'s `stat` from the third on. */
function statOf(pid: number): readonly string[] {
  const stat = readProc(`${pid}/stat`)
  // The second field is the program's name in brackets, with any characters in it.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")
}

/**
 * Whether a process that can be seen from here has certainly ended.
 *
 * @param started - what {@link startOf} said of it.
 */
export function hasEnded(pid: number, started: string): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    return errnoOf(error) === "ESRCH"
  }
  if (started === "") return false
  const stat = statOf(pid)
  // A process that its parent has not waited for stays in the list, and does nothing any more.
  return stat[19] !== started || /^[ZX]$/.test(stat[0] ?? "")
}

/** Which processes this one sees: containers have numbers of their own. As `pid:[4026531836]`; "" where that is unknown. */
export function pidSpace(): string {
  try {
    return readlinkSync("/proc/self/ns/pid")
  } catch {
    return ""
  }
}

/** Which start of this machine it is; "" where that is unknown. */
export function bootId(): string {
  return readProc("sys/kernel/random/boot_id")
}

function readProc(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, "latin1").trim()
  } catch {
    return ""
  }
}
