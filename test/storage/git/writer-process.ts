/** A process of its own that writes, for the tests that kill it or let several run at once. */
import { commit, type Kind, open, toFiles } from "./repositories.js"

const [, , job, folder, kind, ...rest] = process.argv as [string, string, string, string, Kind, ...string[]]

if (job === "die") {
  const [what, step, count] = rest
  let left = Number(count)
  const opened = await open(folder, kind, reached => {
    if (reached === step && left-- === 0)
      process.kill(process.env.WITH_CHILDREN === "1" ? 0 : process.pid, "SIGKILL")
  })
  const files = { "secrets/A.yaml": "third\n", "secrets/B.yaml": null, "secrets/new/D.yaml": "D\n" }
  if (what === "stage") await opened.stage({ files: toFiles(files) })
  else await commit(opened, files)
}

if (job === "loop") {
  const [name, rounds] = rest
  for (let round = 0; round < Number(rounds); round++) {
    const opened = await open(folder, kind)
    await opened.exclusively(locked =>
      commit(locked, { [`secrets/${name}/${round}.yaml`]: `${name} ${round}\n` }, { scope: "secrets" }),
    )
  }
}

// Adds one to a number, read and written under the lock.
if (job === "count") {
  const { readFileSync } = await import("node:fs")
  for (let round = 0; round < Number(rest[0]); round++) {
    const opened = await open(folder, kind)
    await opened.exclusively(locked => {
      const number = Number(readFileSync(`${folder}/secrets/N.yaml`, "utf8"))
      return commit(locked, { "secrets/N.yaml": `${number + 1}\n` })
    })
  }
}
