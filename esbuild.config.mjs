// Builds dist/. Starting a program is most of what coffer does in a build script, so the command line is plain
// CommonJS in few files: no module loader to start, and nothing read that is not needed.
//   get.cjs        the plain form of `get` and no more
//   cli.cjs        everything, and so what get.cjs imports lazily (dist/lazy/ points into it)
//   packages/      each large package by itself, loaded where it is used
//   index.js       the library, ES modules in lazy chunks
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname, relative, sep } from "node:path"
import { build } from "esbuild"

const common = {
  bundle: true,
  platform: "node",
  target: "node20.19",
  sourcemap: true,
  sourcesContent: false,
  legalComments: "linked",
  logLevel: "warning",
  alias: {
    // ES builds: tree-shaken, and their names can be imported one by one.
    "isomorphic-git": "./node_modules/isomorphic-git/index.js",
    "sha.js/sha1.js": "./src/storage/git/sha1.ts",
    pako: "./src/storage/git/pako.ts",
    yaml: "./node_modules/yaml/browser/index.js",
  },
}

/** `import()` becomes a lazy `require`: the module loader is never started. */
const commonJs = {
  ...common,
  outdir: "dist",
  outExtension: { ".js": ".cjs" },
  format: "cjs",
  supported: { "dynamic-import": false },
}

/**
 * Leaves lazily imported packages out of a bundle, and with `modules` our own lazily imported modules too.
 * What was left out is collected: name → file.
 */
function leaveOut({ packages, modules }) {
  return {
    name: "leave-out",
    setup(plugins) {
      plugins.onResolve({ filter: /.*/ }, async ({ kind, path, resolveDir, importer, pluginData }) => {
        if (kind !== "dynamic-import" || path.startsWith("node:") || pluginData === leaveOut) return undefined
        const found = await plugins.resolve(path, { kind, resolveDir, importer, pluginData: leaveOut })
        if (!path.startsWith(".")) {
          packages.set(path, found.path)
          return { path: `./packages/${path}.cjs`, external: true }
        }
        if (modules === undefined) return undefined
        const name = relative("src", found.path).replace(/\.ts$/, "").split(sep).join("/")
        modules.set(name, found.path)
        return { path: `./lazy/${name}.cjs`, external: true }
      })
    },
  }
}

/** Files through which get.cjs reaches the modules that it left out. */
function writeLazy(modules) {
  for (const [index, name] of [...modules.keys()].entries()) {
    const file = `dist/lazy/${name}.cjs`
    mkdirSync(dirname(file), { recursive: true })
    const loader = relative(dirname(file), "bin/load.js").split(sep).join("/")
    writeFileSync(file, `module.exports = require("${loader}").load("cli").module${index}\n`)
  }
}

/**
 * Of yargs only the parser is used: what the rest asks of its surroundings when it loads costs a fifth of a start, and
 * `createRequire`, with which the parser would read files of settings, Node's loader of ES modules.
 */
const parserOnly = {
  name: "parser-only",
  setup(plugins) {
    plugins.onLoad({ filter: /yargs[\\/]lib[\\/]platform-shims[\\/]esm\.mjs$/ }, () => ({
      contents: "export default {}",
    }))
    plugins.onResolve({ filter: /^node:module$/ }, () => ({ path: "node:module", namespace: "parser-only" }))
    plugins.onLoad({ filter: /.*/, namespace: "parser-only" }, () => ({
      contents: "export const createRequire = undefined",
    }))
  },
}

rmSync("dist", { recursive: true, force: true })
const packages = new Map()
const modules = new Map()
await build({
  ...commonJs,
  entryPoints: { get: "src/cli/get-main.ts" },
  // Read at every start. Names stay: they stand in stack traces.
  minifyWhitespace: true,
  minifySyntax: true,
  plugins: [leaveOut({ packages, modules })],
})
await build({
  ...commonJs,
  stdin: {
    contents: [
      'export { main, runMain } from "./src/cli/main.ts"',
      ...[...modules.values()].map((path, index) => `export * as module${index} from "${path}"`),
    ].join("\n"),
    resolveDir: ".",
    sourcefile: "cli.js",
  },
  entryNames: "cli",
  plugins: [leaveOut({ packages })],
})
writeLazy(modules)
await build({
  ...commonJs,
  entryPoints: Object.fromEntries(packages),
  outdir: "dist/packages",
  plugins: [parserOnly],
  // A default export is what CommonJS exports as a whole.
  footer: {
    js: 'if (typeof module.exports.default === "function") module.exports = module.exports.default;',
  },
})
await build({
  ...common,
  entryPoints: { index: "src/index.ts" },
  outdir: "dist",
  chunkNames: "chunks/[name]-[hash]",
  format: "esm",
  splitting: true,
})
