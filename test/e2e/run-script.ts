/** Runs one script with one back end, and looks for its secrets where they must not be. */
import { execFileSync, spawn } from "node:child_process"
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { type InlineFile, matches, type Script, type Step } from "./script.js"

/** `embedded` runs without any git program on coffer's PATH; scripts themselves have it. */
export type Mode = "system" | "embedded"

interface Outcome {
  readonly stdout: string
  readonly stderr: string
  readonly status: number | null
}

const PROJECT = process.cwd()
const STEP_LIMIT_MS = 60_000
let count = 0

/** @throws Error that says which line of the script went otherwise */
export async function runScript(script: Script, mode: Mode): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), "coffer-e2e-"))
  const canary = `canary-${process.pid}-${++count}-${"abcdefghijklmnop".slice(0, 8)}`
  try {
    const env = prepare(root, mode, canary)
    const differences: string[] = []
    for (const step of script.steps) {
      if ("path" in step) writeInline(root, step)
      else differences.push(...(await runStep(root, env, step, canary)))
    }
    if (differences.length > 0) throw new Error(differences.join("\n\n"))
    lookForCanary(root, canary)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

function prepare(root: string, mode: Mode, canary: string): Record<string, string> {
  for (const folder of ["bin", "work", "tmp", "state"]) mkdirSync(join(root, folder))
  const path = mode === "embedded" ? pathWithoutGit() : (process.env.PATH ?? "")
  writeProgram(
    join(root, "bin", "coffer"),
    `PATH='${path}' exec '${process.execPath}' '${join(PROJECT, "bin/coffer.js")}' "$@"`,
  )
  writeFileSync(join(root, "state", "prelude"), PRELUDE)
  writeFileSync(join(root, "state", "now"), 'as ana\ncd "$ROOT/work"\n')
  const { NODE_V8_COVERAGE } = process.env
  return {
    PATH: `${join(root, "bin")}${delimiter}${process.env.PATH}`,
    ROOT: root,
    CANARY: canary,
    COFFER_GIT: mode,
    TMPDIR: join(root, "tmp"),
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: join(root, "state", "gitconfig"),
    LC_ALL: "C.UTF-8",
    ...(NODE_V8_COVERAGE === undefined ? {} : { NODE_V8_COVERAGE }),
  }
}

const PRELUDE = `
as() {
  export HOME="$ROOT/home/$1" GIT_AUTHOR_NAME="$1" GIT_AUTHOR_EMAIL="$1@example.com"
  export GIT_COMMITTER_NAME="$1" GIT_COMMITTER_EMAIL="$1@example.com"
  export XDG_CONFIG_HOME="$HOME/.config" XDG_STATE_HOME="$HOME/.local/state"
  unset COFFER_IDENTITY COFFER_PIN
  mkdir -p "$HOME"
}
`

/** Everything that the PATH has, without git: what an image for builds looks like. */
function pathWithoutGit(): string {
  if (withoutGit !== undefined) return withoutGit
  const folder = mkdtempSync(join(tmpdir(), "coffer-e2e-bin-"))
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
  for (const from of (process.env.PATH ?? "").split(delimiter)) {
    if (!existsSync(from)) continue
    for (const name of readdirSync(from)) {
      if (/^git/.test(name) || existsSync(join(folder, name))) continue
      symlinkSync(join(from, name), join(folder, name))
    }
  }
  withoutGit = folder
  return folder
}

let withoutGit: string | undefined

function writeProgram(path: string, script: string): void {
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
}

function writeInline(root: string, { path, content }: InlineFile): void {
  const folder =
    /^cd '(.*)'$/m.exec(readFileSync(join(root, "state", "now"), "utf8"))?.[1] ?? join(root, "work")
  const file = join(folder, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
}

/** @returns what was otherwise than expected */
async function runStep(
  root: string,
  env: Record<string, string>,
  step: Step,
  canary: string,
): Promise<string[]> {
  const outcome = await runShell(root, env, step.command)
  const replace = (line: string) => line.replaceAll("$CANARY", canary).replaceAll("$ROOT", root)
  const asExpected =
    outcome.status === step.status &&
    matches(step.stdout.map(replace), outcome.stdout) &&
    matches(step.stderr.map(replace), outcome.stderr)
  const found: string[] = []
  if (!asExpected) {
    found.push(`line ${step.line}: $ ${step.command}\n${show(outcome)}\nexpected:\n${showExpected(step)}`)
  }
  if (outcome.stderr.includes("coffer: error:") && !outcome.stderr.includes("coffer: hint:"))
    found.push(`line ${step.line}: an error without a hint`)
  if (outcome.stderr.includes(canary)) found.push(`line ${step.line}: the canary is on stderr`)
  return found
}

function runShell(root: string, env: Record<string, string>, command: string): Promise<Outcome> {
  const now = join(root, "state", "now")
  const script = `. "$ROOT/state/prelude"; . '${now}'
${command}
status=$?
{ export -p; echo "cd '$PWD'"; } > '${now}'
exit $status`
  return new Promise(resolve => {
    const child = spawn("sh", ["-c", script], { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] })
    let stdout = ""
    let stderr = ""
    child.stdout.on("data", chunk => (stdout += chunk))
    child.stderr.on("data", chunk => (stderr += chunk))
    const timer = setTimeout(() => child.kill("SIGKILL"), STEP_LIMIT_MS)
    child.on("close", status => {
      clearTimeout(timer)
      resolve({ stdout, stderr, status })
    })
  })
}

function show({ stdout, stderr, status }: Outcome): string {
  const errors = stderr.trimEnd()
  return [
    stdout.trimEnd(),
    ...(errors === "" ? [] : errors.split("\n").map(line => `! ${line}`)),
    `? ${status}`,
  ].join("\n")
}

function showExpected({ stdout, stderr, status }: Step): string {
  return [...stdout, ...stderr.map(line => `! ${line}`), `? ${status}`].join("\n")
}

/** In no file, and in no object of git, there is a secret: raw, in base64 or in hex. */
function lookForCanary(root: string, canary: string): void {
  const forms = [
    canary,
    Buffer.from(canary).toString("hex"),
    Buffer.from(canary).toString("base64").slice(0, 20),
  ]
  const hold = (bytes: Buffer) => forms.some(form => bytes.includes(form))
  const work = join(root, "work")
  for (const path of readdirSync(root, { recursive: true, encoding: "utf8" })) {
    const file = join(root, path)
    const expected = path.startsWith("state/") || /(^|\/)plain[^/]*$/.test(path)
    if (!expected && statSync(file, { throwIfNoEntry: false })?.isFile() && hold(readFileSync(file))) {
      throw new Error(`the canary is in ${path}`)
    }
    if (/(^|\/)(\.git|[^/]*\.git)$/.test(path) && statSync(file).isDirectory()) {
      const objects = execFileSync("git", ["cat-file", "--batch-all-objects", "--batch"], {
        cwd: file,
        maxBuffer: 1 << 30,
      })
      if (hold(objects)) throw new Error(`the canary is in an object of ${path}`)
    }
  }
  if (!existsSync(work)) throw new Error("the script removed its folder")
}
