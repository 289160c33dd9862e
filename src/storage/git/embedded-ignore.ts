/** Whether git ignores a path: `.gitignore` files, `info/exclude`, `core.excludesFile`. */

import { statSync } from "node:fs"
import { devNull } from "node:os"
import { join } from "node:path"
import { withoutEnd } from "../../encoding.js"
import { findText } from "../disk.js"
import type { Environment } from "../environment.js"
import type { Repository } from "../repository.js"
import { type GitConfig, userFolder } from "./embedded-config.js"
import { compilePattern, type PatternTest } from "./wildmatch.js"

interface Rule {
  readonly pattern: PatternTest
  readonly isNegated: boolean
  readonly foldersOnly: boolean
  /** Compared with the last name only: the pattern has no slash. */
  readonly byName: boolean
}

/** The rules of one file, for paths below `folder` ("" or with a final slash). */
interface RuleFile {
  readonly folder: string
  readonly rules: readonly Rule[]
}

/** A path that the index does not have, relative to the work tree. */
export function isIgnoredPath(
  repository: Repository,
  config: GitConfig,
  env: Environment,
  path: string,
): boolean {
  const ignoreCase = config.getBoolean("core.ignorecase") ?? false
  const load = (file: string, folder: string): RuleFile => ({ folder, rules: readRules(file, ignoreCase) })
  const user = userFolder(env)
  const global =
    config.getPath("core.excludesfile") ?? (user === undefined ? undefined : join(user, "ignore"))
  // Later files count more, and so do later lines of one.
  const files = [
    ...(global === undefined ? [] : [load(global, "")]),
    load(join(repository.commonDir, "info", "exclude"), ""),
    load(join(repository.workTree, ".gitignore"), ""),
  ]
  const segments = path.split("/")
  for (let count = 1; count <= segments.length; count++) {
    const place = segments.slice(0, count).join("/")
    const isFolder = count < segments.length || isDirectory(join(repository.workTree, place))
    // Nothing below an ignored folder can be taken in again.
    if (isIgnoredBy(files, place, isFolder)) return true
    if (count < segments.length) files.push(load(join(repository.workTree, place, ".gitignore"), `${place}/`))
  }
  return false
}

function isIgnoredBy(files: readonly RuleFile[], path: string, isFolder: boolean): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1)
  for (const { folder, rules } of files.toReversed()) {
    const inside = path.slice(folder.length)
    const rule = rules.findLast(
      ({ pattern, foldersOnly, byName }) => (isFolder || !foldersOnly) && pattern(byName ? name : inside),
    )
    if (rule !== undefined) return !rule.isNegated
  }
  return false
}

function readRules(file: string, ignoreCase: boolean): Rule[] {
  // What people name where there is to be no file.
  const text = file === devNull ? "" : (findText(file) ?? "")
  const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/)
  return lines.flatMap(line => parseRule(line, ignoreCase) ?? [])
}

function parseRule(line: string, ignoreCase: boolean): Rule | undefined {
  if (line === "" || line.startsWith("#")) return undefined
  const isNegated = line.startsWith("!")
  const whole = line.slice(isNegated ? 1 : 0)
  // Spaces at the end do not count unless quoted with a backslash.
  const bare = withoutEnd(whole, " ")
  const text = bare.endsWith("\\") ? whole.slice(0, bare.length + 1) : bare
  const foldersOnly = text.endsWith("/")
  const body = foldersOnly ? text.slice(0, -1) : text
  const byName = !body.includes("/")
  const pattern = compilePattern(body.replace(/^\//, ""), { ignoreCase })
  return pattern === undefined || body === "" ? undefined : { pattern, isNegated, foldersOnly, byName }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
