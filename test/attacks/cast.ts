/** Who is in the attacked world, the honest store they made, and forgeries of what is in it, with real wraps. */
import { createHash } from "node:crypto"
import { wrapDataKey } from "../../src/crypto/age.js"
import { deriveKeys, newDataKey } from "../../src/crypto/data-key.js"
import { encodeUtf8 } from "../../src/encoding.js"
import type { Member } from "../../src/format/key-record.js"
import { pathOf } from "../../src/format/names.js"
import { printSecretFile, type SecretFile } from "../../src/format/secret-file.js"
import { GIT_ATTRIBUTES, printStoreFile, STORE_FILE_PATH } from "../../src/format/store-file.js"
import type { RecordNode } from "../../src/keyring/graph.js"
import { printPin } from "../../src/keyring/pin.js"
import { openFile, resealFile, type SealKey } from "../../src/store/seal.js"
import { dataKeyOf, type Forgery, forge, makePeople, member, type Person, STORE } from "../keyring/graphs.js"
import { forgeSecret, type SecretForgery } from "../keyring/secrets.js"

export type Name = "ana" | "tom" | "maria" | "rot" | "max" | "eva" | "zoe"

/** Max (an admin) and Eva (a writer) were removed; Zoe never was a member. */
export const people = await makePeople<Name>("ana", "tom", "maria", "rot", "max", "eva", "zoe")
const { ana, tom, maria, rot, max, eva } = people

/** Files of a store by path; null removes one. */
export type Files = Readonly<Record<string, Uint8Array | string | null>>

/** A record that says whatever it is told to, its data key wrapped to every member. */
export async function forgeRecord(forgery: Forgery): Promise<RecordNode> {
  const dataKey = forgery.dataKey ?? newDataKey()
  const members = [...forgery.members].sort((a, b) => (a.name < b.name ? -1 : 1))
  const wrap = await Promise.all(members.map(({ recipient }) => wrapDataKey(recipient, dataKey)))
  return forge({ wrap, ...forgery, dataKey })
}

export const team: readonly Member[] = [
  member(ana, "admin"),
  member(tom, "writer"),
  member(rot, "rotator"),
  member(maria, "reader"),
]
export const everyone: readonly Member[] = [...team, member(max, "admin"), member(eva, "writer")]
const prodTeam = [member(ana, "admin"), member(tom, "writer")]

/** Max founded prod; then Ana removed him and Eva from everywhere, in one commit. */
export const prodFirst = await forgeRecord({
  by: max,
  group: "prod",
  members: [...prodTeam, member(max, "admin")],
})
export const first = await forgeRecord({ by: ana, members: everyone, groups: listing({ prod: prodFirst }) })
export const prodTip = await forgeRecord({ by: ana, group: "prod", members: prodTeam, parents: [prodFirst] })
export const tip = await forgeRecord({
  by: ana,
  members: team,
  parents: [first],
  groups: listing({ prod: prodTip }),
  reason: "remove",
})

export function listing(groups: Record<string, RecordNode>): ReadonlyMap<string, string> {
  return new Map(Object.entries(groups).map(([name, node]) => [name, node.sha256]))
}

const token = forgeSecret({ name: "API_TOKEN", by: eva, under: first, text: "token one" })
const url = forgeSecret({ name: "DB_URL", by: tom, under: first, text: "url one" })
const stageKey = forgeSecret({ name: "stage/KEY", by: tom, under: first, text: "stage one" })
const prodToken = forgeSecret({ name: "prod/TOKEN", by: tom, under: prodFirst, text: "prod one" })

/** Version 1 of API_TOKEN was Eva's: Ana signed it again when she removed her. */
export const tokenOne = reseal(token, { from: first, to: tip, signer: ana })

/** The present file of each secret. */
export const secrets = {
  API_TOKEN: forgeSecret({
    name: "API_TOKEN",
    by: tom,
    under: tip,
    text: "token two",
    version: 2,
    previous: [`1-${blobId(tokenOne)}`],
  }),
  DB_URL: reseal(url, { from: first, to: tip }),
  "stage/KEY": reseal(stageKey, { from: first, to: tip }),
  "prod/TOKEN": reseal(prodToken, { from: prodFirst, to: prodTip }),
}

/** The store's honest history: each step is one commit, and a tag of its name. */
export const steps: Readonly<Record<"start" | "removal" | "now", Files>> = {
  start: {
    ".gitattributes": GIT_ATTRIBUTES,
    [STORE_FILE_PATH]: printStoreFile({ store: STORE }),
    ...files(first, prodFirst, token, url, stageKey, prodToken),
  },
  removal: files(tip, prodTip, tokenOne, secrets.DB_URL, secrets["stage/KEY"], secrets["prod/TOKEN"]),
  now: files(secrets.API_TOKEN),
}

/** Each at the path that it says. */
export function files(...items: (RecordNode | SecretFile)[]): Record<string, Uint8Array> {
  return Object.fromEntries(
    items.map(item =>
      "record" in item ? [item.path, item.bytes] : [pathOf(item.name), printSecretFile(item)],
    ),
  )
}

/** The same removed. */
export function without(...items: (RecordNode | SecretFile)[]): Record<string, null> {
  return Object.fromEntries(Object.keys(files(...items)).map(path => [path, null]))
}

export function pinOf(node: RecordNode): string {
  return printPin(STORE, node)
}

/** Opens a file and seals it under another data key, as a rotation does; with `signer`, signs it again. */
export function reseal(
  file: SecretFile,
  { from, to, signer }: { from: RecordNode; to: RecordNode; signer?: Person },
): SecretFile {
  const opened = openFile(file, sealKeyOf(from).seal)
  const change = signer && { signer: { name: signer.name, signingKey: signer.signing } }
  return resealFile(file, opened, sealKeyOf(to), change)
}

/** The data key of a forged record, for sealing. */
export function sealKeyOf(node: RecordNode): SealKey {
  const { store, group, number } = node.record
  return { id: node.id, seal: deriveKeys(dataKeyOf(node), { store, group, number }).seal }
}

/** A secret's file that says whatever it is told to; by default the next version, under the newest key. */
export function forgeFile(forgery: Omit<SecretForgery, "under"> & { under?: RecordNode }): SecretFile {
  return forgeSecret({ under: tip, version: 3, text: "forged", ...forgery })
}

function blobId(file: SecretFile): string {
  const bytes = printSecretFile(file)
  return createHash("sha1")
    .update(encodeUtf8(`blob ${bytes.length}\0`))
    .update(bytes)
    .digest("hex")
}
