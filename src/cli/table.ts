/** Rows of text in columns. */
import { printable } from "./printable.js"

/** Pads all columns but the last; cells are made safe one by one, so none can begin a row of its own. */
export function table(rows: readonly (readonly string[])[]): string {
  const safe = rows.map(row => row.map(printable))
  const widths = safe.reduce<number[]>(
    (widest, row) => row.map((cell, column) => Math.max(widest[column] ?? 0, cell.length)),
    [],
  )
  return safe
    .map(
      row =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column]!))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("")
}
