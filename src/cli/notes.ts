/** Notes and warnings of one call: said at once, or with `--json` kept until it is known how the call ends. */
import type { Host } from "./host.js"
import { printable } from "./printable.js"

export interface Notes {
  /** `prefix` stands in front on stderr alone. */
  say(text: string, prefix?: string): void
  /** Says what is kept; what comes later is said at once. */
  release(): void
  /** Hands over what is kept, for the one line that tells an error. */
  take(): readonly string[]
}

/** Kept lines are said, too, when a signal or an exit ends the program first. */
export function startNotes(host: Host, keep: boolean): Notes {
  let kept: { text: string; prefix: string }[] | undefined = keep ? [] : undefined
  let forget = () => {}
  const write = ({ text, prefix }: { text: string; prefix: string }) =>
    host.stderr.write(`${prefix}${printable(text)}\n`)
  function end() {
    const lines = kept ?? []
    kept = undefined
    forget()
    return lines
  }
  function release(): void {
    for (const line of end()) write(line)
  }
  return {
    say(text, prefix = "") {
      if (kept === undefined) return write({ text, prefix })
      if (kept.length === 0) forget = host.atExit(release)
      kept.push({ text, prefix })
    },
    release,
    take: () => end().map(({ text }) => text),
  }
}
