/** An open repository, as the functions of the embedded back end pass it to each other. */

import type { Environment } from "../environment.js"
import type { Repository } from "../repository.js"
import type { GitConfig } from "./embedded-config.js"
import type { GitFiles } from "./embedded-files.js"
import type { CommitGraph } from "./embedded-history.js"
import type { ObjectStore } from "./embedded-objects.js"
import type { Refs } from "./embedded-refs.js"

export interface EmbeddedRepository {
  readonly at: Repository
  readonly env: Environment
  readonly config: GitConfig
  readonly files: GitFiles
  readonly objects: ObjectStore
  readonly graph: CommitGraph
  readonly refs: Refs
}
