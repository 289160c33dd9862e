/** Times as coffer's files spell them: UTC, whole seconds, text that sorts. */
import { CofferError } from "../errors.js"

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/

/**
 * `YYYY-MM-DDThh:mm:ssZ`, fractions of a second dropped. Not by `toISOString`, which reads the machine's time zone
 * first: half a millisecond of a `get`.
 *
 * @throws CofferError `VALUE_INVALID` for a date that is none, or of a year that four digits do not spell
 */
export function printTime(date: Date): string {
  const year = date.getUTCFullYear()
  if (year >= 0 && year <= 9999) return spell(date)
  throw new CofferError("VALUE_INVALID", "the time is none between the years 0 and 9999", {
    hint: "give the present",
  })
}

function spell(date: Date): string {
  const day = [padded(date.getUTCFullYear(), 4), padded(date.getUTCMonth() + 1), padded(date.getUTCDate())]
  const time = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()]
  return `${day.join("-")}T${time.map(part => padded(part)).join(":")}Z`
}

function padded(part: number, digits = 2): string {
  return String(part).padStart(digits, "0")
}

/** The time that `text` spells in exactly that form, or undefined. */
export function parseTime(text: string): Date | undefined {
  if (!TIME.test(text)) return undefined
  const date = new Date(text)
  // Date accepts 24:00:00 and, in some engines, the 31st of February.
  return !Number.isNaN(date.getTime()) && spell(date) === text ? date : undefined
}

export function isTime(text: string): boolean {
  return parseTime(text) !== undefined
}
