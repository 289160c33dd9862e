// Builds dist/: the command line and the library as lazy ESM chunks, so that `get` loads only what it needs.
import { rmSync } from "node:fs"
import { build } from "esbuild"

rmSync("dist", { recursive: true, force: true })
await build({
  entryPoints: { index: "src/index.ts", cli: "src/cli/main.ts" },
  outdir: "dist",
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.19",
  sourcemap: true,
  sourcesContent: false,
  legalComments: "linked",
  logLevel: "warning",
  alias: {
    // Constructing Intl.Segmenter when the module loads costs a fifth of a cold start.
    "string-width": "./src/cli/string-width.ts",
    // The ES build is tree-shaken; the package's default entry is one large CommonJS file.
    "isomorphic-git": "./node_modules/isomorphic-git/index.js",
  },
})
