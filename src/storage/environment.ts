/** The environment of a call, and what of it programs that coffer starts may know. */

/** Variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Without private keys: no child of coffer's needs them, be it git, a hook, an editor or the user's own program. */
export function withoutIdentities(env: Environment): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^COFFER_IDENTITY/i.test(name)))
}
