#!/usr/bin/env node
// Starts the command line with the real process. Kept plain so that an unsuitable Node can still say so.
"use strict"

let entry
try {
  entry = require("./load.js").entryFor(process.argv.slice(2))
} catch (error) {
  if (error.code !== "ENOENT") throw error
  process.stderr.write(
    "coffer: error: coffer is not built\ncoffer: hint: in its folder: npm ci && npm run build\n",
  )
  process.exit(1)
}
entry.main()
