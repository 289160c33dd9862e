// Loads a bundle of dist/ with the bytecode that the build keeps beside it: compiling would be a third of a `get`.
// V8 refuses bytecode of another version or of other flags, and compiles. Whoever can write there can write the code.
"use strict"

const { readFileSync } = require("node:fs")
const { dirname, join } = require("node:path")
const { Script } = require("node:vm")

const DIST = join(dirname(__dirname), "dist")

/** What has been loaded, by the bundle's name. */
const loaded = new Map()

/** @param name - of a file in dist/, without `.cjs`. */
function load(name) {
  const known = loaded.get(name)
  if (known !== undefined) return known.module.exports
  const file = join(DIST, `${name}.cjs`)
  const source = `(function (exports, require, module) {${readFileSync(file, "utf8")}\n})`
  const script = new Script(source, { filename: file, cachedData: findBytes(`${file}.cache`) })
  const module = { exports: {} }
  loaded.set(name, { file, script, module })
  script.runInThisContext()(module.exports, requireFromDist, module)
  return module.exports
}

/** The bundle that starts a call. That of `get` holds nothing else, and hands over where the word meant something else. */
function entryFor(argv) {
  return load(argv.includes("get") ? "get" : "cli")
}

/** What a bundle asks for by a path stands in dist/: a package as a bundle of its own, or a file that points into one. */
function requireFromDist(name) {
  if (name.startsWith("./packages/")) return load(name.slice("./".length, -".cjs".length))
  return require(name.startsWith(".") ? join(DIST, name) : name)
}

function findBytes(path) {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}

module.exports = { entryFor, load, loaded }
