/** What something is refused with. */
import { CofferError } from "../src/errors.js"

/** The code that a promise is refused with; "none" where it is not. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return "none"
  } catch (error) {
    return codeIn(error)
  }
}

/** The same for a function that refuses at once. */
export function codeThrown(run: () => unknown): string {
  try {
    run()
    return "none"
  } catch (error) {
    return codeIn(error)
  }
}

function codeIn(error: unknown): string {
  if (error instanceof CofferError) return error.code
  throw error
}
