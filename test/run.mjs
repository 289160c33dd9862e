// Runs each compiled test file in a process of its own, several at a time, with a time limit,
// and fails where a file ran no test: uvu alone exits 0 for a file that forgot test.run().
import { spawn } from "node:child_process"
import { accessSync, constants, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join, relative } from "node:path"
import { parseArgs } from "node:util"

/** One more than there are processors: tests wait for git and for locks. */
const AT_ONCE = availableParallelism() + 1
const LIMIT_MS = Number(process.env.TEST_LIMIT_MS ?? 480_000)
const root = "build/test"
const temporary = mkdtempSync(join(memoryFolder(), "coffer-test-"))
process.on("exit", () => rmSync(temporary, { recursive: true, force: true }))

/** Tests write thousands of small files durably: in memory that costs nothing. */
function memoryFolder() {
  try {
    accessSync("/dev/shm", constants.W_OK)
    return "/dev/shm"
  } catch {
    return tmpdir()
  }
}

// PART… runs the files whose paths have one of them; --except PART leaves out what cannot be counted (bundles, the package).
const { values: given, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: { except: { type: "string", multiple: true, default: [] } },
})

function testFiles(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return testFiles(path)
    return path.endsWith(".test.js") ? [path] : []
  })
}

function run(file) {
  return new Promise(resolve => {
    const started = Date.now()
    const child = spawn(process.execPath, ["--enable-source-maps", file], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, TMPDIR: temporary },
    })
    let output = ""
    child.stdout.on("data", chunk => (output += chunk))
    child.stderr.on("data", chunk => (output += chunk))
    const timer = setTimeout(() => {
      output += `\ntime limit of ${LIMIT_MS} ms passed\n`
      child.kill("SIGKILL")
    }, LIMIT_MS)
    child.on("close", status => {
      clearTimeout(timer)
      const total = Number(/Total:\s+(\d+)/.exec(output)?.[1] ?? 0)
      const passed = Number(/Passed:\s+(\d+)/.exec(output)?.[1] ?? 0)
      const skipped = Number(/Skipped:\s+(\d+)/.exec(output)?.[1] ?? 0)
      const ok = status === 0 && total > 0 && passed === total && skipped === 0
      const failed = ok ? 0 : Math.max(1, total - passed)
      resolve({ file, ok, passed, failed, output, seconds: (Date.now() - started) / 1000 })
    })
  })
}

const files = testFiles(root)
  .filter(file => wanted.length === 0 || wanted.some(part => file.includes(part)))
  .filter(file => !given.except.some(part => file.includes(part)))
/** The longest first, so that all processors are busy until the end. */
const LONG = ["e2e/", "storage/git/", "store/", "attacks/", "readme", "recovery"]
const rank = file => {
  const index = LONG.findIndex(part => relative(root, file).startsWith(part))
  return index < 0 ? LONG.length : index
}
const queue = files.toSorted((a, b) => rank(a) - rank(b))
const results = []
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const result = await run(file)
      results.push(result)
      const name = relative(root, file)
      console.log(`${result.ok ? "ok  " : "FAIL"} ${name} (${result.passed}, ${result.seconds.toFixed(1)} s)`)
      if (!result.ok) console.log(result.output)
    }
  }),
)
const passed = results.reduce((sum, result) => sum + result.passed, 0)
const failed = results.reduce((sum, result) => sum + result.failed, 0) + (files.length === 0 ? 1 : 0)
if (files.length === 0) console.log("no test file matches")
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
