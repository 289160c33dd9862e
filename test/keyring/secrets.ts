/** Secret files made for tests, honest or forged, under records of {@link forge}. */
import { deriveKeys } from "../../src/crypto/data-key.js"
import { type SigningKey, signWrite } from "../../src/crypto/signing.js"
import { digestValue, newSalt, sealValue } from "../../src/crypto/value.js"
import type { SecretName } from "../../src/format/names.js"
import {
  parseSecretFile,
  printSecretFile,
  type SecretFile,
  type SecretHeader,
  sealContext,
  writeContext,
} from "../../src/format/secret-file.js"
import type { RecordNode } from "../../src/keyring/graph.js"
import { dataKeyOf, type Person, STORE } from "./graphs.js"

export interface SecretForgery extends Partial<Omit<SecretHeader, "name">> {
  readonly name: string
  readonly by: Person
  /** The record whose data key seals it. */
  readonly under: RecordNode
  readonly text?: string
  readonly signing?: SigningKey
}

/** Signs and seals a secret's file whatever it says, and parses it again as a reader does. */
export function forgeSecret(forgery: SecretForgery): SecretFile {
  const { by, under, text = "s3cret", signing = by.signing, name, ...fields } = forgery
  const [value, salt] = [Buffer.from(text), newSalt()]
  const header: SecretHeader = {
    store: STORE,
    group: under.record.group,
    name: name as SecretName,
    version: 1,
    state: "current",
    type: "text",
    valueKeys: [`${under.record.group}/${under.id}`],
    created: under.record.created,
    author: by.name,
    previous: [],
    meta: new Map(),
    digest: digestValue(salt, value),
    signer: by.name,
    ...fields,
  }
  const signed = { ...header, signature: signWrite(signing, writeContext(header)), key: under.id }
  const { store, group, number } = under.record
  const { seal } = deriveKeys(dataKeyOf(under), { store, group, number })
  return parseSecretFile(printSecretFile({ ...signed, ...sealValue(seal, sealContext(signed), salt, value) }))
}
