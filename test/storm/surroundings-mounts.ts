/** Disks that are full to the last page, or mounted read-only. */
import { spawnSync } from "node:child_process"
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Arena, CANARY, type Kind } from "./arena.js"
import {
  attempt,
  attemptToo,
  attemptWrite,
  newPart,
  type PartOptions,
  type PartTally,
  settle,
} from "./surroundings.js"

const SECRETS = 10
const PAGE = 4096
/** mount(8) */
const MOUNT_FAILED = 32
const BUSY_MS = 10_000

/** A tmpfs for one arena. @throws Error where mounting is not permitted */
function withDisk(kind: Kind, use: (arena: Arena, folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "coffer-disk-"))
  try {
    mount("-t", "tmpfs", "-o", "size=24m", "tmpfs", folder)
    try {
      const arena = new Arena(kind, folder)
      arena.fill(SECRETS)
      arena.keep()
      use(arena, folder)
    } finally {
      spawnSync("umount", ["-l", folder])
    }
  } finally {
    rmdirSync(folder)
  }
}

/** A disk is busy as long as the git that a call has kept for a moment has a removed file open. */
function mount(...args: string[]): void {
  let { status, stderr, error } = spawnSync("mount", args, { encoding: "utf8" })
  for (let waited = 0; status === MOUNT_FAILED && /busy/.test(stderr) && waited < BUSY_MS; waited += 100) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
    ;({ status, stderr, error } = spawnSync("mount", args, { encoding: "utf8" }))
  }
  if (status === 0) return
  throw new Error(
    `not permitted to mount (run as root, or in "unshare -rm"): ${error?.message ?? stderr.trim()}`,
  )
}

/** Free space of 0, 4, 8 … KiB, until the operation finds enough. */
export async function fullDisk({ kind, random, rounds }: PartOptions): Promise<PartTally> {
  const tally = newPart()
  const stride = rounds === 1 ? 16 : 1
  withDisk(kind, (arena, folder) => {
    for (const args of [["set", "S0"], ["rotate"]]) {
      const first = Math.floor(random() * stride)
      for (let pages = first, status: number | null = 14; status !== 0; pages += stride) {
        arena.reset()
        const { bavail, bsize } = statfsSync(folder)
        const filler = join(arena.root, "filler")
        writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - pages * PAGE)))
        status = attemptWrite(arena, tally, `${pages} pages free`, args).status
        rmSync(filler)
        settle(arena, tally, `${args[0]} with ${pages} pages free`)
        if (pages > 1000) throw new Error(`coffer ${args[0]} does not work with 4 MiB of space`)
      }
    }
  })
  return tally
}

const READS = [
  ["get", "S0"],
  ["list"],
  ["check"],
  ["versions", "S0"],
  ["export", "-p", "."],
  ["status"],
  ["keys"],
  ["recipients", "list"],
  ["trust", "show"],
]
const WRITES = [["set", "S0"], ["set", "NEW"], ["delete", "S1"], ["rotate"], ["recipients", "remove", "tom"]]

/** Everything, home and temporary folder too: reads work, writes are refused. */
export async function readOnly({ kind }: PartOptions): Promise<PartTally> {
  const tally = newPart()
  withDisk(kind, (arena, folder) => {
    arena.reset()
    arena.env()
    mount("-o", "remount,ro", folder)
    for (const args of READS) {
      const { stdout } = attemptToo(arena, tally, "read-only", args)
      if (args[0] === "get" && JSON.parse(stdout || "{}").value !== `${CANARY} first 0`)
        tally.failures.push(`get on a read-only disk says ${stdout}`)
    }
    for (const args of WRITES) {
      if (attempt(arena, tally, "read-only", args, { input: "x" }).status === 0)
        tally.failures.push(`coffer ${args.join(" ")} is acknowledged on a read-only disk`)
    }
    mount("-o", "remount,rw", folder)
    settle(arena, tally, "writable again")
  })
  return tally
}
