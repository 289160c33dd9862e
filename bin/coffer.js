#!/usr/bin/env node
// Starts the command line with the real process. Kept plain so that an unsuitable Node can still say so.
"use strict"

require("./load.js").entryFor(process.argv.slice(2)).main()
