/** Matches repository paths against the globs of the scanner's allow list. */

/**
 * Whether `path` fits `glob`: `*` and `?` stay within a folder, `**` crosses folders, a glob without
 * `/` is for file names anywhere, everything else is literal. The list comes from the repository, so
 * there is no regular expression here whose time an attacker could choose: work is at most path × glob.
 */
export function matchesGlob(path: string, glob: string): boolean {
  const pattern = glob.replace(/^\//, "")
  const folders = path.split("/")
  if (!glob.includes("/")) return matchesSegment(folders.at(-1)!, pattern)
  return matchAll(folders, pattern.split("/"), (folder, part) => matchesSegment(folder, part), "**")
}

function matchesSegment(text: string, pattern: string): boolean {
  return matchAll([...text], [...pattern], (unit, part) => part === "?" || unit === part, "*")
}

/** Two-pointer matching with one kind of wild card: on a mismatch only the last wild card grows. */
function matchAll(
  items: readonly string[],
  parts: readonly string[],
  fits: (item: string, part: string) => boolean,
  wild: string,
): boolean {
  let item = 0
  let part = 0
  let wildPart = -1
  let wildItem = 0
  while (item < items.length) {
    const current = parts[part]
    if (current === wild) {
      wildPart = part++
      wildItem = item
    } else if (current !== undefined && fits(items[item]!, current)) {
      item++
      part++
    } else if (wildPart >= 0) {
      part = wildPart + 1
      item = ++wildItem
    } else {
      return false
    }
  }
  while (parts[part] === wild) part++
  return part === parts.length
}
