/** Times as coffer's files spell them: UTC, whole seconds, text that sorts. */

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/

/** `YYYY-MM-DDThh:mm:ssZ`, fractions of a second dropped. */
export function printTime(date: Date): string {
  return `${date.toISOString().slice(0, -5)}Z`
}

/** The time that `text` spells in exactly that form, or undefined. */
export function parseTime(text: string): Date | undefined {
  if (!TIME.test(text)) return undefined
  const date = new Date(text)
  // Date accepts 24:00:00 and, in some engines, the 31st of February.
  return !Number.isNaN(date.getTime()) && printTime(date) === text ? date : undefined
}

export function isTime(text: string): boolean {
  return parseTime(text) !== undefined
}
