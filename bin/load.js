// Loads a bundle of dist/ with the bytecode that the build keeps beside it: compiling would be a third of a `get`.
// V8 refuses bytecode of another version or of other flags, and compiles. Whoever can write there can write the code.
"use strict"

const { readFileSync } = require("node:fs")
const { dirname, join } = require("node:path")
const { Script, constants } = require("node:vm")

// `require("node:module")` would be the same, and start the loader of ES modules.
const { createRequire, wrap } = module.constructor

/** What has been loaded, by the bundle's name. */
const loaded = new Map()

/** @param name - of a file in dist/, without `.cjs`. */
function load(name) {
  const known = loaded.get(name)
  if (known !== undefined) return known.module.exports
  const file = join(dirname(__dirname), "dist", `${name}.cjs`)
  const script = new Script(wrap(readFileSync(file, "utf8")), {
    filename: file,
    cachedData: findBytes(`${file}.cache`),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })
  const module = { exports: {} }
  loaded.set(name, { file, script, module })
  script.runInThisContext()(module.exports, createRequire(file), module, file, dirname(file))
  return module.exports
}

/** The bundle that starts a call. That of `get` holds nothing else, and hands over where the word meant something else. */
function entryFor(argv) {
  return load(argv.includes("get") ? "get" : "cli")
}

function findBytes(path) {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}

module.exports = { entryFor, load, loaded }
