/** The user's own configuration file, outside every repository. */
import { existsSync } from "node:fs"
import { isAbsolute, join } from "node:path"
import { CofferError } from "../errors.js"
import { parseUserConfig, type UserConfig } from "../format/settings.js"
import type { Environment } from "./environment.js"
import { readPlainFile } from "./files.js"

const MAX_BYTES = 64 * 1024

/** The folder of what the user keeps for coffer, or undefined where there is no home. */
export function configFolder(env: Environment): string | undefined {
  const { XDG_CONFIG_HOME: config } = env
  // A relative path there is to be ignored, says the XDG specification.
  if (config !== undefined && isAbsolute(config)) return join(config, "coffer")
  const home = homeFolder(env)
  return home === undefined ? undefined : join(home, ".config", "coffer")
}

/** The user's home folder; undefined where the environment names none. A relative one would be another one in each folder. */
export function homeFolder({ HOME, USERPROFILE }: Environment): string | undefined {
  return [HOME, USERPROFILE].find(path => path !== undefined && isAbsolute(path))
}

/**
 * Reads the file that `COFFER_CONFIG` names, or `config.yaml` in the folder for configuration; no file
 * is an empty configuration.
 *
 * @throws CofferError `SETTING_UNKNOWN`, `SETTING_INVALID`, `IO_FAILED`
 */
export async function readUserConfig(env: Environment): Promise<UserConfig> {
  const named = env.COFFER_CONFIG || undefined
  const folder = configFolder(env)
  const path = named ?? (folder === undefined ? undefined : join(folder, "config.yaml"))
  const bytes = path === undefined ? undefined : readPlainFile(path, MAX_BYTES)
  if (bytes === undefined && named !== undefined) throw namesNothing()
  return bytes === undefined ? {} : parseUserConfig(bytes)
}

/** Also for what needs no configuration: a name that is wrong is to be seen. @throws CofferError `SETTING_INVALID` */
export function requireNamedConfig({ COFFER_CONFIG: named }: Environment): void {
  if (named && !existsSync(named)) throw namesNothing()
}

function namesNothing(): CofferError {
  return new CofferError("SETTING_INVALID", "COFFER_CONFIG names a file that is not there", {
    hint: "unset COFFER_CONFIG, or name the file that you mean",
  })
}
