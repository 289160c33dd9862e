// Gets a clean clone ready for its tests: installs what is missing, builds the command line and the tests.
import { execFileSync } from "node:child_process"
import { existsSync, rmSync } from "node:fs"

const npm = (...args) => execFileSync("npm", args, { stdio: ["ignore", "inherit", "inherit"] })
if (!existsSync("node_modules")) npm("ci", "--no-audit", "--no-fund")
rmSync("build", { recursive: true, force: true })
npm("run", "--silent", "build")
npm("run", "--silent", "build:test")
