/** What commits brought, with two commands for any number of them. */
import type { Repository } from "../repository.js"
import type { Introduced, Oid } from "./git.js"
import type { GitProgram } from "./git-process.js"
import { records } from "./system-reader.js"

const DIFF_OPTIONS = [
  // Of a merge, what differs from every parent; nothing else was made by it.
  "-c",
  "-r",
  "--root",
  "--raw",
  "-z",
  "--no-renames",
  "--no-abbrev",
  "--no-ext-diff",
  "--no-textconv",
]

export async function introduced(
  git: GitProgram,
  at: Repository,
  commits: Iterable<Oid>,
): Promise<Introduced[]> {
  const wanted = [...commits]
  if (wanted.length === 0) return []
  const input = wanted.map(commit => `${commit}\n`).join("")
  // Each line: a commit and its parents, which is what diff-tree reads.
  const lines = await git.text(["rev-list", "--no-walk=unsorted", "--parents", "--stdin"], {
    cwd: at.workTree,
    input,
  })
  const parents = new Map(lines.split("\n").map(line => [line.split(" ", 1)[0]!, line.split(" ").slice(1)]))
  const found: Introduced[] = []
  let files: Introduced["files"][number][] = []
  let about: string | undefined
  const args = ["diff-tree", "--stdin", "--always", ...DIFF_OPTIONS]
  for (const record of await records(git, args, { cwd: at.workTree, input: lines })) {
    if (about !== undefined) {
      const file = parseResult(about)
      if (file !== undefined) files.push({ path: record, ...file })
      about = undefined
    } else if (record.startsWith(":")) {
      about = record
    } else {
      files = []
      found.push({ commit: record, parents: parents.get(record) ?? [], files })
    }
  }
  return found
}

/** The result's side of `:mode… oid… status`, with one colon, mode and id for each parent; undefined: gone. */
function parseResult(about: string): { mode: string; oid: Oid } | undefined {
  const sides = /^:+/.exec(about)![0].length
  const fields = about.slice(sides).split(" ")
  const mode = fields[sides]!
  return Number(mode) === 0 ? undefined : { mode, oid: fields[2 * sides + 1]! }
}
