/** Where a call of coffer starts. */
import { dispatch } from "./dispatch.js"
import { entry } from "./entry.js"

export const { main, runMain } = entry(dispatch)
