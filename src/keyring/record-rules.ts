/** The rules that one key record has to keep, by itself and against its parents (DESIGN §2.4, 2–4, 8, 9). */
import { recipientType } from "../crypto/age.js"
import { parseAgeHeader } from "../crypto/age-header.js"
import { isSigningPublicKey, verifyRecord } from "../crypto/signing.js"
import { CofferError } from "../errors.js"
import { isNativeRecipient } from "../format/card.js"
import { type Member, recordContext, recordPath } from "../format/key-record.js"
import type { Refusal, Refuse } from "./findings.js"
import { type Graph, makeNode, type RecordNode } from "./graph.js"
import { canSignRecords, findRecordSigner, keepsMembers } from "./roles.js"

/** A file below `.coffer/keys/`; `path` is relative to the store. */
export interface RecordFile {
  readonly path: string
  readonly bytes: Uint8Array
}

/**
 * Step 2: canonical, and of the store, group, number and commitment that its path says.
 *
 * @param place.parsedBefore - whether the file with a hash is known to be canonical.
 * @returns undefined after a refusal that did not throw.
 */
export function readRecord(
  file: RecordFile,
  { store, group, parsedBefore }: { store: string; group: string; parsedBefore: (sha256: string) => boolean },
  refuse: Refuse,
): RecordNode | undefined {
  const node = parseNode(file, parsedBefore, refuse)
  if (node === undefined) return undefined
  // A record of another store or group, carried here, would bring its members along.
  if (
    node.record.store === store &&
    node.record.group === group &&
    recordPath(group, node.id) === file.path
  ) {
    return node
  }
  refuse({
    code: "RECORD_MOVED",
    path: file.path,
    message: `"${file.path}" is a key record of another store, group or number than its path says`,
    hint: "key records are never copied or renamed: git checkout brings the right file back",
  })
  return undefined
}

function parseNode(
  { path, bytes }: RecordFile,
  parsedBefore: (sha256: string) => boolean,
  refuse: Refuse,
): RecordNode | undefined {
  try {
    return makeNode(path, bytes, parsedBefore)
  } catch (error) {
    if (!(error instanceof CofferError)) throw error
    const { code, hint } = error
    refuse({ code, path, message: error.message, hint })
    return undefined
  }
}

/** Makes refusals of one record, which name its file and its author. */
function faultOf({ path, record }: RecordNode): (code: Refusal["code"], why: string) => Refusal {
  return (code, why) => ({ code, path, message: `"${path}" by "${record.author}": ${why}` })
}

/** Step 3: members and wraps. @returns what is wrong first, if anything. */
export function findMemberFault(node: RecordNode): Refusal | undefined {
  const { members, wrap } = node.record
  const fault = faultOf(node)
  if (!members.some(member => member.role === "admin")) return fault("NO_ADMIN", "no member is an admin")
  const twice = findTwice(members)
  if (twice !== undefined) return fault("MEMBER_TWICE", `${twice} occurs twice`)
  const invalid = members.find(member => !hasValidKeys(member))
  if (invalid !== undefined)
    return fault("MEMBER_INVALID", `the keys of member "${invalid.name}" are not valid`)
  const hybrid = members.filter(member => recipientType(member.recipient) === "hybrid").length
  if (hybrid !== 0 && hybrid !== members.length) {
    // One classic wrap undoes the post-quantum protection of all the others.
    return fault("MIXED_RECIPIENTS", "post-quantum and classic recipients are mixed")
  }
  const odd = members.find((member, index) => !hasOneStanza(member, wrap[index]!))
  if (odd !== undefined)
    return fault("WRAP_SHAPE", `the wrap of "${odd.name}" is not one stanza of its recipient's type`)
  return undefined
}

function findTwice(members: readonly Member[]): string | undefined {
  const seen = new Set<string>()
  for (const { name, recipient, signingKey } of members) {
    // Prefixes keep the three kinds apart.
    const keys = [
      `name "${name}"`,
      `recipient ${recipient}`,
      ...(signingKey ? [`signing key ${signingKey}`] : []),
    ]
    for (const key of keys) {
      if (seen.has(key)) return key
      seen.add(key)
    }
  }
  return undefined
}

function hasValidKeys({ role, recipient, signingKey }: Member): boolean {
  if (recipientType(recipient) !== "other" && !isNativeRecipient(recipient)) return false
  if (role === "reader") return signingKey === undefined
  // For a key of small order anybody can make signatures that pass.
  return signingKey !== undefined && isSigningPublicKey(signingKey)
}

/** A second stanza would be a recipient that no list of members shows. */
function hasOneStanza(member: Member, message: Uint8Array): boolean {
  const stanzas = findStanzas(message)
  if (stanzas === undefined) return false
  switch (recipientType(member.recipient)) {
    case "x25519":
      return stanzas.length === 1 && stanzas[0]!.type === "X25519"
    case "hybrid":
      return stanzas.length === 1 && stanzas[0]!.type === "mlkem768x25519"
    case "other":
      // Plugins may add stanzas of any type, and grease.
      return stanzas.length >= 1
  }
}

function findStanzas(message: Uint8Array): readonly { type: string }[] | undefined {
  try {
    return parseAgeHeader(message)
  } catch (error) {
    if (error instanceof CofferError) return undefined
    throw error
  }
}

/** Step 4: place in the graph, given the records that are named as parents by hash. */
export function findParentFault(
  node: RecordNode,
  nodes: ReadonlyMap<string, RecordNode>,
): Refusal | undefined {
  const { parents, number, created } = node.record
  const fault = faultOf(node)
  const found = parents.map(parent => nodes.get(parent.sha256))
  const missing = parents.findIndex((_, index) => found[index] === undefined)
  // Ids are labels of 32 bits: another record under the same id is not this parent.
  if (missing >= 0) {
    return {
      ...fault(
        "PARENT_MISSING",
        `its parent ${parents[missing]!.id} is not here, or is another file than the one it names`,
      ),
      hint: "git log shows who removed it, git revert of that commit brings it back",
    }
  }
  const records = found as RecordNode[]
  if (records.some((parent, index) => parent.id !== parents[index]!.id)) {
    return fault("RECORD_INVALID", "it names a parent by a wrong id")
  }
  if (number !== 1 + Math.max(0, ...records.map(parent => parent.record.number))) {
    return fault("RECORD_INVALID", "its number does not follow from its parents'")
  }
  if (records.some(parent => parent.record.created > created)) {
    return fault("RECORD_INVALID", "it is older than its parent")
  }
  return undefined
}

/** Step 4, `previous`: only data keys of ancestors are linked. */
export function findPreviousFault(node: RecordNode, graph: Graph): Refusal | undefined {
  const parents = new Set(node.record.parents.map(parent => parent.id))
  const ids = node.record.previous.map(entry => entry.id)
  if (ids.every(id => parents.has(id))) return undefined
  const ancestors = graph.ancestors(node.sha256)
  const stray = ids.find(id => {
    const ancestor = graph.byId.get(id)
    return ancestor === undefined || ancestor === node || !ancestors.has(ancestor.sha256)
  })
  if (stray === undefined) return undefined
  return faultOf(node)("RECORD_INVALID", `it links the data key ${stray}, which is not of an ancestor`)
}

/** Step 8: `author` may sign it, and did. */
export function findSignatureFault(node: RecordNode, parents: readonly RecordNode[]): Refusal | undefined {
  const { record, path } = node
  const signer = findRecordSigner(
    record,
    parents.map(parent => parent.record),
  )
  if (signer === undefined) {
    const known = parents.some(parent =>
      parent.record.members.some(member => member.name === record.author && canSignRecords(member.role)),
    )
    const why = known ? "may not make this change" : "may not sign key records"
    return {
      code: "SIGNER_NOT_ALLOWED",
      path,
      message: `"${path}": its author "${record.author}" ${why}`,
      hint: "do not merge it; ask who committed it",
    }
  }
  if (verifyRecord(signer.key, recordContext(record), record.signature)) return undefined
  return {
    code: "SIGNATURE",
    path,
    message: `"${path}": this is not what "${record.author}" signed`,
    hint: "key records are never edited: git log shows who changed it, git checkout brings it back",
  }
}

/** Step 9: `oldest` never falls, and a removal or a merge always raises it to the new key. */
export function findOldestFault(node: RecordNode, parents: readonly RecordNode[]): Refusal | undefined {
  const { record, path } = node
  if (record.oldest === record.number) return undefined
  const [only, second] = parents
  const mayKeep =
    only !== undefined &&
    second === undefined &&
    keepsMembers(only.record, record.members) &&
    record.oldest >= only.record.oldest &&
    record.oldest <= record.number
  if (mayKeep) return undefined
  // Otherwise a removed member's key would stay good for files at HEAD.
  return {
    code: "OLDEST_INVALID",
    path,
    message: `"${path}" by "${record.author}" allows data keys that it has to retire (oldest: ${record.oldest})`,
    hint: "do not merge it; ask who committed it",
  }
}
