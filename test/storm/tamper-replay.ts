/** Older versions committed over newer ones by hand, for a reader who has seen the newer. */
import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathOf, type SecretName } from "../../src/format/names.js"
import { getSecret, setSecrets } from "../../src/store/secrets.js"
import { openStore } from "../../src/store/store.js"
import { count, type Tally, type Victim } from "./tamper.js"

/**
 * Writes each secret `versions` times, and then puts every older file of each back in a commit of its own, as
 * whoever may push can. Only the newest value may be read afterwards. The victim is as it was but for its versions.
 */
export async function replayAll(victim: Victim, tally: Tally, versions: number): Promise<void> {
  const { directory, env } = victim.options
  const git = (...args: string[]) => execFileSync("git", args, { cwd: directory, env: { ...env } })
  const older: ReadonlyMap<SecretName, Uint8Array>[] = []
  for (let version = 1; version <= versions; version++) {
    const store = await openStore(victim.options)
    older.push(await filesOf(victim))
    const secrets = victim.names.map(name => ({
      name,
      value: Buffer.from(`${name} written ${version} times`),
    }))
    await setSecrets(store, { secrets, at: new Date() })
  }
  const read = async (name: SecretName) => {
    const { value } = await getSecret(await openStore(victim.options), { name })
    return Buffer.from(value).toString()
  }
  for (const name of victim.names) {
    const truth = await read(name)
    for (const [index, files] of older.entries()) {
      writeFileSync(join(directory, "secrets", pathOf(name)), files.get(name)!)
      git("commit", "-q", "-am", "an older version")
      await count(tally, `${name}: version ${index + 1}`, truth, () => read(name))
      git("reset", "-q", "--hard", "HEAD~1")
    }
  }
}

async function filesOf(victim: Victim): Promise<ReadonlyMap<SecretName, Uint8Array>> {
  const { tree } = await openStore(victim.options)
  const files = new Map<SecretName, Uint8Array>()
  for (const name of victim.names) files.set(name, (await tree.find(pathOf(name)))!.bytes)
  return files
}
