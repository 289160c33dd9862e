/** A tree whose keyring has been verified, and is trusted for what it is going to be used for. */
import { CofferError } from "../errors.js"
import type { SecretName } from "../format/names.js"
import { gitPath } from "../format/shell.js"
import { STORE_FILE_PATH } from "../format/store-file.js"
import { type Keyring, verifyKeyring } from "../keyring/verify.js"
import type { Oid } from "../storage/git/git.js"
import { readRecords } from "./records.js"
import { rememberKeyring } from "./remembered.js"
import { type BranchPosition, groupsBehind, judgeBranch, markSeen } from "./rollback.js"
import type { Store } from "./store.js"
import type { Tree } from "./tree.js"
import { choosePin, confirmPin, type Use } from "./trust.js"

export interface View {
  readonly tree: Tree
  readonly keyring: Keyring
  /** The tree lacks the newest record this machine knows: an older branch. Reading only. */
  readonly behind: boolean
  /** Where the current branch stands, once it has been judged. */
  readonly branch?: BranchPosition | undefined
}

/**
 * Verifies the work tree for reading.
 *
 * @param request.names - the secrets that are wanted: only the records of their groups are read. Default: all.
 * @param request.selects - whether a secret that is gone would have been wanted too. Default: whether it is in `names`.
 * @throws CofferError every refusal of DESIGN §2.4, 1–14 and 18; `UNPINNED` for more than looking
 */
export async function viewStore(
  store: Store,
  request: { use: Use; names?: readonly SecretName[]; selects?: (name: SecretName) => boolean },
): Promise<View> {
  const view = await verifyTree(store, store.tree, {
    use: request.use,
    groups: request.names === undefined ? undefined : groupFolders(request.names),
  })
  if (view.behind)
    store.note(`warning: ${describeBehind(view.keyring)}: it can be read, not written (BEHIND)`)
  return { ...view, branch: await judgeBranch(store, view.keyring, request) }
}

/** What a tree is verified for. */
export interface Verification {
  readonly use: Use
  /** Groups besides the root group. Default: all. */
  readonly groups?: readonly string[] | undefined
  /** Diverged keyrings may be written to: for the merge that joins them. */
  readonly merging?: boolean | undefined
}

/** Verifies the keyring of any tree: a commit, the index, a draft. */
export async function verifyTree(store: Store, tree: Tree, how: Verification): Promise<View> {
  const { use, groups, merging = false } = how
  const choice = choosePin(store, use)
  const state = store.state()
  const files = await readRecords(tree, { groups })
  if (use === "write" && files.length === 0) await requireCommitted(store, tree)
  const behind = await groupsBehind(store, state, { tree, files })
  const keyring = verifyKeyring({
    store: store.id,
    files,
    pin: choice.pin,
    known: state,
    behind,
    undecided: merging,
    ...(groups === undefined ? {} : { groups }),
  })
  if (choice.pin === undefined) await confirmPin(store, choice, keyring, use)
  return { tree, keyring, behind: groupsThatLack(keyring).length > 0 }
}

/** A store that is only staged has nothing yet that a write could go on from. @throws CofferError `GIT_DIRTY` */
async function requireCommitted({ folder }: Store, tree: Tree): Promise<void> {
  if ((await tree.find(STORE_FILE_PATH)) !== undefined) return
  throw new CofferError("GIT_DIRTY", `the store in "${folder}" is not committed on this branch`, {
    hint: `git add ${gitPath(folder)}, git commit, then again`,
  })
}

/** Remembers what has been verified, and with `commit` that this branch is there now. */
export async function remember(
  store: Store,
  view: Pick<View, "keyring" | "branch">,
  commit?: Oid,
): Promise<void> {
  rememberKeyring(store, view.keyring, view.branch?.settled === true)
  await markSeen(store, view.branch, commit)
}

/** Groups that a name could belong to; whether they are listed is for verification. */
function groupFolders(names: readonly SecretName[]): string[] {
  const folders = new Set<string>()
  for (const name of names) {
    const segments = name.split("/")
    for (let depth = 1; depth < segments.length; depth++) folders.add(segments.slice(0, depth).join("/"))
  }
  return [...folders].sort()
}

/**
 * What a write needs besides, asked once the branch is judged: that history was rewritten comes before what it lacks.
 *
 * @param options.merging - diverged keyrings may be written to: for the merge that joins them.
 * @throws CofferError `BEHIND`, `DIVERGED`
 * @see DESIGN §2.4, 18 and 25
 */
export function requireWritable(
  keyring: Keyring,
  { merging = false }: { merging?: boolean | undefined },
): void {
  if (groupsThatLack(keyring).length > 0) {
    throw new CofferError("BEHIND", describeBehind(keyring), {
      hint: "git merge or git rebase onto the branch with the newer keys, then again; if they were dropped on purpose: coffer trust accept --all",
    })
  }
  for (const { group, current } of keyring.groups.values()) {
    if (current.length === 1 || merging) continue
    throw new CofferError("DIVERGED", `group "${group}" has ${current.length} current key records`, {
      hint: "coffer rotate --merge joins them (an admin of the group runs it)",
    })
  }
}

/** Groups whose newest record, as this machine knows it, is not in the tree. */
function groupsThatLack({ groups }: Keyring): string[] {
  return [...groups.values()].filter(group => group.behind).map(({ group }) => group)
}

function describeBehind(keyring: Keyring): string {
  const names = groupsThatLack(keyring).map(group => `"${group}"`)
  return `this branch lacks the newest key record of ${names.join(", ")} known on this machine`
}
