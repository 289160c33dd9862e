/**
 * Makes the frozen vectors. They never change: run this only to add to them, then look at the diff.
 *
 *   npm run build:test && node build/test/vectors/generate.js
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import { makeFiles, PARSERS, toJson } from "./file-vectors.js"
import { frozenWraps, VECTORS } from "./material.js"
import { makeStory } from "./store-story.js"
import { makeSuite } from "./suite-vectors.js"

/** All vectors as files below `test/vectors`. */
export async function makeVectors(): Promise<Map<string, Uint8Array>> {
  const out = new Map<string, Uint8Array>()
  const json = (path: string, data: unknown) => out.set(path, Buffer.from(`${JSON.stringify(data, undefined, 1)}\n`))
  const story = await makeStory()
  const { positive, refused } = await makeFiles(story)
  for (const { name, bytes } of positive) out.set(`files/${name}.yaml`, bytes)
  for (const { name, bytes } of refused) out.set(`refused/${name}.yaml`, bytes)
  json(
    "files.json",
    positive.map(({ name, kind, bytes }) => ({ file: `files/${name}.yaml`, kind, data: toJson(PARSERS[kind](bytes)) })),
  )
  json(
    "refused.json",
    refused.map(({ name, kind, code, why }) => ({ file: `refused/${name}.yaml`, kind, code, why })),
  )
  json("suite.json", await makeSuite())
  for (const [path, bytes] of story.tree) out.set(`store/secrets/${path}`, bytes)
  for (const { name, line, recipient } of Object.values(story.people)) {
    out.set(`store/identities/${name}.txt`, Buffer.from(`# public key: ${recipient}\n${line}\n`))
  }
  json("store/expected.json", {
    pins: story.pins,
    readableBy: { ana: ["default", "prod", "prod/eu"], ben: ["default", "prod"], ci: ["default", "prod"], eve: [] },
    secrets: story.secrets.map(({ file, value }) => ({
      name: file.name,
      group: file.group,
      version: file.version,
      state: file.state,
      key: file.key,
      valueBase64: Buffer.from(value).toString("base64"),
    })),
  })
  for (const { name, put } of story.attacks) {
    for (const [path, bytes] of put) out.set(`attacks/${name}/${path}`, bytes)
  }
  json(
    "attacks.json",
    story.attacks.map(({ name, code, what, put, remove, reader = "ana", pin = story.pins.newest }) => ({
      name,
      code,
      what,
      reader,
      pin,
      put: [...put.keys()],
      remove,
    })),
  )
  // Last: what was wrapped on the way is in it.
  out.set("wraps.json", Buffer.from(frozenWraps()))
  return out
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const [path, bytes] of await makeVectors()) {
    const file = join(VECTORS, path)
    if (!existsSync(dirname(file))) mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, bytes)
  }
}
