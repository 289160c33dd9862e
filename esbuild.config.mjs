// Builds dist/. Two bundles of the same sources, because a `get` in a build script should cost hardly more than
// starting Node:
//   get.cjs   one CommonJS file with the plain form of `get` and nothing else (no module loader to start,
//             one file to read); whatever it imports lazily it finds in
//   the rest  ES modules in lazy chunks: the whole command line (cli.js) and the library (index.js).
import { rmSync } from "node:fs"
import { relative, resolve, sep } from "node:path"
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
    // Constructing Intl.Segmenter when the module loads costs a fifth of a cold start.
    "string-width": "./src/cli/string-width.ts",
    // ES builds: tree-shaken, and their names can be imported one by one from a chunk.
    "isomorphic-git": "./node_modules/isomorphic-git/index.js",
    "sha.js/sha1.js": "./src/storage/git/sha1.ts",
    yaml: "./node_modules/yaml/browser/index.js",
  },
}

/** What `get` imports lazily but always needs. */
const ALWAYS = ["src/cli/commands/get.ts", "src/store/store.ts"].map(path => resolve(path))

/** Leaves lazy imports out of the bundle and collects them as entry points of the chunks. */
function leaveLazy(entries) {
  return {
    name: "leave-lazy",
    setup(plugins) {
      plugins.onResolve({ filter: /.*/ }, async ({ kind, path, resolveDir, importer, pluginData }) => {
        if (kind !== "dynamic-import" || path.startsWith("node:") || pluginData === leaveLazy)
          return undefined
        const found = await plugins.resolve(path, { kind, resolveDir, importer, pluginData: leaveLazy })
        if (ALWAYS.includes(found.path)) return undefined
        const name = path.startsWith(".")
          ? relative("src", found.path).replace(/\.ts$/, "").split(sep).join("/")
          : `packages/${path}`
        entries[`lazy/${name}`] = found.path
        return { path: `./lazy/${name}.js`, external: true }
      })
    },
  }
}

rmSync("dist", { recursive: true, force: true })
const lazy = {}
await build({
  ...common,
  entryPoints: { get: "src/cli/main.ts" },
  outdir: "dist",
  outExtension: { ".js": ".cjs" },
  format: "cjs",
  plugins: [leaveLazy(lazy)],
})
await build({
  ...common,
  entryPoints: { index: "src/index.ts", ...lazy },
  outdir: "dist",
  chunkNames: "chunks/[name]-[hash]",
  format: "esm",
  splitting: true,
  // Packages written for CommonJS, below isomorphic-git, require Node's own modules.
  banner: {
    js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);',
  },
})
