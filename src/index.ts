/**
 * The library: the operations of the command line, with types. Open a store with {@link openStore}, then
 * hand it to the others; the present is an argument (`at`), and nothing is read from the process but by
 * Node itself (a relative `directory` counts from its current folder). What a store knows of keys and trust it
 * reads once: open it anew to see what changed meanwhile.
 */
export { CofferError, type ErrorCode, EXIT_CODES } from "./errors.js"
export { type Card, parseCard, printCard } from "./format/card.js"
export type { DotenvWarning } from "./format/dotenv.js"
export { EXPORT_FORMATS, type ExportFormat, printVariables } from "./format/exports.js"
export type { Member, Role } from "./format/key-record.js"
export { parseGroupName, parseMemberName, parseSecretName, type SecretName } from "./format/names.js"
export type { SecretFile } from "./format/secret-file.js"
export type { Exposure } from "./keyring/exposure.js"
export type { Finding, FindingCode } from "./keyring/findings.js"
export type { Environment } from "./storage/environment.js"
export type { Git, GitPreference, GitReader } from "./storage/git/git.js"
export type { HookName, HookProgram } from "./storage/hooks-folder.js"
export { addIdentities, createIdentityFile, type Identity, parseIdentities } from "./storage/identities.js"
export { type CheckReport, type CheckRequest, checkStore, type FailOn } from "./store/check.js"
export type { SetRequest } from "./store/draft-secrets.js"
export {
  type EditedSecret,
  type EditPlan,
  type EditSession,
  planEdit,
  type Shown,
  startEdit,
  startEditOne,
} from "./store/edit.js"
export { type FinishRequest, finishRotation } from "./store/finish.js"
export {
  type CreateGroupRequest,
  createGroup,
  type GroupCreated,
  type ListedGroup,
  listGroups,
} from "./store/groups.js"
export { guardCommit } from "./store/guard.js"
export { guardPush, guardRange, type PushedRef } from "./store/guard-commits.js"
export type { GuardDemands, GuardFinding, GuardReport } from "./store/guard-report.js"
export { type History, listVersions, type Version, type VersionChoice } from "./store/history.js"
export {
  type HooksReport,
  type HooksRequest,
  hooksStatus,
  installHooks,
  uninstallHooks,
} from "./store/hooks.js"
export { type Imported, type ImportRequest, importDotenv } from "./store/import.js"
export { createStore, ensureIdentity, type NewStore, type OwnIdentity } from "./store/init.js"
export { pinStore } from "./store/join.js"
export { type GroupKeys, type ListedKey, listKeys } from "./store/keys.js"
export {
  type Added,
  type AddRequest,
  addRecipient,
  type ExposedValue,
  type GroupMembers,
  type ListedMember,
  listRecipients,
  type Removed,
  type RemoveRequest,
  removeRecipient,
} from "./store/members.js"
export { type MergeRequest, mergeKeyrings } from "./store/merge-groups.js"
export type { Secret } from "./store/reading.js"
export { type Conflict, type Resolution, resolveMerge, resolveSecret } from "./store/resolve.js"
export { type Rotated, type RotatedGroup, type RotateRequest, rotateGroups } from "./store/rotate.js"
export { findSecrets, grepSecrets } from "./store/search.js"
export type { Deletion, GetRequest } from "./store/secret-requests.js"
export {
  deleteBelow,
  deleteSecret,
  deleteSecrets,
  getSecret,
  listSecrets,
  rollbackSecret,
  type SecretsWritten,
  type SecretWritten,
  setSecret,
  setSecrets,
  undeleteSecret,
} from "./store/secrets.js"
export {
  type ExposedSecret,
  type GroupStatus,
  listExposed,
  reportStatus,
  type StatusReport,
} from "./store/status.js"
export { type OpenOptions, openStore, type Store } from "./store/store.js"
export type { WriteOptions } from "./store/transaction.js"
export { type TransferKind, type TransferOptions, transferPrefix, transferSecret } from "./store/transfer.js"
export {
  acceptChanges,
  printStorePin,
  resetGoneStore,
  resetTrust,
  showTrust,
  type TrustReport,
} from "./store/trust-change.js"
export { readVariables, type Variable } from "./store/variables.js"
