/** What this clone's own attributes would have git do to files of the store, whatever the committed ones say. */
import { quoteForShell } from "../format/shell.js"
import type { Finding } from "../keyring/findings.js"
import { type OwnAttribute, printPattern, readOwnAttributes } from "../storage/git/own-attributes.js"
import type { Store } from "./store.js"

/** What the committed file turns off, since it changes bytes between git and the work tree. */
const UNWANTED = ["text", "filter", "ident", "working-tree-encoding"]

/** A warning where lines of `.git/info/attributes` let git change files of the store, or merge them as text. */
export async function findOwnAttributes({ repository, tree, folder }: Store): Promise<Finding[]> {
  const own = repository && readOwnAttributes(repository.commonDir)
  if (own === undefined) return []
  const found = new Set<string>()
  const remedies = new Set<string>()
  for (const path of await tree.paths("")) {
    for (const [name, attribute] of own.of(`${folder}/${path}`)) {
      if (!isHarmful(path, name, attribute)) continue
      found.add(`"${printState(name, attribute)}" (line ${attribute.line})`)
      remedies.add(
        name === "merge"
          ? `${printPattern(folder, "/**/*.yaml")} merge=coffer`
          : `${printPattern(folder, "/**")} ${UNWANTED.map(each => `-${each}`).join(" ")}`,
      )
    }
  }
  if (found.size === 0) return []
  return [
    {
      code: "SETTING_INVALID",
      level: "warning",
      message: `.git/info/attributes gives files of the store ${[...found].join(", ")}: git will change their bytes`,
      hint: `put below it: printf '%s\\n' ${[...remedies].map(quoteForShell).join(" ")} >> "$(git rev-parse --git-path info/attributes)"`,
    },
  ]
}

function isHarmful(path: string, name: string, { value }: OwnAttribute): boolean {
  if (UNWANTED.includes(name)) return value !== false
  if (name !== "merge" || !path.endsWith(".yaml")) return false
  return value !== "coffer" && value !== "binary" && value !== false
}

function printState(name: string, { value }: OwnAttribute): string {
  // A clone out of an archive brings this file along: what it says goes to no terminal as it is.
  if (typeof value === "string") return `${name}=${/^[\w.+-]{1,64}$/.test(value) ? value : "…"}`
  return value === true ? name : `!${name}`
}
