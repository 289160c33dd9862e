/** Paths by their bytes, a character each: git's need not be UTF-8, and are sorted as bytes. */

export function toLatin1(text: string): string {
  return Buffer.from(text).toString("latin1")
}

/** The text that {@link toLatin1} was given; where the bytes are no UTF-8, with U+FFFD in it. */
export function fromLatin1(path: string): string {
  return Buffer.from(path, "latin1").toString()
}
