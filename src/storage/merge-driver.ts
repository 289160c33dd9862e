/** Registers the keyless merge rule with git, on this machine only: a committed file never names a program. */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { quoteForShell } from "../format/shell.js"
import { ioError } from "./files.js"
import { ownAttributesPath, printPattern, readOwnAttributes } from "./git/own-attributes.js"
import { removeIfEmpty, writeExecutable } from "./hooks-folder.js"
import { readBlock, writeBlock } from "./marked-block.js"

/**
 * Makes git settle merges of secret files by the rule of `hooks/merge-secret`, and leave the sealed part
 * out of `git diff`. The driver is a copy inside the git directory: coffer's own folder may go away.
 *
 * @param stores - folders of stores, relative to the work tree; earlier ones stay.
 * @param source - coffer's package folder.
 */
export function installMergeDriver(commonDir: string, stores: readonly string[], source: string): void {
  const { driver, config, attributes } = placesIn(commonDir)
  try {
    mkdirSync(dirname(driver), { recursive: true })
    writeExecutable(driver, readFileSync(join(source, "hooks", "merge-secret"), "utf8"))
  } catch (error) {
    throw ioError("write", driver, error)
  }
  const patterns = new Set([...(readBlock(attributes)?.split("\n") ?? []), ...stores.map(printRule)])
  patterns.delete("")
  writeBlock(attributes, [...patterns].map(line => `${line}\n`).join(""))
  writeBlock(config, printConfig(driver))
}

/** Whether the driver is in place; not after the repository was moved. */
export function hasMergeDriver(commonDir: string, stores: readonly string[]): boolean {
  const { driver, config, attributes } = placesIn(commonDir)
  const patterns = readBlock(attributes)?.split("\n") ?? []
  return (
    readBlock(config) === printConfig(driver) && stores.every(store => patterns.includes(printRule(store)))
  )
}

/** Whether a line of the user's own says how secret files are merged: it stands below ours and wins. */
export function isOverruled(commonDir: string, stores: readonly string[]): boolean {
  const own = readOwnAttributes(commonDir)
  return stores.some(store => (own?.of(`${store}/NAME.yaml`).get("merge")?.value ?? "coffer") !== "coffer")
}

/** Takes everything out again, empty folders included. @returns whether there was anything */
export function uninstallMergeDriver(commonDir: string): boolean {
  const { driver, config, attributes } = placesIn(commonDir)
  const isThere = existsSync(driver) || [config, attributes].some(path => readBlock(path) !== undefined)
  writeBlock(attributes, undefined)
  writeBlock(config, undefined)
  rmSync(driver, { force: true })
  for (const path of [driver, attributes]) removeIfEmpty(dirname(path))
  return isThere
}

function placesIn(commonDir: string): { driver: string; config: string; attributes: string } {
  return {
    driver: join(commonDir, "coffer", "merge-secret"),
    config: join(commonDir, "config"),
    attributes: ownAttributesPath(commonDir),
  }
}

function printConfig(driver: string): string {
  const command = `sh ${quoteForShell(driver.replaceAll("\\", "/"))} %O %A %B`
  return [
    '[merge "coffer"]',
    "\tname = secret files: a side that was only sealed again gives way",
    `\tdriver = ${quoteForConfig(command)}`,
    '[diff "coffer"]',
    `\ttextconv = ${quoteForConfig("sed '/^nonce:/,$d'")}`,
    "",
  ].join("\n")
}

function quoteForConfig(value: string): string {
  return `"${value.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n")}"`
}

/** Everything below a store that could be a secret. */
function printRule(store: string): string {
  return `${printPattern(store, "/**/*.yaml")} merge=coffer`
}
