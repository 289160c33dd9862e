#!/usr/bin/env node
// Starts the command line with the real process. Kept plain so that an unsuitable Node can still say so.
import { main } from "../dist/cli.js"

main()
