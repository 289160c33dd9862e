/** The forms in which a value turns up in files: as it is, and encoded as tools encode it. */
import { asBuffer, decodeUtf8, escapeUnit } from "../encoding.js"

/**
 * All byte strings of which one occurs wherever `value` was written raw, with other line ends, as
 * UTF-16 (a PowerShell redirect), base64 or base64url at any alignment, hex, URL-encoded or inside a JSON string.
 *
 * @returns bytes as latin1, one character each; a form that is the same as another is there once.
 */
export function encodingsOf(value: Uint8Array): ReadonlySet<string> {
  const bytes = asBuffer(value)
  const raw = bytes.toString("latin1")
  const forms = new Set([raw])
  for (const aligned of base64Forms(bytes))
    forms.add(aligned).add(aligned.replaceAll("+", "-").replaceAll("/", "_"))
  const hex = bytes.toString("hex")
  forms.add(hex).add(hex.toUpperCase())
  for (const encoded of urlForms(raw)) forms.add(encoded)
  const text = decodeUtf8(value)
  if (text !== undefined) for (const form of textForms(text)) forms.add(form)
  return forms
}

/**
 * Base64 of the value standing at byte 0, 1 or 2 of a group of three, without the characters at both
 * ends that also depend on the neighbours: `user:VALUE` in a header is found like `VALUE` alone.
 */
export function base64Forms(value: Uint8Array): string[] {
  const shifted = Buffer.alloc(2 + value.length)
  shifted.set(value, 2)
  return [0, 1, 2].map(offset =>
    shifted
      .toString("base64", 2 - offset)
      .slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + value.length) * 8) / 6)),
  )
}

/** Percent-encoding of bytes, for both habits about `!'()*` and about spaces, and both cases of the digits. */
function urlForms(bytes: string): string[] {
  // What has no reserved byte is the same encoded.
  if (!/[^A-Za-z0-9._~-]/.test(bytes)) return []
  const strict = bytes.replace(/[^A-Za-z0-9._~-]/g, percentEncode)
  const habits = /[!'()*]/.test(bytes)
    ? [strict, bytes.replace(/[^A-Za-z0-9._~!'()*-]/g, percentEncode)]
    : [strict]
  return habits
    .flatMap(form => [form, form.replace(/%[0-9A-F]{2}/g, code => code.toLowerCase())])
    .flatMap(form => [form, form.replaceAll("%20", "+")])
}

function percentEncode(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`
}

function textForms(text: string): string[] {
  const wide = Buffer.from(text, "utf16le").toString("latin1")
  // Most values are printable ASCII, and JSON writes all of it as it is.
  if (/^[ !#-[\]-~]*$/.test(text)) return [wide, text.replaceAll("/", "\\/")]
  const json = JSON.stringify(text).slice(1, -1)
  // Python and PHP write everything beyond ASCII as \u escapes, PHP also "/" as "\/".
  const ascii = json.replace(/[^\0-\x7f]/g, escapeUnit)
  const slashed = [json, ascii].map(form => form.replace(/\//g, "\\/"))
  const lines = text.replace(/\r\n/g, "\n")
  const forms = [json, ascii, ...slashed, lines, lines.replace(/\n/g, "\r\n")]
  return [...forms.map(form => Buffer.from(form, "utf8").toString("latin1")), wide]
}
