/**
 * The library: the same operations as the command line, with types. Open a store with
 * {@link openStore}, then hand it to the others.
 */
export { CofferError, type ErrorCode, EXIT_CODES } from "./errors.js"
export { parseSecretName, type SecretName } from "./format/names.js"
export type { SecretFile } from "./format/secret-file.js"
export {
  deleteSecret,
  deleteSecrets,
  getSecret,
  listSecrets,
  type Secret,
  setSecret,
  setSecrets,
  undeleteSecret,
} from "./store/secrets.js"
export { type OpenOptions, openStore, type Store } from "./store/store.js"
export { transferPrefix, transferSecret } from "./store/transfer.js"
