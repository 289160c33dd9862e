/** The layers of docs/design.md: imports go one way, and the outside world is read in one place each. */
import { readdirSync, readFileSync } from "node:fs"
import { dirname, posix } from "node:path"
import { test } from "uvu"
import * as assert from "uvu/assert"

/** What each layer may import, besides itself, Node and packages. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  encoding: ["errors"],
  crypto: ["encoding", "errors"],
  format: ["encoding", "errors"],
  keyring: ["crypto", "format", "encoding", "errors"],
  scan: ["crypto", "format", "encoding", "errors"],
  storage: ["crypto", "format", "encoding", "errors"],
  store: ["keyring", "scan", "storage", "crypto", "format", "encoding", "errors"],
  cli: ["store", "keyring", "scan", "storage", "crypto", "format", "encoding", "errors"],
  index: ["store", "keyring", "scan", "storage", "crypto", "format", "encoding", "errors"],
}

/** What only one place may touch. */
const ONE_PLACE: readonly { pattern: RegExp; what: string; allowed: (file: string) => boolean }[] = [
  {
    pattern: /\bprocess\.(env|argv|stdin|stdout|stderr|exit)\b|\bconsole\./,
    what: "environment, arguments, console",
    allowed: file => file === "src/cli/host.ts",
  },
  {
    pattern: /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(/,
    what: "the clock",
    allowed: file => file === "src/cli/host.ts",
  },
  {
    pattern:
      /\brandomBytes\b.*from "node:crypto"|\bMath\.random\(|\bcrypto\.getRandomValues\(|\brandomUUID\(/,
    what: "randomness",
    allowed: file => file.startsWith("src/crypto/"),
  },
]

/** Loading one of these costs as much as a whole `get`: only `import()` inside a function may. */
const HEAVY = ["age-encryption", "chokidar", "isomorphic-git", "yaml", "yargs"]

interface Source {
  readonly file: string
  readonly text: string
}

const sources: readonly Source[] = readdirSync("src", { recursive: true, encoding: "utf8" })
  .filter(path => path.endsWith(".ts"))
  .map(path => {
    const file = posix.join("src", path)
    return { file, text: readFileSync(file, "utf8") }
  })

function layerOf(file: string): string {
  return file.split("/")[1]!.replace(/\.ts$/, "")
}

function importsOf({ file, text }: Source): { path: string; typeOnly: boolean }[] {
  const found = [...text.matchAll(/^(?:import|export)\s+(type\s)?[^"]*?from "([^"]+)"|import\("([^"]+)"\)/gm)]
  return found.map(([, type, path, lazy]) => {
    const specifier = path ?? lazy!
    const resolved = specifier.startsWith(".")
      ? posix.join(dirname(file), specifier).replace(/\.js$/, ".ts")
      : specifier
    return { path: resolved, typeOnly: type !== undefined }
  })
}

test("there are sources to look at", () => {
  assert.ok(sources.length > 50)
})

test("every import goes to a layer below, or stays in its own", () => {
  const wrong = sources.flatMap(source =>
    importsOf(source)
      .filter(({ path }) => path.startsWith("src/"))
      .filter(({ path }) => {
        const layer = layerOf(source.file)
        return layerOf(path) !== layer && !MAY_IMPORT[layer]!.includes(layerOf(path))
      })
      .map(({ path }) => `${source.file} imports ${path}`),
  )
  assert.equal(wrong, [])
})

test("no import runs in a circle", () => {
  const graph = new Map(
    sources.map(source => [
      source.file,
      importsOf(source)
        .filter(({ path, typeOnly }) => path.startsWith("src/") && !typeOnly)
        .map(({ path }) => path),
    ]),
  )
  const done = new Set<string>()
  const circles: string[] = []
  const visit = (file: string, trail: readonly string[]): void => {
    if (trail.includes(file)) {
      circles.push([...trail.slice(trail.indexOf(file)), file].join(" → "))
      return
    }
    if (done.has(file)) return
    for (const next of graph.get(file) ?? []) visit(next, [...trail, file])
    done.add(file)
  }
  for (const file of graph.keys()) visit(file, [])
  assert.equal(circles, [])
})

test("clock, randomness, environment and console are read in their one place", () => {
  const wrong = sources.flatMap(({ file, text }) =>
    ONE_PLACE.filter(({ pattern, allowed }) => !allowed(file) && pattern.test(withoutComments(text))).map(
      ({ what }) => `${file} reads ${what}`,
    ),
  )
  assert.equal(wrong, [])
})

test("heavy packages are loaded only when they are needed", () => {
  const wrong = sources.flatMap(({ file, text }) =>
    [...text.matchAll(/^import\s+(?!type\s)[^"]*?from "([^"]+)"/gm)]
      .filter(([, path]) => HEAVY.includes(path!.split("/")[0]!))
      .map(([line]) => `${file}: ${line}`),
  )
  assert.equal(wrong, [])
})

test("files open with a sentence that says what they own, and stay below 400 lines", () => {
  const wrong = sources
    .filter(({ text }) => !/^\/\*\*|^#!|^\/\/ /.test(text) || text.split("\n").length > 400)
    .map(({ file }) => file)
  assert.equal(wrong, [])
})

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "")
}

test("no import leads back to where it began, types included", () => {
  const imports = new Map(sources.map(source => [source.file, importsOf(source).map(({ path }) => path)]))
  const leadsBack = (file: string) => {
    const reached = new Set<string>()
    const left = [...imports.get(file)!]
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      if (reached.has(next)) continue
      reached.add(next)
      left.push(...(imports.get(next) ?? []))
    }
    return reached.has(file)
  }
  assert.equal([...imports.keys()].filter(leadsBack), [])
})

test.run()
