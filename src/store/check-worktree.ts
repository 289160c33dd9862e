/** What the work tree has other than git, where that is an error although nobody has committed it yet. */
import { nameOfPath } from "../format/names.js"
import { printSecretFile, type SecretFile } from "../format/secret-file.js"
import { gitPath } from "../format/shell.js"
import { findRollback } from "../keyring/compare.js"
import type { Finding } from "../keyring/findings.js"
import type { Git, Oid } from "../storage/git/git.js"
import { blobId } from "../storage/git/object.js"
import { parseBlobs } from "./merge-audit.js"
import type { PathFile } from "./reading.js"
import type { Tree } from "./tree.js"

interface WorkTree {
  readonly tree: Tree
  /** Its sound secret files. */
  readonly secrets: readonly PathFile[]
  /** The store's, relative to the work tree. */
  readonly folder: string
}

/** Secrets that are gone or older than in HEAD, and files whose mode git would not have in a store. */
export async function compareWorkTree(git: Git, head: Oid, work: WorkTree): Promise<Finding[]> {
  const present = new Set(await work.tree.paths(""))
  const sound = new Map(work.secrets.map(({ path, file }) => [path, file]))
  const findings: Finding[] = []
  for (const { path, mode, skipWorktree } of await git.entries("index", work.folder)) {
    const inStore = path.slice(work.folder.length + 1)
    if (skipWorktree) present.add(inStore)
    if (mode !== "100644") findings.push(wrongMode(path, inStore, mode))
  }
  const changed = new Map<Oid, SecretFile>()
  for (const { path, oid } of await git.entries(head, work.folder)) {
    const inStore = path.slice(work.folder.length + 1)
    const name = nameOfPath(inStore)
    const file = sound.get(inStore)
    if (name !== undefined && !present.has(inStore)) findings.push(gone(path, inStore, name))
    if (file !== undefined && blobId(printSecretFile(file), git.oidHex) !== oid) changed.set(oid, file)
  }
  for (const [oid, header] of await parseBlobs(git, new Set(changed.keys()))) {
    const loss = findRollback({ header, oid }, { header: changed.get(oid)!, oid: "" })
    if (loss === undefined) continue
    const { code, path, message } = loss
    const hint = `git checkout HEAD -- ${gitPath(`${work.folder}/${path}`)} brings back what is committed`
    findings.push({ code, level: "error", path, message, hint })
  }
  return findings
}

function gone(path: string, inStore: string, name: string): Finding {
  return {
    code: "SECRET_MISSING",
    level: "error",
    path: inStore,
    message: `"${name}" is gone from the work tree, with no tombstone`,
    hint: `git checkout HEAD -- ${gitPath(path)} brings it back; coffer delete ${name} is the way to delete`,
  }
}

function wrongMode(path: string, inStore: string, mode: string): Finding {
  return {
    code: "NOT_CANONICAL",
    level: "error",
    path: inStore,
    message: `"${inStore}" is not a plain store file: its mode in git is ${mode}, not 100644`,
    hint: mode === "100755" ? `chmod -x ${path}; git add --chmod=-x ${path}` : "git log shows who did that",
  }
}
