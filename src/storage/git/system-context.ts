/** An open repository, as the functions of the system back end that write pass it to each other. */

import type { Environment } from "../environment.js"
import type { Repository } from "../repository.js"
import type { OidHex } from "./git.js"
import type { GitProgram } from "./git-process.js"

export interface WriterContext {
  readonly git: GitProgram
  readonly env: Environment
  readonly at: Repository
  readonly oidHex: OidHex
  /** Where hooks are. */
  readonly hooks: string
  readonly settings: () => Promise<ReadonlyMap<string, string>>
}
