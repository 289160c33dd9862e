#!/usr/bin/env node
// Starts the command line with the real process. Kept plain so that an unsuitable Node can still say so.
"use strict"

require("./load.js").load("get").main()
