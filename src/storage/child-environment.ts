/** What programs that coffer starts may know: git, its hooks, the editor, the user's own program. */

/** The environment without private keys: no child of coffer's needs them. */
export function withoutIdentities(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !/^COFFER_IDENTITY/i.test(name)))
}
