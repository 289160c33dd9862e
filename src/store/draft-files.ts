/** The files of one operation: bytes, or what makes them when git takes them in. */
import { printSecretFile, type SecretFile, sealContextIn } from "../format/secret-file.js"
import { inOverlap } from "./batches.js"
import { BATCH } from "./reading.js"
import { openFile, type SealKey } from "./seal.js"

/** A file's bytes, or how to make them; null: it goes. */
export type Content = Uint8Array | null | (() => Promise<Uint8Array>)

/** What an operation puts in place, by path in the store, and what it finds to be as wanted in HEAD. */
export interface DraftFiles {
  readonly put: Map<string, Content>
  readonly kept: Map<string, Uint8Array>
}

/** Drafted files as git has them: those that are still to be made are, a batch ahead of who reads them. */
export function filesIn(folder: string, drafted: Map<string, Content>) {
  const inRepository = (path: string) => `${folder}/${path}`
  const make = (batch: readonly (readonly [string, Content])[]) =>
    Promise.all(
      batch.map(async ([path, content]): Promise<readonly [string, Uint8Array | null]> => {
        const bytes = typeof content === "function" ? await content() : content
        // What it was made of need not stay in memory.
        drafted.set(path, bytes)
        return [inRepository(path), bytes]
      }),
    )
  return {
    keys: () => [...drafted.keys()].map(inRepository),
    entries: () => inOverlap(drafted, BATCH, make),
  }
}

/** A file's bytes, when the value has opened in just these. @throws CofferError `TAMPERED` */
export function proven(file: SecretFile, { seal }: SealKey): Uint8Array {
  const bytes = printSecretFile(file)
  openFile(file, seal, sealContextIn(bytes))
  return bytes
}
