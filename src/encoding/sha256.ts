/** The one hash of coffer's own formats; what git hashes is in storage/git. */
import { hash } from "node:crypto"

/** 32 bytes. In one step: the object that takes a message in parts costs as much again to make, cold. */
export function sha256Of(message: Uint8Array | string): Buffer {
  return hash("sha256", message, "buffer")
}
