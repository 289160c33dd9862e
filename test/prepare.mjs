// Gets a clean clone ready for its tests: installs what is missing, builds the command line and the tests.
import { execFileSync } from "node:child_process"
import { existsSync, rmSync, writeFileSync } from "node:fs"

const npm = (...args) => execFileSync("npm", args, { stdio: ["ignore", "inherit", "inherit"] })
if (!existsSync("node_modules")) npm("ci", "--no-audit", "--no-fund")
rmSync("build", { recursive: true, force: true })
npm("run", "--silent", "build")
npm("run", "--silent", "build:test")

// Coverage is counted by source file, and the sources of a bundle cannot be told apart well enough for that.
if (process.argv.includes("--unbundled")) {
  for (const [bundle, source] of [
    ["get", "get-main"],
    ["cli", "main"],
  ]) {
    rmSync(`dist/${bundle}.cjs.cache`, { force: true })
    const real = `require("../build/unbundled-${bundle}.cjs")`
    writeFileSync(
      `dist/${bundle}.cjs`,
      `exports.main = () => ${real}.main()\nexports.runMain = host => ${real}.runMain(host)\n`,
    )
    // In a file of its own: bin/load.js runs what it loads as a script, in which there is no import().
    const main = `import("./src/cli/${source}.js")`
    writeFileSync(
      `build/unbundled-${bundle}.cjs`,
      `exports.main = async () => (await ${main}).main()\nexports.runMain = async host => (await ${main}).runMain(host)\n`,
    )
  }
}
