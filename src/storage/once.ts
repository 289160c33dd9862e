/** Work that is done when it is first asked for, and not again. */

/** A function that runs once and then gives the same answer. */
export function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
