/** The requests of the everyday operations, and what each of their fields has to be. */
import { CofferError } from "../errors.js"
import {
  BELOW,
  type Checks,
  demand,
  FLAG,
  listOf,
  objectOf,
  optional,
  SECRET,
  TIME,
  WHOLE,
} from "../format/given.js"
import type { SecretName } from "../format/names.js"
import { WRITE } from "./call.js"
import { SET_FIELDS, type SetRequest } from "./draft-secrets.js"
import type { VersionChoice } from "./history.js"
import type { WriteOptions } from "./transaction.js"

/** Which version to read; default: the present one. */
export type GetRequest = { readonly name: SecretName } & (VersionChoice | { readonly version?: undefined })

/** How an old version is named: by {@link VersionChoice}, from JavaScript by none of its forms or by both. */
export type NamedVersion = { version?: number | undefined; hint?: string | undefined; at?: Date | undefined }

const HINT = demand({
  is: value => typeof value === "string" && /^[0-9a-f]{0,64}$/.test(value),
  form: "the beginning of a digest",
  hint: "what stands behind the ~ of a version's label",
})

const CHOICE: Checks<NamedVersion> = { version: optional(WHOLE), hint: optional(HINT), at: optional(TIME) }

export const GET = objectOf<NamedVersion & { name: SecretName }>({ ...CHOICE, name: SECRET })

/** The choice that it names. @throws CofferError `USAGE` for no choice, and for two */
export function parseChoice({ version, hint, at }: NamedVersion): VersionChoice {
  if (version !== undefined && at === undefined) return { version, hint }
  if (at !== undefined && version === undefined) return { at }
  throw new CofferError("USAGE", "a version is chosen by its number, or by a time", {
    hint: "{ version: 3 }, or { at: … }",
  })
}

export const LIST = objectOf<{ prefix?: string; deleted?: boolean }>({
  prefix: optional(BELOW),
  deleted: optional(FLAG),
})

export const SET = objectOf<SetRequest & WriteOptions>({ ...SET_FIELDS, ...WRITE })

/** A secret to leave a tombstone of. */
export interface Deletion {
  readonly name: SecretName
  readonly cas?: number | undefined
}

const DELETION: Checks<Deletion> = { name: SECRET, cas: optional(WHOLE) }

export const SET_SEVERAL = objectOf<WriteOptions & { secrets: unknown; deletions?: unknown }>({
  ...WRITE,
  secrets: listOf(objectOf<SetRequest>(SET_FIELDS)),
  deletions: optional(listOf(objectOf<Deletion>(DELETION))),
})

export const DELETE = objectOf<Deletion & WriteOptions & { purge?: boolean }>({
  ...DELETION,
  ...WRITE,
  purge: optional(FLAG),
})

export const DELETE_SEVERAL = objectOf<WriteOptions & { deletions: unknown; purge?: boolean }>({
  ...WRITE,
  deletions: listOf(objectOf<Deletion>(DELETION)),
  purge: optional(FLAG),
})

export const DELETE_BELOW = objectOf<WriteOptions & { paths: unknown; purge?: boolean }>({
  ...WRITE,
  paths: listOf(BELOW),
  purge: optional(FLAG),
})

export const UNDELETE = objectOf<WriteOptions & { name: SecretName }>({ ...WRITE, name: SECRET })

export const ROLLBACK = objectOf<WriteOptions & { name: SecretName; choice: unknown }>({
  ...WRITE,
  name: SECRET,
  choice: objectOf(CHOICE),
})
