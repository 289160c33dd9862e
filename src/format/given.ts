/** What callers give, checked as a compiler would: from plain JavaScript anything can come. */
import { types } from "node:util"
import { CofferError, type ErrorCode } from "../errors.js"
import { parseGroupName, parseMemberName, parseSecretName } from "./names.js"

/** Throws a CofferError where a value is not what `field` has to be. The value itself is never quoted. */
export type Check = (value: unknown, field: string) => void

/** One for each field of a request. */
export type Checks<T> = { readonly [K in keyof Required<T>]: Check }

interface Demand {
  readonly is: (value: unknown) => boolean
  /** What it has to be, in words. */
  readonly form: string
  readonly hint: string
  readonly code?: ErrorCode
}

/** A check of one's own. */
export function demand({ is, form, hint, code = "USAGE" }: Demand): Check {
  return (value, field) => {
    if (!is(value)) throw new CofferError(code, `"${field}" is not ${form}`, { hint })
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string"
}

export const TEXT = demand({ is: isText, form: "a string", hint: "convert it: String(…)" })

/** A commit's message. */
export const MESSAGE = demand({
  is: isText,
  form: "a string",
  hint: "a string of lines",
  code: "VALUE_INVALID",
})

export const FLAG = demand({
  is: value => typeof value === "boolean",
  form: "true or false",
  hint: "convert it: Boolean(…)",
})

export const FUNCTION = demand({
  is: value => typeof value === "function",
  form: "a function",
  hint: "leave it out, or give a function",
})

function isMapOfTexts(value: unknown): boolean {
  return types.isMap(value) && [...value].flat().every(isText)
}

/** Whole, from 0. */
export const WHOLE = demand({
  is: value => Number.isSafeInteger(value) && (value as number) >= 0,
  form: "a whole number from 0",
  hint: "versions are numbers: 3",
})

export const TIME = demand({
  is: value => types.isDate(value) && !Number.isNaN(value.getTime()),
  form: "a time",
  hint: "the present, as a Date",
  code: "VALUE_INVALID",
})

export const BYTES = demand({
  is: types.isUint8Array,
  form: "given as bytes",
  hint: "Buffer.from(text)",
  code: "VALUE_INVALID",
})

export const MAP = demand({ is: types.isMap, form: "a map", hint: "new Map()" })

/** Entries of text under text. */
export const TEXTS_BY_KEY = demand({
  is: isMapOfTexts,
  form: "a map of strings",
  hint: 'new Map([["owner", "payments"]])',
  code: "VALUE_INVALID",
})

/** Of a file or folder. */
export const PATH = demand({
  is: value => isText(value) && value !== "" && !value.includes("\0"),
  form: "a path",
  hint: "an absolute path is the same wherever the program is started",
})

export const ENVIRONMENT = demand({
  is: value => isObject(value) && Object.values(value).every(each => each === undefined || isText(each)),
  form: "an environment",
  hint: "variables by name, each a string or undefined",
})

export const SECRET: Check = value => void parseSecretName(value as string)
export const GROUP: Check = value => void parseGroupName(value as string)
export const MEMBER: Check = value => void parseMemberName(value as string)

/** A path that selects what lies below it; the empty text stands for everything. */
export const BELOW: Check = value => {
  if (value !== "") parseSecretName(value as string)
}

/** The same where `.` stands for everything. */
export const PREFIX: Check = value => {
  if (value !== ".") parseSecretName(value as string)
}

export function optional(check: Check): Check {
  return (value, field) => {
    if (value !== undefined) check(value, field)
  }
}

export function listOf(check: Check): Check {
  return (value, field) => {
    if (!Array.isArray(value)) throw new CofferError("USAGE", `"${field}" is no list`, { hint: "[…]" })
    for (const [index, each] of value.entries()) check(each, `${field}[${index}]`)
  }
}

export function oneOf(words: readonly string[]): Check {
  const form = `one of ${words.join(", ")}`
  return demand({
    is: value => isText(value) && words.includes(value),
    form,
    hint: `"${words.join('", "')}"`,
  })
}

/** Fields that are not among the checks are passed over. */
export function objectOf<T>(checks: Checks<T>): Check {
  return (value, field) => {
    if (!isObject(value)) {
      throw new CofferError("USAGE", `"${field}" is no object`, {
        hint: `one with ${Object.keys(checks).join(", ")}`,
      })
    }
    for (const key in checks) checks[key](value[key], key)
  }
}

/** Lists, maps, times and the like are objects to JavaScript, and none of their fields would be found. */
function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && Object.prototype.toString.call(value) === "[object Object]"
}
