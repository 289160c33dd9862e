/** What comes piece by piece, so much of it at a time as memory should hold. */

/** The items in lists of `size`, the last one shorter; none is empty. */
export async function* inBatches<T>(
  items: Iterable<T> | AsyncIterable<T>,
  size: number,
): AsyncGenerator<readonly T[]> {
  let batch: T[] = []
  for await (const item of items) {
    batch.push(item)
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

/** What `work` makes of the items in lists of `size`, in their order: a list is read while the one before it is worked on. */
export async function* inOverlap<T, R>(
  items: Iterable<T> | AsyncIterable<T>,
  size: number,
  work: (batch: readonly T[]) => Promise<readonly R[]>,
): AsyncGenerator<R> {
  let before: Promise<readonly R[]> = Promise.resolve([])
  for await (const batch of inBatches(items, size)) {
    const now = work(batch)
    // What it fails with is thrown where it is awaited; what fails before that must not leave it unheard.
    now.catch(() => {})
    for (const made of await before) yield made
    before = now
  }
  for (const made of await before) yield made
}
