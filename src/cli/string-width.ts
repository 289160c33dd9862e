/** Stands in for the package `string-width`, whose import constructs Intl.Segmenter: a fifth of a cold start. */

/** yargs measures only texts of its own help with it, and coffer prints its help itself. */
// biome-ignore lint/style/noDefaultExport: the package that this replaces has a default export
export default function stringWidth(text: string): number {
  return text.length
}
