/** Padmé: lengths that tell little, at 12 % of surplus at most. */

/**
 * The padded length for `length` bytes: its last bits are zero, as many as leave the length of its
 * length. Below 2^L bytes there are O(log L) lengths to tell apart.
 *
 * @see docs/format.md §7.3
 * @see https://petsymposium.org/popets/2019/popets-2019-0056.pdf (§4)
 */
export function padme(length: number): number {
  if (length < 2) return length
  const exponent = Math.floor(Math.log2(length))
  const kept = Math.floor(Math.log2(exponent)) + 1
  const step = 2 ** Math.max(0, exponent - kept)
  return Math.ceil(length / step) * step
}
