// The tour of the README, for real: sets up what is missing, plays a small team's day in a temporary folder,
// shows what each command prints, and leaves nothing behind. Run it with: npm run quickstart
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const project = dirname(dirname(fileURLToPath(import.meta.url)))
const npm = process.platform === "win32" ? "npm.cmd" : "npm"

function prepare(...args) {
  const { status, stdout, stderr } = spawnSync(npm, args, { cwd: project, encoding: "utf8", shell: false })
  if (status === 0) return
  process.stderr.write(`${stdout}${stderr}`)
  throw new Error(`npm ${args.join(" ")} failed`)
}

// The build holds all that it needs: an installed package has one.
if (!existsSync(join(project, "dist", "get.cjs"))) {
  if (!existsSync(join(project, "node_modules"))) {
    console.log("installing (npm ci) …")
    prepare("ci", "--no-audit", "--no-fund")
  }
  console.log("building (npm run build) …")
  prepare("run", "build")
}

const folder = mkdtempSync(join(tmpdir(), "coffer-quickstart-"))
process.on("exit", () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(130))

/** A person: a clone, an author and an own configuration. */
function person(name, clone) {
  const home = join(folder, `home-${name}`)
  mkdirSync(home, { recursive: true })
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    XDG_CONFIG_HOME: join(home, ".config"),
    XDG_STATE_HOME: join(home, ".local", "state"),
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: name,
    GIT_AUTHOR_EMAIL: `${name}@example.com`,
    GIT_COMMITTER_NAME: name,
    GIT_COMMITTER_EMAIL: `${name}@example.com`,
  }
  return { name, clone, env }
}

/** Runs a command as a person, showing it and what it prints; anything but the expected status is an error. */
function run(who, command, { expect = 0, input = "", env = {}, shown = command } = {}) {
  console.log(`\n${who.name}$ ${shown}`)
  const script = `coffer() { "$NODE" "$COFFER" "$@"; }\n${command}`
  // Folders may have any name: what the shell runs has them in variables only.
  const folders = {
    NODE: process.execPath,
    COFFER: join(project, "bin", "coffer.js"),
    ANA: ana.clone,
    MARIA: maria.clone,
  }
  const done = spawnSync("sh", ["-c", script], {
    cwd: who.clone,
    env: { ...who.env, ...folders, ...env },
    input,
    encoding: "utf8",
  })
  const output = `${done.stdout}${done.stderr}`.replaceAll(folder, "").trimEnd()
  if (output !== "") console.log(output.replace(/^/gm, "  "))
  if (done.status !== expect) throw new Error(`ended with ${done.status}, not ${expect}`)
  if (expect !== 0) console.log(`  (exit status ${done.status})`)
  return done.stdout.trim()
}

function chapter(text) {
  console.log(`\n— ${text}`)
}

const ana = person("ana", join(folder, "app"))
const maria = person("maria", join(folder, "app-maria"))
mkdirSync(ana.clone)
spawnSync("git", ["init", "-q", "-b", "main"], { cwd: ana.clone, env: ana.env })
writeFileSync(join(ana.clone, ".gitignore"), ".env\n")
writeFileSync(
  join(ana.clone, ".env"),
  "DATABASE_URL=postgres://app:pa55word-1@db.example.com/app\nSTRIPE_KEY=sk_example_51Nq8bXyZ\nSESSION_SECRET='correct horse battery staple'\n",
)

chapter("a store in a repository, filled from .env")
run(ana, "coffer init --name ana")
run(ana, "coffer import .env && rm .env")
run(ana, "coffer list")
run(ana, "git log --oneline")

chapter("a program gets them as environment variables")
run(ana, `coffer run -- sh -c 'echo "the app sees a key of \${#STRIPE_KEY} characters"'`)

chapter("a value changes, turns out wrong, and is rolled back")
run(ana, "echo sk_example_wrong | coffer set STRIPE_KEY")
run(ana, "coffer versions STRIPE_KEY")
run(ana, "coffer rollback STRIPE_KEY@1")

chapter("plaintext is kept out of git")
run(ana, "coffer get STRIPE_KEY > notes.txt; git add notes.txt; git commit -m notes", { expect: 1 })
run(ana, "git rm -q --cached notes.txt; rm notes.txt")

chapter("maria joins: she clones, an admin adds her, she reads and writes")
spawnSync("git", ["clone", "-q", ana.clone, maria.clone], { env: maria.env })
const pin = run(ana, "coffer trust pin")
run(maria, "coffer init --name maria", {
  env: { COFFER_PIN: pin },
  shown: `COFFER_PIN=${pin} coffer init --name maria`,
})
run(maria, "coffer get STRIPE_KEY", { expect: 11 })
const card = run(maria, "coffer identity show 2> /dev/null")
run(ana, `coffer recipients add maria '${card}'`)
run(maria, "git pull -q && coffer get STRIPE_KEY")
run(maria, "echo sk_example_by_maria | coffer set STRIPE_KEY")
run(ana, 'git pull -q "$MARIA" main && coffer get STRIPE_KEY', {
  shown: "git pull -q && coffer get STRIPE_KEY",
})

chapter("an outsider has the repository, and nothing else")
const eve = person("eve", join(folder, "app-eve"))
spawnSync("git", ["clone", "-q", ana.clone, eve.clone], { env: eve.env })
run(eve, "coffer init --name eve", { env: { COFFER_PIN: pin }, shown: "coffer init --name eve" })
run(eve, "coffer get STRIPE_KEY", { expect: 11 })

chapter("a build gets an identity and a pin, and reads")
const identity = run(ana, "coffer recipients add ci --new")
run(person("ci", ana.clone), "coffer run -- sh -c 'test -n \"$DATABASE_URL\" && echo built'", {
  env: { COFFER_IDENTITY: identity, COFFER_PIN: pin },
})

chapter("keys are rotated; maria leaves; what she could read is listed until it is changed")
run(ana, "coffer rotate")
run(ana, "coffer recipients remove maria")
run(ana, "coffer status --exposed")
run(maria, 'git pull -q "$ANA" main; coffer get STRIPE_KEY', {
  expect: 11,
  shown: "git pull -q; coffer get STRIPE_KEY",
})
run(ana, "coffer check")

console.log(
  "\nThat was the tour. Everything it made is gone again; try it in a repository of your own: coffer init",
)
