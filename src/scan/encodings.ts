/** The forms in which a value turns up in files: as it is, and encoded as tools encode it. */
import { decodeUtf8, encodeHex, escapeUnit } from "../encoding.js"

/**
 * All byte strings of which one occurs wherever `value` was written raw, with other line ends, as
 * UTF-16 (a PowerShell redirect), base64 or base64url at any alignment, hex, URL-encoded or inside a JSON string.
 * A form that is the same as another is there once.
 */
export function encodingsOf(value: Uint8Array): Uint8Array[] {
  const text = decodeUtf8(value)
  const forms = [Buffer.from(value).toString("latin1")]
  for (const aligned of base64Forms(value))
    forms.push(aligned, aligned.replace(/\+/g, "-").replace(/\//g, "_"))
  const hex = encodeHex(value)
  forms.push(hex, hex.toUpperCase())
  for (const encoded of urlForms(value)) forms.push(encoded, encoded.replace(/%20/g, "+"))
  if (text !== undefined) forms.push(...textForms(text))
  return [...new Set(forms)].map(form => Buffer.from(form, "latin1"))
}

/**
 * Base64 of the value standing at byte 0, 1 or 2 of a group of three, without the characters at both
 * ends that also depend on the neighbours: `user:VALUE` in a header is found like `VALUE` alone.
 */
export function base64Forms(value: Uint8Array): string[] {
  return [0, 1, 2].map(offset => {
    const encoded = Buffer.concat([Buffer.alloc(offset), value]).toString("base64")
    return encoded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + value.length) * 8) / 6))
  })
}

/** Percent-encoding of bytes, for both habits about `!'()*` and both cases of the digits. */
function urlForms(value: Uint8Array): string[] {
  const bytes = Buffer.from(value).toString("latin1")
  const strict = bytes.replace(/[^A-Za-z0-9._~-]/g, percentEncode)
  const loose = bytes.replace(/[^A-Za-z0-9._~!'()*-]/g, percentEncode)
  return [strict, loose].flatMap(form => [form, form.replace(/%[0-9A-F]{2}/g, code => code.toLowerCase())])
}

function percentEncode(byte: string): string {
  return `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`
}

function textForms(text: string): string[] {
  const json = JSON.stringify(text).slice(1, -1)
  // Python and PHP write everything beyond ASCII as \u escapes, PHP also "/" as "\/".
  const ascii = json.replace(/[^\0-\x7f]/g, escapeUnit)
  const slashed = [json, ascii].map(form => form.replace(/\//g, "\\/"))
  const lines = text.replace(/\r\n/g, "\n")
  const forms = [json, ascii, ...slashed, lines, lines.replace(/\n/g, "\r\n")]
  const bytes = forms.map(form => Buffer.from(form, "utf8").toString("latin1"))
  return [...bytes, Buffer.from(text, "utf16le").toString("latin1")]
}
