/** Reads a stream of bytes by lines, by lengths and by records that end in NUL. */

/** The byte that ends a line. */
export const LINE_END = 10

/** A stream with the part of it that is read and not used yet. */
export interface ByteReader {
  /** Up to the next `end` byte, without it; undefined at the end of the stream. */
  until(end: number): Promise<Buffer | undefined>
  /** Exactly so many bytes, fewer only at the end of the stream. */
  bytes(length: number): Promise<Buffer>
}

export function readBytes(stream: AsyncIterable<Buffer>): ByteReader {
  const source = stream[Symbol.asyncIterator]()
  let rest: Buffer = Buffer.alloc(0)
  async function more(): Promise<Buffer | undefined> {
    const next = await source.next()
    return next.done === true ? undefined : next.value
  }
  function take(length: number, skip = 0): Buffer {
    const taken = rest.subarray(0, length)
    rest = rest.subarray(length + skip)
    return taken
  }
  return {
    async until(end) {
      for (let searched = 0; ; ) {
        const at = rest.indexOf(end, searched)
        if (at !== -1) return take(at, 1)
        searched = rest.length
        const chunk = await more()
        if (chunk === undefined) return rest.length === 0 ? undefined : take(rest.length)
        rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      }
    },
    async bytes(length) {
      const parts = [rest]
      let total = rest.length
      for (let chunk: Buffer | undefined; total < length; total += chunk.length) {
        chunk = await more()
        if (chunk === undefined) break
        parts.push(chunk)
      }
      rest = parts.length === 1 ? rest : Buffer.concat(parts)
      return take(Math.min(length, rest.length))
    },
  }
}
