/**
 * The library: the operations of the command line, with types. Open a store with {@link openStore}, then
 * hand it to the others; the present is an argument (`at`), and nothing is read from the process.
 */
export { CofferError, type ErrorCode, EXIT_CODES } from "./errors.js"
export type { Member, Role } from "./format/key-record.js"
export { parseSecretName, type SecretName } from "./format/names.js"
export type { SecretFile } from "./format/secret-file.js"
export { type CheckReport, type CheckRequest, checkStore } from "./store/check.js"
export { type CreateGroupRequest, createGroup, listGroups } from "./store/groups.js"
export { type History, listVersions, type Version } from "./store/history.js"
export { type Imported, type ImportRequest, importDotenv } from "./store/import.js"
export { createStore, ensureIdentity, type NewStore } from "./store/init.js"
export { listKeys } from "./store/keys.js"
export {
  type AddRequest,
  addRecipient,
  listRecipients,
  type RemoveRequest,
  removeRecipient,
} from "./store/members.js"
export { type Conflict, type Resolution, resolveMerge, resolveSecret } from "./store/resolve.js"
export { type RotateRequest, rotateGroups } from "./store/rotate.js"
export { findSecrets, grepSecrets } from "./store/search.js"
export {
  deleteBelow,
  deleteSecrets,
  type GetRequest,
  getSecret,
  listSecrets,
  rollbackSecret,
  type Secret,
  type SecretsWritten,
  type SecretWritten,
  setSecret,
  setSecrets,
  undeleteSecret,
} from "./store/secrets.js"
export { listExposed, reportStatus } from "./store/status.js"
export { type OpenOptions, openStore, type Store } from "./store/store.js"
export type { WriteOptions } from "./store/transaction.js"
export { transferPrefix, transferSecret } from "./store/transfer.js"
export { acceptChanges, printStorePin, resetTrust, showTrust } from "./store/trust-change.js"
export { readVariables, type Variable } from "./store/variables.js"
