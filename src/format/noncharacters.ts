/** Unicode's noncharacters: not to be exchanged, and some of them YAML cannot hold. */

// Spelled out, since a `\p{…}` makes the regular expression engine build Unicode's whole table: a start's worth of work.
// And so is what nearly every text is answered by first: each expression costs its making.
const ASCII = /^[ -~]*$/
const BASIC = /[\ufdd0-\ufdef\ufffe\uffff]/
const SUPPLEMENTARY =
  /[\ud83f\ud87f\ud8bf\ud8ff\ud93f\ud97f\ud9bf\ud9ff\uda3f\uda7f\udabf\udaff\udb3f\udb7f\udbbf\udbff][\udffe\udfff]/

/** @param text - without lone surrogates. */
export function hasNoncharacter(text: string): boolean {
  return !ASCII.test(text) && (BASIC.test(text) || SUPPLEMENTARY.test(text))
}
