/** The version of coffer; a constant, since reading package.json costs a file at every start. */

export const VERSION = "0.1.0"
