import { runScripts } from "./run-scripts.js"

runScripts("embedded")
